import type { Hello, ToAgent, ToServer } from '../../core/link.ts'

/** The agent's side of the line: it connects, says hello, and keeps trying for as long as it lives. */
export interface ServerLine extends AsyncDisposable {
  /** The version of the line's protocol that the open line agreed on; undefined between lines. */
  readonly protocol: number | undefined
  /**
   * `false` when no line is open or its queue is full: the message is dropped, and the next hello tells the state. A message
   * that the agreed protocol does not have is not sent either: whoever has a newer one asks `serverKnows` first, and
   * forgetting it is a bug, which is logged.
   */
  send(message: Exclude<ToServer, { type: 'hello' | 'beat' }>): boolean
  /** Resolves when a line is open (a welcome was received). */
  open(signal: AbortSignal): Promise<void>
  /** This process's monotonic microseconds as the current server's, with the error of the estimate; undefined without enough probes. */
  toServerUs(localUs: number): { readonly us: number; readonly errorUs: number } | undefined
  toLocalUs(serverUs: number): { readonly us: number; readonly errorUs: number } | undefined
}

/** What the agent does with its line. None of these may throw. */
export interface ServerLineHandler {
  /** The current state, asked for at each connect. */
  hello(): Hello
  /** `protocol`: the version that is spoken on this line. */
  welcomed(server: string, protocol: number): void
  /** Messages of a line that has been replaced are never handed over. Must not throw. */
  received(message: Exclude<ToAgent, { type: 'welcome' | 'clock' | 'drain' | 'servers' }>): void
  lost(why: string): void
  running(): number
}
