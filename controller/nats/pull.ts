import { createInbox, nanos } from 'nats'
import type { Msg, NatsConnection, Subscription } from 'nats'
import { Fault } from '../../core/fault.ts'

/** A message of a stream, as a consumer hands it out. */
export interface Pulled {
  readonly subject: string
  readonly data: Uint8Array
  /** In the stream. */
  readonly sequence: number
  /** In the consumer's deliveries: counts up by one. */
  readonly delivery: number
  /** 1 for the first time that anybody gets it. */
  readonly delivered: number
  /** How many more the consumer has for now. */
  readonly pending: number
  /** Done: never again. */
  ack(): void
  /** Again, to anybody, after `ms`; 0: at once. */
  nak(ms: number): void
  /** Not readable: never again. */
  term(): void
}

export interface PullOptions {
  readonly stream: string
  readonly consumer: string
  /** Prefix of the inbox that the messages come to. */
  readonly inboxPrefix: string
  /** How many messages the receiver has room for. Asked whenever more could be requested. */
  readonly room: () => number
  readonly receive: (message: Pulled) => void
  readonly signal: AbortSignal
}

export interface Pull {
  /** The receiver has room again. */
  more(): void
  /** Resolves when the signal aborts; rejects with Fault('feed_down') when the consumer is gone or silent. */
  readonly ended: Promise<void>
}

/** JetStream answers a request that waits for messages at the latest after this. Milliseconds. */
const requestMs = 30_000
/** JetStream says this often that a request still waits. Milliseconds. */
const heartbeatMs = 5_000

/**
 * Requests messages from a pull consumer, never more at a time than the receiver has room for, so that none wait here
 * while another server could have them. nats.js's own `consume` requests the next ones when it has received, not when
 * they are done.
 */
export function pull(connection: NatsConnection, options: PullOptions): Pull {
  return new Puller(connection, options)
}

class Puller implements Pull {
  readonly ended: Promise<void>
  readonly #connection: NatsConnection
  readonly #options: PullOptions
  readonly #inbox: string
  readonly #subscription: Subscription
  readonly #finish: PromiseWithResolvers<void>
  /** Requested and neither received nor given up by JetStream. */
  #requested = 0
  #heard = true
  readonly #watch: NodeJS.Timeout

  constructor(connection: NatsConnection, options: PullOptions) {
    this.#connection = connection
    this.#options = options
    this.#inbox = createInbox(options.inboxPrefix)
    this.#finish = Promise.withResolvers()
    this.#subscription = connection.subscribe(this.#inbox, {
      callback: (error, message) => {
        if (error !== null) this.#fail('the subscription was refused', error)
        else this.#take(message)
      },
    })
    this.#watch = setInterval(() => this.#checkSilence(), 2.5 * heartbeatMs)
    const stop = () => this.#finish.resolve()
    options.signal.addEventListener('abort', stop, { once: true })
    this.ended = this.#finish.promise.finally(() => {
      options.signal.removeEventListener('abort', stop)
      clearInterval(this.#watch)
      if (!connection.isClosed()) this.#subscription.unsubscribe()
    })
    if (options.signal.aborted) stop()
    else this.more()
  }

  more(): void {
    if (this.#options.signal.aborted || this.#connection.isClosed()) return
    const room = this.#options.room()
    const batch = room - this.#requested
    // Not one by one: a request costs about as much as a message.
    if (batch <= 0 || (this.#requested > 0 && batch < room / 2)) return
    this.#requested += batch
    const request = { batch, expires: nanos(requestMs), idle_heartbeat: nanos(heartbeatMs) }
    const { stream, consumer } = this.#options
    this.#connection.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`, JSON.stringify(request), {
      reply: this.#inbox,
    })
  }

  #take(message: Msg): void {
    this.#heard = true
    if (message.subject === this.#inbox) return this.#status(message)
    const pulled = pulledOf(this.#connection, message)
    if (pulled === undefined) return
    this.#requested = Math.max(0, this.#requested - 1)
    this.#options.receive(pulled)
    this.more()
  }

  #status(message: Msg): void {
    const code = message.headers?.code ?? 0
    if (code === 100) return
    // A request is over: after its time (408), or since there are enough (409). Another one takes its place.
    const left = Number(message.headers?.get('Nats-Pending-Messages'))
    const overAnyway = code === 408 || code === 404
    if (!overAnyway && !(code === 409 && left > 0))
      return this.#fail(`JetStream says ${code} ${message.headers?.description ?? ''}`)
    this.#requested = left > 0 ? Math.max(0, this.#requested - left) : 0
    this.more()
  }

  /** Requests wait at JetStream all the time while there is room; it says so every few seconds. */
  #checkSilence(): void {
    if (this.#requested > 0 && !this.#heard) this.#fail('the consumer is silent')
    this.#heard = false
  }

  #fail(why: string, cause?: unknown): void {
    this.#finish.reject(new Fault('feed_down', `${this.#options.stream}: ${why}`, { cause }))
  }
}

/**
 * The subject for the acknowledgement tells what a message is:
 * $JS.ACK.<stream>.<consumer>.<delivered>.<sequence>.<delivery>.<nanoseconds>.<pending>, in later servers with domain and
 * account before the stream and a random token at the end.
 */
function pulledOf(connection: NatsConnection, message: Msg): Pulled | undefined {
  const tokens = message.reply?.split('.') ?? []
  if (tokens[0] !== '$JS' || tokens[1] !== 'ACK' || tokens.length < 9) return undefined
  const [delivered, sequence, delivery, , pending] = tokens.slice(tokens.length === 9 ? 4 : 6).map(Number)
  let answered = false
  const answer = (text: string) => {
    // Over a lost connection no answer goes: then the message comes again.
    if (answered || connection.isClosed()) return
    answered = true
    message.respond(text)
  }
  return {
    subject: message.subject,
    data: message.data,
    sequence: sequence ?? 0,
    delivery: delivery ?? 0,
    delivered: delivered ?? 1,
    pending: pending ?? 0,
    ack: () => answer('+ACK'),
    nak: (ms) => answer(ms > 0 ? `-NAK {"delay":${nanos(ms)}}` : '-NAK'),
    term: () => answer('+TERM'),
  }
}
