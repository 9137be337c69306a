import type { Clock } from '../../core/clock.ts'
import { isFault } from '../../core/fault.ts'
import type { RunId } from '../../core/ids.ts'
import type { Order } from '../../core/link.ts'
import type { ChildLedger } from '../ports/engine.ts'
import type { Recorder } from '../ports/events.ts'
import type { Journal, JournalEntry, KeptOrder } from '../ports/journal.ts'
import { apply, type JournalState } from './journal-state.ts'

const repairMinMs = 500
const repairMaxMs = 30_000

/**
 * The agent's memory: the journal's state, and the journal behind it. What has happened counts at once, on disk or not: a full
 * disk does not stop running work. Only what is promised to a server (`accept`) waits for the disk.
 */
export class Book implements AsyncDisposable {
  readonly state: JournalState
  readonly #journal: Journal
  readonly #clock: Clock
  readonly #record: Recorder
  readonly #stop = new AbortController()
  #repairing: Promise<void> | undefined

  constructor(state: JournalState, journal: Journal, clock: Clock, record: Recorder) {
    this.state = state
    this.#journal = journal
    this.#clock = clock
    this.#record = record
  }

  /** Writes the journal as it was read, so that a damaged or grown one is whole again. A full disk is no reason to stop. */
  async begin(): Promise<void> {
    await this.#journal.repair().catch((error: unknown) => this.#failed(error))
  }

  /** Takes an attempt. Throws Fault('busy') when the disk does not have it: then it was not taken. */
  async accept(order: Order, begun: boolean): Promise<void> {
    const entry = { type: 'accepted', order: keptOf(order), begun, at: this.#clock.now() } as const
    try {
      await this.#journal.append(entry)
    } catch (error) {
      this.#failed(error)
      throw error
    }
    apply(this.state, entry)
  }

  /** Writes down what has happened. Resolves with whether the disk has it; if not, it will get it as soon as it can. */
  async save(entry: JournalEntry): Promise<boolean> {
    apply(this.state, entry)
    try {
      await this.#journal.append(entry)
      return true
    } catch (error) {
      this.#failed(error)
      return false
    }
  }

  /** Writes down what may be forgotten when the machine dies (it is then learnt again), without waiting for the disk. */
  jot(entry: JournalEntry): void {
    apply(this.state, entry)
    try {
      this.#journal.note(entry)
    } catch (error) {
      this.#failed(error)
    }
  }

  /** The children of an attempt. Never throws: those that the disk does not name are found by their environment. */
  ledger(run: RunId, attempt: number): ChildLedger {
    return {
      started: (child) => this.jot({ type: 'child', run, attempt, child }),
      ended: (pid) => this.jot({ type: 'child_ended', run, attempt, pid }),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#repairing
    await this.#journal[Symbol.asyncDispose]()
  }

  #failed(err: unknown): void {
    if (this.#repairing || this.#stop.signal.aborted) return
    this.#record('journal.failed', { err: isFault(err, 'busy') ? (err.cause ?? err) : err })
    this.#repairing = this.#repair().finally(() => (this.#repairing = undefined))
  }

  async #repair(): Promise<void> {
    const { signal } = this.#stop
    for (let pauseMs = repairMinMs; !signal.aborted; pauseMs = Math.min(2 * pauseMs, repairMaxMs)) {
      try {
        await this.#clock.sleep(pauseMs * (0.5 + this.#clock.random() / 2), signal)
        await this.#journal.repair()
        return this.#record('journal.repaired', {})
      } catch {
        // Said once; the next round tries again.
      }
    }
  }
}

/** What of an order is written down: nothing that is secret, and nothing that only its execution needs. */
export function keptOf(order: Order): KeptOrder {
  const { run, attempt, job, client, slot, session, epoch, before, own } = order
  return {
    ...{ run, attempt, job, client, slot, epoch, before },
    ...(session ? { session } : {}),
    ...(own ? { own } : {}),
    tasks: order.tasks.map(({ mandatory, maxRetries, repository }) => ({
      mandatory,
      maxRetries,
      ...(repository ? { repository } : {}),
    })),
  }
}
