import type { ServerId } from '../../core/ids.ts'
import type { Protocols } from '../../core/protocol.ts'
import type { LineHandler } from '../ports/lines.ts'

/** PEM texts. */
export interface ServerTls {
  /** Whose certificates agents must show. */
  readonly ca: string
  readonly key: string
  readonly certificate: string
}

/** How long things may take. Milliseconds. */
export interface LineTimes {
  /** How often agents are told to send a beat. */
  readonly beatMs: number
  /** Three missed beats: one long pause of either process must not end a line. */
  readonly silenceMs: number
  /** From a stream's start to its hello. */
  readonly helloMs: number
  /** How long a peer may take to let go of a stream that was ended; then its connection is cut. */
  readonly partMs: number
  /** Agents leave a draining server at random moments within this time. */
  readonly drainMs: number
}

/** How much one agent may make this process hold. */
export interface LineLimits {
  /** Messages and bytes that wait to be read by one agent. */
  readonly queueMessages: number
  readonly queueBytes: number
  /** Messages of one agent in a second; faster ones are left on the wire. */
  readonly receivedPerSecond: number
  /** TCP connections at once. */
  readonly connections: number
}

export interface AgentLinesOptions {
  /** This process, as agents know it. */
  readonly server: ServerId
  readonly handler: LineHandler
  /** Port 0: any free one. */
  readonly listen: { readonly host: string; readonly port: number }
  /** 'plain' believes each hello and is for measurements: it listens on loopback only. */
  readonly tls: ServerTls | 'plain'
  /** Told what happens to lines, for the log. Must not throw. */
  readonly report: LineReporter
  /** This process's monotonic clock. Whole microseconds. */
  readonly nowUs?: () => number
  /** What it speaks, when that is not what the release does: a test meets releases that are to come. */
  readonly protocols?: Protocols
  readonly times?: Partial<LineTimes>
  readonly limits?: Partial<LineLimits>
}

export const defaultTimes: LineTimes = {
  beatMs: 5_000,
  silenceMs: 15_000,
  helloMs: 10_000,
  partMs: 1_000,
  drainMs: 5_000,
}

export const defaultLimits: LineLimits = {
  // A full session start sends an agent a handful of messages; a thousand unread ones are a dead reader.
  queueMessages: 1_000,
  queueBytes: 8 * 1024 * 1024,
  receivedPerSecond: 2_000,
  connections: 20_000,
}

/** What happens to lines, by name. */
export interface LineEvents {
  'line.opened': {
    readonly project: string
    readonly client: string
    readonly peer: string
    readonly version: string
  }
  'line.closed': {
    readonly project: string
    readonly client: string
    readonly why: string
    readonly text: string
  }
  /** A stream or a connection that never became a line. */
  'line.refused': { readonly peer: string; readonly text: string }
  /** A bug of this process: a handler threw, or a message could not be encoded or is too large. */
  'line.bug': { readonly project: string; readonly client: string; readonly err: unknown }
}

export type LineReporter = <E extends keyof LineEvents>(event: E, fields: LineEvents[E]) => void

/** Microseconds of this process's monotonic clock. */
export const hrtimeUs = (): number => Number(process.hrtime.bigint() / 1_000n)
