/** A stream that text is written to. */
export interface Sink {
  /** Never throws; what cannot be written any more is dropped. */
  write(text: string): void
  readonly isTTY: boolean
  readonly columns: number | undefined
  readonly rows: number | undefined
}

/** How long the command line waits for what. Milliseconds; tests shorten it. */
export interface Pace {
  /** Between two looks at something that is waited for, while events are silent. */
  readonly pollMs: number
  /** The longest such pause, reached while events arrive and looks find nothing new. */
  readonly pollMaxMs: number
  /** Before a request that broke is sent again for the first time. */
  readonly retryMs: number
  /** The first and the longest pause before connecting again. */
  readonly reconnectMs: number
  readonly reconnectMaxMs: number
  /** A server that is away for longer while something is waited for is given up. */
  readonly patienceMs: number
  /** Without `--follow`, events are all there once nothing came for so long. */
  readonly quietMs: number
}

/** The pace for people. */
export const usualPace: Pace = {
  pollMs: 2000,
  pollMaxMs: 10_000,
  retryMs: 200,
  reconnectMs: 250,
  reconnectMaxMs: 5000,
  patienceMs: 120_000,
  quietMs: 1000,
}

/** The world around a command: the process in earnest, values in a test. */
export interface Io {
  readonly stdin: AsyncIterable<string | Uint8Array>
  readonly stdout: Sink
  readonly stderr: Sink
  readonly env: Readonly<Record<string, string | undefined>>
  /** The user's home directory. */
  readonly home: string
  /** Aborts with an Interrupted as its reason. */
  readonly signal: AbortSignal
  /** Aborts when nobody reads the output any more. */
  readonly closed: AbortSignal
  readonly pace: Pace
}
