import { createInbox } from 'nats'
import type { NatsConnection } from 'nats'
import type { Clock, Monotonic } from '../../core/clock.ts'
import { eventMessage, progressMessage } from '../../proto/events.ts'
import type { LinkLog } from '../../proto/nats/link.ts'
import { serverInbox, storedSubject } from '../../proto/subjects.ts'
import type { DomainEvent, EventSink } from '../ports/feed.ts'

/** Events that were published and that JetStream has not acknowledged. With more of them, new ones are dropped. */
const outstandingMax = 4_096
/** With none acknowledged for so long, they are given up: their acknowledgements are lost. Milliseconds. */
const acknowledgedWithinMs = 10_000

/** Publishes events without waiting. What cannot be published now is dropped and counted: nothing depends on events. */
export class Announcer implements EventSink {
  readonly counts = { announced: 0, dropped: 0 }
  readonly #clock: Clock
  readonly #log: LinkLog
  #connection: NatsConnection | undefined
  /** Where acknowledgements come to. */
  #inbox = ''
  #outstanding = 0
  #acknowledgedAt: Monotonic

  constructor(clock: Clock, log: LinkLog) {
    this.#clock = clock
    this.#log = log
    this.#acknowledgedAt = clock.monotonic()
  }

  /** Publishes over this connection until the signal aborts. */
  publishOver(connection: NatsConnection, signal: AbortSignal): Promise<void> {
    const inbox = createInbox(serverInbox)
    connection.subscribe(inbox, {
      callback: (_, message) => this.#acknowledged(message.headers?.code === 503),
    })
    this.#connection = connection
    this.#inbox = inbox
    this.#outstanding = 0
    return new Promise((stopped) => {
      const stop = () => {
        if (this.#connection === connection) this.#connection = undefined
        stopped()
      }
      if (signal.aborted) stop()
      else signal.addEventListener('abort', stop, { once: true })
    })
  }

  announce(event: DomainEvent): void {
    const { type, project, client, run } = event
    try {
      const message = eventMessage(event, this.#clock.now())
      if (message === undefined) {
        this.counts.dropped++
        return this.#log.warn({ type, project, client, run }, 'an event has no subject')
      }
      if (!this.#hasRoom() || !this.#publish(storedSubject(message.subject), message.document, this.#inbox))
        this.counts.dropped++
      else this.#outstanding++
    } catch (err) {
      this.counts.dropped++
      this.#log.warn({ err, type, project, client, run }, 'an event could not be told')
    }
  }

  progress(...about: Parameters<EventSink['progress']>): void {
    // Nobody acknowledges progress: what the connection cannot take bounds it by the same measure.
    if (!this.#hasRoom()) return
    try {
      const { subject, document } = progressMessage(...about, this.#clock.now())
      this.#publish(subject, document)
    } catch (err) {
      this.#log.warn({ err }, 'progress could not be told')
    }
  }

  #publish(subject: string, document: object, reply?: string): boolean {
    const connection = this.#connection
    if (connection === undefined || connection.isClosed()) return false
    connection.publish(subject, JSON.stringify(document), reply === undefined ? {} : { reply })
    return true
  }

  #acknowledged(refused: boolean): void {
    this.#acknowledgedAt = this.#clock.monotonic()
    this.#outstanding = Math.max(0, this.#outstanding - 1)
    if (refused) this.counts.dropped++
    else this.counts.announced++
  }

  #hasRoom(): boolean {
    if (this.#outstanding < outstandingMax) return true
    if (this.#clock.monotonic() - this.#acknowledgedAt < acknowledgedWithinMs) return false
    this.#outstanding = 0
    return true
  }
}
