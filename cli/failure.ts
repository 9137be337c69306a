/** How `firn` ends: documented in docs/cli.md, for scripts. */
export const EXIT = {
  ok: 0,
  /** The work that was waited for failed, or something unexpected happened. */
  failed: 1,
  /** The command line, or a file given to it, is wrong: nothing was done. */
  usage: 2,
  /** The work ended, but some sources could not be read. */
  partial: 3,
  notFound: 4,
  /** No valid token, or one whose role may not do this. */
  denied: 5,
  /** The server cannot be reached, took too long, or cannot serve now. */
  unreachable: 6,
  /** The state does not allow it: it exists already, is busy, or its agent is offline. */
  conflict: 7,
  interrupted: 130,
} as const

/** An error that is told in one line, and what to do next in another. Holds no secret. */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly exit: number
  readonly hint: string | undefined
  /** The HTTP status behind it, when there is one. */
  readonly status: number | undefined

  constructor(
    exit: number,
    message: string,
    options: { readonly hint?: string | undefined; readonly status?: number; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.exit = exit
    this.hint = options.hint
    this.status = options.status
  }
}

/** A mistake in the command line or in a file that it names. */
export const usage = (message: string, hint?: string): Failure => new Failure(EXIT.usage, message, { hint })

/** The reason that a signal to stop carries: Ctrl-C, or a polite kill. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
  readonly exit: number

  constructor(signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP') {
    super(`interrupted by ${signal}`)
    // As shells report it: 128 and the signal's number.
    this.exit = { SIGINT: EXIT.interrupted, SIGTERM: 143, SIGHUP: 129 }[signal]
  }
}

/** The exit code of a run's or a set's result. */
export function exitOf(result: string | undefined): number {
  if (result === 'success') return EXIT.ok
  return result === 'partial' ? EXIT.partial : EXIT.failed
}
