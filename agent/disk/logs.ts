import fs from 'node:fs'
import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { isoOf, type Clock } from '../../core/clock.ts'
import type { RunId } from '../../core/ids.ts'
import type { LogLine } from '../ports/engine.ts'
import type { RunLog, RunLogs } from '../ports/run-logs.ts'

export interface LogBounds {
  /** All logs together. Bytes. */
  readonly totalMax: number
  /** Days. */
  readonly ageMax: number
}

/** One log takes at most this share of all, so that a single noisy run does not push out the others'. */
const shareMax = 1 / 8
/** Lines that wait for the disk; more are dropped. Bytes. */
const bufferMax = 1024 * 1024
/** How often the bounds are looked after when runs come. Milliseconds. */
const sweepEveryMs = 10 * 60_000
const dayMs = 24 * 3_600_000

/** A file of JSON lines for each attempt: `at`, `level`, `stream`, `text`. */
export class LogFolder implements RunLogs {
  readonly #folder: string
  readonly #bounds: LogBounds
  readonly #clock: Clock
  readonly #open = new Set<LogFile>()
  #sweptAt = -Infinity
  #sweeping: Promise<void> = Promise.resolve()

  constructor(folder: string, bounds: LogBounds, clock: Clock) {
    this.#folder = folder
    this.#bounds = bounds
    this.#clock = clock
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 })
  }

  open(run: RunId, attempt: number): RunLog {
    this.#sweepNowAndThen()
    const file = path.join(this.#folder, `${run}.${attempt}.log`)
    const log = new LogFile(file, this.#bounds.totalMax * shareMax, this.#clock, () => this.#open.delete(log))
    this.#open.add(log)
    return log
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const open = [...this.#open]
    for (const log of open) log[Symbol.dispose]()
    await Promise.all([this.#sweeping, ...open.map((log) => log.closed)])
  }

  #sweepNowAndThen(): void {
    if (this.#clock.monotonic() - this.#sweptAt < sweepEveryMs) return
    this.#sweptAt = this.#clock.monotonic()
    this.#sweeping = sweep(this.#folder, this.#bounds, this.#clock).catch(() => undefined)
  }
}

/** Removes what is too old, then the oldest until the rest fits. */
export async function sweep(folder: string, bounds: LogBounds, clock: Clock): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const names = (await readdir(folder)).filter((name) => name.endsWith('.log'))
  const files = await Promise.all(
    names.map(async (name) => {
      const file = path.join(folder, name)
      const { size, mtimeMs } = await stat(file)
      return { file, size, mtimeMs }
    }),
  )
  files.sort((a, b) => b.mtimeMs - a.mtimeMs)
  let total = 0
  for (const { file, size, mtimeMs } of files) {
    total += size
    const tooOld = clock.now() - mtimeMs > bounds.ageMax * dayMs
    if (tooOld || total > bounds.totalMax) await rm(file, { force: true })
  }
}

/** The file comes into being with its first line: most short commands say nothing. */
class LogFile implements RunLog {
  /** Resolves when all is written, or cannot be. */
  readonly closed: Promise<void>
  readonly #closed = Promise.withResolvers<void>()
  readonly #file: string
  readonly #clock: Clock
  #stream: fs.WriteStream | undefined
  #left: number
  #dropped = 0
  #over = false

  constructor(file: string, sizeMax: number, clock: Clock, done: () => void) {
    this.#file = file
    this.#clock = clock
    this.#left = sizeMax
    this.closed = this.#closed.promise.then(done)
  }

  write(line: LogLine): void {
    if (this.#over) return
    const text = `${JSON.stringify({ at: isoOf(this.#clock.now()), ...line })}\n`
    this.#stream ??= this.#begin()
    if (this.#left < text.length || this.#stream.writableLength > bufferMax) {
      this.#dropped++
      return
    }
    this.#left -= text.length
    this.#stream.write(text)
  }

  #begin(): fs.WriteStream {
    const stream = fs.createWriteStream(this.#file, { flags: 'a', mode: 0o600 })
    // A log that cannot be written must not end a backup.
    stream.on('error', () => (this.#over = true))
    stream.once('close', () => this.#closed.resolve())
    return stream
  }

  [Symbol.dispose](): void {
    if (!this.#stream) this.#closed.resolve()
    if (!this.#over && this.#dropped > 0)
      this.#stream?.write(`${JSON.stringify({ at: isoOf(this.#clock.now()), dropped: this.#dropped })}\n`)
    this.#over = true
    this.#stream?.end()
  }
}
