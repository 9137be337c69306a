// The process around `runProgram`: its streams, its signals and its end.
import os from 'node:os'
import { Interrupted } from './failure.ts'
import { usualPace, type Sink } from './io.ts'
import { runProgram } from './program.ts'

const closed = new AbortController()
const stop = new AbortController()

/** A reader that went away (`firn run ls | head -1`) is no error: what is left is not written. */
function sink(stream: NodeJS.WriteStream): Sink {
  let isOpen = true
  stream.on('error', () => {
    isOpen = false
    if (stream === process.stdout) closed.abort()
  })
  return {
    write: (text) => {
      if (isOpen) stream.write(text)
    },
    get isTTY() {
      return stream.isTTY
    },
    get columns() {
      return stream.columns
    },
    get rows() {
      return stream.rows
    },
  }
}

// Launched parts listen for signals themselves: only a command that asks for the signal is stopped by it.
function stopSignal(): AbortSignal {
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(name, () => stop.abort(new Interrupted(name)))
  }
  return stop.signal
}

const flushed = (stream: NodeJS.WriteStream) =>
  new Promise<void>((done) => {
    if (stream.writableLength === 0 || stream.destroyed) done()
    else stream.write('', () => done())
  })

let signal: AbortSignal | undefined
const code = await runProgram(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: sink(process.stdout),
  stderr: sink(process.stderr),
  env: process.env,
  home: os.homedir(),
  get signal() {
    signal ??= stopSignal()
    return signal
  },
  closed: closed.signal,
  pace: usualPace,
})
await Promise.all([flushed(process.stdout), flushed(process.stderr)])
process.exit(code)
