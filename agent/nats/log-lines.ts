import type { Clock } from '../../core/clock.ts'
import type { JobId, RunId } from '../../core/ids.ts'
import { linesToJson } from '../../proto/events.ts'
import type { StampedLine } from '../../proto/events.ts'
import type { LogLine } from '../ports/engine.ts'

/** Lines that wait to be sent. More are dropped and counted. */
const waitingMax = 2_000
/** Longer lines are cut. Characters. */
const lineMax = 8_192
/** Lines gather this long, so that a chatty tool makes few messages. Milliseconds. */
const gatherMs = 200
/** A message takes lines until it has so much; well below nats-server's limit of 1 MB. Characters. */
const batchMax = 65_536

/** Lines of one attempt that become one message. */
interface Batch {
  readonly job: JobId
  readonly run: RunId
  readonly attempt: number
  readonly lines: StampedLine[]
  length: number
}

/** Publishes a message and resolves when it is stored; rejects when it is not known to be. */
export type SendLines = (job: JobId, run: RunId, text: string) => Promise<void>

/**
 * Sends log lines on, best effort: gathered, one message at a time, so that a slow network slows nobody and takes no
 * memory. What does not fit is dropped, and the next message says how much that was.
 */
export class LogLines {
  readonly #clock: Clock
  readonly #send: SendLines
  readonly #stop = new AbortController()
  readonly #batches: Batch[] = []
  #waiting = 0
  #dropped = 0
  #sending: Promise<void> | undefined

  constructor(clock: Clock, send: SendLines) {
    this.#clock = clock
    this.#send = send
  }

  add(job: JobId, run: RunId, attempt: number, { level, stream, text }: LogLine): void {
    if (this.#stop.signal.aborted || this.#waiting >= waitingMax) {
      this.#dropped++
      return
    }
    this.#waiting++
    this.#append(job, run, attempt, { at: this.#clock.now(), level, stream, text: text.slice(0, lineMax) })
    this.#sending ??= this.#sendAll()
  }

  /** Takes no more, and sends what waits as long as that goes well. */
  async close(): Promise<void> {
    this.#stop.abort()
    await this.#sending
  }

  #append(job: JobId, run: RunId, attempt: number, line: StampedLine): void {
    let batch = this.#batches.at(-1)
    if (batch?.run !== run || batch.attempt !== attempt || batch.length >= batchMax) {
      batch = { job, run, attempt, lines: [], length: 0 }
      this.#batches.push(batch)
    }
    batch.lines.push(line)
    batch.length += line.text.length
  }

  async #sendAll(): Promise<void> {
    while (this.#batches.length > 0) {
      await this.#clock.sleep(gatherMs, this.#stop.signal).catch(() => undefined)
      for (let batch = this.#batches.shift(); batch !== undefined; batch = this.#batches.shift()) {
        this.#waiting -= batch.lines.length
        await this.#sendOne(batch)
      }
    }
    this.#sending = undefined
  }

  /** Lost lines are lost: the agent keeps the whole log itself. */
  async #sendOne({ job, run, attempt, lines }: Batch): Promise<void> {
    const missing = this.#dropped
    const text = `${missing} lines are missing here; the agent's own copy has them`
    const note = { at: this.#clock.now(), level: 'warn', stream: 'agent', text }
    try {
      await this.#send(job, run, linesToJson(run, attempt, missing === 0 ? lines : [note, ...lines]))
      this.#dropped -= missing
    } catch {
      this.#dropped += lines.length
      // Nobody waits any longer for what does not work.
      if (this.#stop.signal.aborted) this.#batches.length = 0
    }
  }
}
