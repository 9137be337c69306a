import type { ChildRecord } from './journal.ts'

/** Finds and ends what an earlier process of this agent left running. */
export interface Orphans {
  /**
   * Ends every process of the ledger and every one that carries this agent's mark, politely first, and waits for them.
   * Gives those that are still there. Never throws.
   */
  end(ledger: readonly ChildRecord[]): Promise<readonly Survivor[]>
}

export interface Survivor {
  readonly pid: number
  /** `<run>.<attempt>`, when it can be known. */
  readonly attemptId?: string
}
