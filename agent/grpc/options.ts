import type { Clock } from '../../core/clock.ts'

/** PEM texts: the CA of servers, and what this agent proves itself with. */
export interface ClientTls {
  readonly ca: string
  readonly key: string
  readonly certificate: string
}

/** How long things may take. Milliseconds. */
export interface LineTimes {
  /** From dialling to the welcome; doubled with each try that took it all, up to the second: the server has much to do then. */
  readonly welcomeMs: number
  readonly welcomeMaxMs: number
  /** The first pause after a failure; each further one doubles it, up to the second. Both are jittered. */
  readonly backoffMs: number
  readonly backoffMaxMs: number
  /** A line that lived so long was a good one: the next pause is the first again. */
  readonly steadyMs: number
  /** Between the first probes of a line. */
  readonly probeMs: number
  /** For the last messages of a line that is ended on purpose. */
  readonly partMs: number
}

/** What may wait to be taken by the connection. */
export interface LineLimits {
  readonly queueMessages: number
  readonly queueBytes: number
}

export interface ServerLineOptions {
  /** host:port of servers that take agents, as far as known; a server tells of more. */
  readonly servers: readonly string[]
  /** Asked at each connect, for certificates are renewed. 'plain' is for measurements on one machine. */
  readonly tls: (() => ClientTls) | 'plain'
  readonly clock: Clock
  /** This process's monotonic clock. Whole microseconds. */
  readonly nowUs?: () => number
  /** Told what happens to lines, for the log. Must not throw. */
  readonly report?: LineReporter
  readonly times?: Partial<LineTimes>
  readonly limits?: Partial<LineLimits>
}

export const defaultTimes: LineTimes = {
  welcomeMs: 10_000,
  welcomeMaxMs: 60_000,
  backoffMs: 100,
  backoffMaxMs: 10_000,
  steadyMs: 10_000,
  probeMs: 20,
  partMs: 1_000,
}

export const defaultLimits: LineLimits = { queueMessages: 1_000, queueBytes: 8 * 1024 * 1024 }

/** What happens to lines, by name. */
export interface LineEvents {
  'line.opened': { readonly address: string; readonly server: string }
  'line.lost': { readonly address: string; readonly why: string }
  'line.failed': { readonly address: string; readonly why: string; readonly againInMs: number }
  /** What a server sent cannot be read or done by this version. */
  'line.refused': { readonly address: string; readonly why: string }
  /** A bug of this process: a handler threw, or a message cannot be encoded. */
  'line.bug': { readonly address: string; readonly err: unknown }
}

export type LineReporter = <E extends keyof LineEvents>(event: E, fields: LineEvents[E]) => void

/** Microseconds of this process's monotonic clock. */
export const hrtimeUs = (): number => Number(process.hrtime.bigint() / 1_000n)
