// Runs `firn` inside a test.
import { Interrupted } from '../failure.ts'
import type { Io, Pace } from '../io.ts'
import { runProgram } from '../program.ts'

/** How a test calls it. */
export interface Call {
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly stdin?: string
  /** Where the configuration would be; nowhere when left out. */
  readonly home?: string
  /** Columns of a terminal; no terminal when left out. */
  readonly columns?: number
  readonly pace?: Partial<Pace>
}

/** A call under way. */
export interface Running {
  readonly exit: Promise<number>
  stdout(): string
  stderr(): string
  /** Ctrl-C. */
  interrupt(): void
  /** The reader of standard output goes away. */
  close(): void
}

/** A pace for tests: waits are as short as they can be without keeping the machine busy. */
const testPace: Pace = {
  pollMs: 50,
  pollMaxMs: 100,
  retryMs: 5,
  reconnectMs: 10,
  reconnectMaxMs: 50,
  patienceMs: 5000,
  quietMs: 100,
}

/** Starts a command line. */
export function startFirn(argv: readonly string[], call: Call = {}): Running {
  const written = { stdout: '', stderr: '' }
  const stop = new AbortController()
  const closed = new AbortController()
  const sink = (name: 'stdout' | 'stderr') => ({
    write: (text: string) => {
      if (name === 'stderr' || !closed.signal.aborted) written[name] += text
    },
    isTTY: call.columns !== undefined,
    columns: call.columns,
    rows: 24,
  })
  const io: Io = {
    stdin: (async function* () {
      yield call.stdin ?? ''
    })(),
    stdout: sink('stdout'),
    stderr: sink('stderr'),
    env: call.env ?? {},
    home: call.home ?? '/nonexistent',
    signal: stop.signal,
    closed: closed.signal,
    pace: { ...testPace, ...call.pace },
  }
  return {
    exit: runProgram(argv, io),
    stdout: () => written.stdout,
    stderr: () => written.stderr,
    interrupt: () => stop.abort(new Interrupted('SIGINT')),
    close: () => closed.abort(),
  }
}

/** Runs a command line to its end. */
export async function firn(argv: readonly string[], call: Call = {}) {
  const running = startFirn(argv, call)
  const code = await running.exit
  return { code, stdout: running.stdout(), stderr: running.stderr() }
}
