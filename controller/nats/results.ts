import type { NatsConnection } from 'nats'
import type { Clock } from '../../core/clock.ts'
import { isFault } from '../../core/fault.ts'
import type { LinkLog } from '../../proto/nats/link.ts'
import { parseSubject, resultConsumer, serverInbox, streams } from '../../proto/subjects.ts'
import { reportFromJson } from '../../proto/wire.ts'
import type { Delivery, ReportHandler } from '../ports/feed.ts'
import { pull } from './pull.ts'
import type { Pull, Pulled } from './pull.ts'

export interface ResultsOptions {
  readonly handle: ReportHandler
  /** Calls of `handle` under way at most. */
  readonly atOnce: number
  readonly clock: Clock
  readonly log: LinkLog
}

/** The first pause before a report whose handling failed comes again, and the longest. Milliseconds. */
const againMinMs = 250
const againMaxMs = 60_000

/**
 * Takes reports from JetStream and hands them on, some at once. As many again wait here, so that none of the handling
 * time goes by without work. A report is acknowledged after it was handled, never before.
 */
export class Results {
  readonly #options: ResultsOptions
  readonly #waiting: Pulled[] = []
  #source: Pull | undefined
  #underWay = 0
  /** What is taken here, for the shutdown to wait for. */
  #idle = Promise.withResolvers<void>()
  #stopping = false
  readonly counts = { handled: 0, failed: 0, poison: 0 }
  #consuming = false

  constructor(options: ResultsOptions) {
    this.#options = options
  }

  get consuming(): boolean {
    return this.#consuming
  }

  /** Consumes over this connection until the signal aborts. Rejects with Fault('feed_down') when it cannot. */
  async consume(connection: NatsConnection, signal: AbortSignal): Promise<void> {
    // What an earlier connection brought is handled again by whoever gets it next; its acknowledgement would go nowhere.
    this.#waiting.length = 0
    const source = pull(connection, {
      stream: streams.results.name,
      consumer: resultConsumer,
      inboxPrefix: serverInbox,
      room: () => (this.#stopping ? 0 : 2 * this.#options.atOnce - this.#underWay - this.#waiting.length),
      receive: (message) => {
        if (this.#stopping) return message.nak(0)
        this.#waiting.push(message)
        this.#handleWaiting()
      },
      signal,
    })
    this.#source = source
    this.#consuming = true
    try {
      await source.ended
    } finally {
      this.#consuming = false
    }
  }

  /** Takes no more, gives back what waits, and resolves when what is under way is done. */
  async drain(): Promise<void> {
    this.#stopping = true
    for (const message of this.#waiting.splice(0)) message.nak(0)
    if (this.#underWay > 0) await this.#idle.promise
  }

  #handleWaiting(): void {
    while (this.#underWay < this.#options.atOnce) {
      const message = this.#waiting.shift()
      if (message === undefined) return
      this.#underWay++
      void this.#take(message).finally(() => {
        this.#underWay--
        this.#handleWaiting()
        this.#source?.more()
        if (this.#underWay === 0 && this.#stopping) this.#idle.resolve()
      })
    }
  }

  async #take(message: Pulled): Promise<void> {
    const delivery = this.#read(message)
    if (delivery === undefined) {
      this.counts.poison++
      return message.term()
    }
    try {
      await this.#options.handle(delivery)
      this.counts.handled++
      message.ack()
    } catch (err) {
      this.counts.failed++
      const againInMs = this.#againAfterMs(message.delivered)
      const { project, client, report } = delivery
      this.#options.log.warn(
        {
          err,
          project,
          client,
          run: report.run,
          attempt: report.attempt,
          delivered: message.delivered,
          againInMs,
        },
        'a report could not be handled yet',
      )
      message.nak(againInMs)
    }
  }

  /** Undefined, and a word in the log, when it cannot be what an agent may say. */
  #read(message: Pulled): Delivery | undefined {
    const { log } = this.#options
    const facts = { subject: message.subject, sequence: message.sequence, bytes: message.data.length }
    const subject = parseSubject(message.subject)
    if (subject?.about !== 'run') {
      log.warn(facts, 'dropped a report on a subject of another form')
      return undefined
    }
    try {
      const report = reportFromJson(Buffer.from(message.data).toString())
      const { project, client } = subject
      if (report.client === client) return { project, client, report, delivered: message.delivered }
      log.warn({ ...facts, client, says: report.client }, 'dropped a report that speaks for another client')
    } catch (err) {
      log.warn({ ...facts, err: isFault(err) ? err.message : err }, 'dropped a report that is unreadable')
    }
    return undefined
  }

  #againAfterMs(delivered: number): number {
    const full = Math.min(againMaxMs, againMinMs * 2 ** Math.min(delivered - 1, 16))
    return Math.round(full * (0.5 + this.#options.clock.random() / 2))
  }
}
