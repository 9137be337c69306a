import { execFile } from 'node:child_process'
import fs from 'node:fs'
import { Socket } from 'node:net'
import path from 'node:path'
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'
import type { ChildPipes } from './child.ts'

const run = promisify(execFile)
const makeWithinMs = 10_000

/**
 * A kernel pipe whose two ends are descriptors of this process. Node's own child pipes are sockets: a command cannot open
 * them as /dev/stdout, a writer whose reader is gone gets a reset instead of SIGPIPE, and between two commands each byte
 * would pass through the agent. A descriptor that was closed or handed over is undefined.
 */
export class Pipe implements Disposable {
  #read: number | undefined
  #write: number | undefined

  /** `lasting`: whoever has the writing end can write to it, even when no reader is left. */
  constructor(file: string, lasting: boolean) {
    // Opened for both, a FIFO lets the single ends be opened without waiting for one another.
    const both = fs.openSync(file, fs.constants.O_RDWR | fs.constants.O_NONBLOCK)
    try {
      this.#read = fs.openSync(file, fs.constants.O_RDONLY)
      this.#write = fs.openSync(file, lasting ? fs.constants.O_RDWR : fs.constants.O_WRONLY)
    } finally {
      fs.closeSync(both)
    }
  }

  get read(): number {
    return this.#read ?? -1
  }

  get write(): number {
    return this.#write ?? -1
  }

  /** Takes the reading end out as a stream, which owns it from then on. */
  reader(): Readable {
    const stream = new Socket({ fd: this.read, readable: true, writable: false })
    this.#read = undefined
    return stream
  }

  closeRead(): void {
    if (this.#read !== undefined) fs.closeSync(this.#read)
    this.#read = undefined
  }

  closeWrite(): void {
    if (this.#write !== undefined) fs.closeSync(this.#write)
    this.#write = undefined
  }

  [Symbol.dispose](): void {
    this.closeRead()
    this.closeWrite()
  }
}

/** New pipes. Their names live in `folder` only while they are opened. Throws what mkfifo or the file system says. */
export async function openPipes(count: number, folder: string, lasting = false): Promise<Pipe[]> {
  const dir = fs.mkdtempSync(path.join(folder, 'pipes-'))
  const pipes: Pipe[] = []
  try {
    const files = Array.from({ length: count }, (_, at) => path.join(dir, String(at)))
    await run('mkfifo', ['-m', '600', ...files], { timeout: makeWithinMs, killSignal: 'SIGKILL' })
    for (const file of files) pipes.push(new Pipe(file, lasting))
    return pipes
  } catch (error) {
    for (const pipe of pipes) pipe[Symbol.dispose]()
    throw error
  } finally {
    fs.rmSync(dir, { recursive: true, force: true })
  }
}

/** Pipes in stock: enough for four commands that begin at once. */
const spareMax = 8

/** Pipes made ahead of their use: mkfifo is a process of its own, and starting it takes as long as many a command. */
export class PipeStock {
  readonly #spare: Pipe[] = []
  #filling = false

  /** As `openPipes`, at once when there are as many in stock. */
  async take(count: number, folder: string): Promise<Pipe[]> {
    const pipes = this.#spare.splice(0, count)
    try {
      if (pipes.length < count) pipes.push(...(await openPipes(count - pipes.length, folder)))
      return pipes
    } catch (error) {
      for (const pipe of pipes) pipe[Symbol.dispose]()
      throw error
    }
  }

  /** Makes up for what was taken, in the background. When that fails, who takes the next ones is told. */
  refill(folder: string): void {
    const missing = spareMax - this.#spare.length
    if (this.#filling || missing <= 0) return
    this.#filling = true
    void openPipes(missing, folder)
      .then(
        (pipes) => this.#spare.push(...pipes),
        () => undefined,
      )
      .finally(() => (this.#filling = false))
  }
}

/**
 * Outputs for a child that has to outlive this process: it holds them open itself, so that it is not ended by SIGPIPE
 * before it can tidy up. Dispose it once the child is started. undefined where no pipes can be made; then it has to do
 * without.
 */
export async function lastingOutputs(
  folder: string,
): Promise<({ readonly pipes: ChildPipes } & Disposable) | undefined> {
  let stdout: Pipe | undefined, stderr: Pipe | undefined
  try {
    ;[stdout, stderr] = await openPipes(2, folder, true)
  } catch {
    return undefined
  }
  if (stdout === undefined || stderr === undefined) return undefined
  const outputs = [
    { name: 'stdout', stream: stdout.reader() },
    { name: 'stderr', stream: stderr.reader() },
  ]
  const ends = [stdout, stderr]
  return {
    pipes: { stdin: 'ignore', stdout: stdout.write, stderr: stderr.write, outputs },
    [Symbol.dispose]: () => ends.forEach((end) => end.closeWrite()),
  }
}
