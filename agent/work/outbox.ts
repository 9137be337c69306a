import type { Clock } from '../../core/clock.ts'
import type { JobId, RunId } from '../../core/ids.ts'
import type { Report } from '../../core/run.ts'
import type { OfRun, Recorder } from '../ports/events.ts'
import type { Publisher } from '../ports/publisher.ts'
import { attemptKey } from './journal-state.ts'

const retryMinMs = 250
const retryMaxMs = 30_000
/** How often `ended` is said again until a server says `committed`. Milliseconds. */
export const sayEveryMs = 30_000
/** A stored report can be lost with the broker's disk, so it is published again: after this, then twice as long, to a bound. */
const againMinMs = 2 * 60_000
const againMaxMs = 30 * 60_000
/** Reports on their way to the broker at once. */
const inFlightMax = 64

/** What the outbox needs to tell a server. */
export interface OutboxLine {
  ended(run: RunId, attempt: number): void
}

/** Reports that no server has said `committed` for: published, and published again, for as long as that takes. */
export class Outbox implements AsyncDisposable {
  readonly #publisher: Publisher
  readonly #line: OutboxLine
  readonly #clock: Clock
  readonly #record: Recorder
  readonly #waiting = new Map<string, { readonly stop: AbortController; published: boolean }>()
  readonly #loops = new Set<Promise<void>>()
  readonly #permits: Array<() => void> = []
  #inFlight = 0
  #changed = Promise.withResolvers<void>()
  /** Aborts when the broker is back. */
  #back = new AbortController()

  constructor(publisher: Publisher, line: OutboxLine, clock: Clock, record: Recorder) {
    this.#publisher = publisher
    this.#line = line
    this.#clock = clock
    this.#record = record
  }

  /** Takes a report; a second time does nothing. */
  add(job: JobId, report: Report): void {
    const key = attemptKey(report.run, report.attempt)
    if (this.#waiting.has(key)) return
    const stop = new AbortController()
    this.#waiting.set(key, { stop, published: false })
    const loop = this.#deliver(job, report, key, stop.signal)
      .catch((err: unknown) => {
        if (!stop.signal.aborted) this.#record('bug', { err, where: 'outbox' })
      })
      .finally(() => this.#loops.delete(loop))
    this.#loops.add(loop)
  }

  /** A server has it: no more is said of it. */
  committed(run: RunId, attempt: number): void {
    const key = attemptKey(run, attempt)
    this.#waiting.get(key)?.stop.abort()
    this.#waiting.delete(key)
    this.#change()
  }

  /** The broker is back: what waits for its next try need not wait any longer. */
  brokerBack(): void {
    this.#back.abort()
    this.#back = new AbortController()
  }

  /** Reports that the broker has not stored yet. */
  get unpublished(): number {
    return [...this.#waiting.values()].filter(({ published }) => !published).length
  }

  /** Resolves when the broker has stored all, or rejects with the signal's reason. */
  async flushed(signal: AbortSignal): Promise<void> {
    while (this.unpublished > 0) {
      const aborted = Promise.withResolvers<never>()
      const give = (): void => aborted.reject(signal.reason as Error)
      signal.throwIfAborted()
      signal.addEventListener('abort', give, { once: true })
      try {
        await Promise.race([this.#changed.promise, aborted.promise])
      } finally {
        signal.removeEventListener('abort', give)
      }
    }
  }

  /** Gives up for this process; the journal has what is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { stop } of this.#waiting.values()) stop.abort()
    await Promise.all(this.#loops)
  }

  async #deliver(job: JobId, report: Report, key: string, signal: AbortSignal): Promise<void> {
    const of: OfRun = { run: report.run, attempt: report.attempt, job, client: report.client }
    for (let againMs = againMinMs; !signal.aborted; againMs = Math.min(2 * againMs, againMaxMs)) {
      await this.#publish(job, report, of, signal)
      if (signal.aborted) return
      const entry = this.#waiting.get(key)
      if (entry) entry.published = true
      this.#change()
      await this.#sayFor(againMs * (0.75 + this.#clock.random() / 2), of, signal)
    }
  }

  /** Until the broker has stored it. */
  async #publish(job: JobId, report: Report, of: OfRun, signal: AbortSignal): Promise<void> {
    let pauseMs = retryMinMs
    while (!signal.aborted) {
      const retryInMs = pauseMs * (0.5 + this.#clock.random() / 2)
      try {
        await this.#permit()
        try {
          if (!signal.aborted) await this.#publisher.publish(job, report)
        } finally {
          this.#release()
        }
        return this.#record('report.published', of)
      } catch (err) {
        this.#record('report.unpublished', { ...of, err, retryInMs })
      }
      const back = this.#back.signal
      await this.#clock.sleep(retryInMs, AbortSignal.any([signal, back])).catch(() => undefined)
      pauseMs = back.aborted ? retryMinMs : Math.min(2 * pauseMs, retryMaxMs)
    }
  }

  /** Says `ended` now and then, for `ms`. */
  async #sayFor(ms: number, of: OfRun, signal: AbortSignal): Promise<void> {
    const until = this.#clock.monotonic() + ms
    for (;;) {
      this.#line.ended(of.run, of.attempt)
      const left = until - this.#clock.monotonic()
      if (left <= 0) return
      await this.#clock.sleep(Math.min(left, sayEveryMs), signal)
    }
  }

  #change(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers<void>()
  }

  async #permit(): Promise<void> {
    if (this.#inFlight < inFlightMax) {
      this.#inFlight++
      return
    }
    await new Promise<void>((resolve) => this.#permits.push(resolve))
  }

  /** The place goes to who waits longest. */
  #release(): void {
    const next = this.#permits.shift()
    if (next) next()
    else this.#inFlight--
  }
}
