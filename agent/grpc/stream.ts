import type { StatusObject } from '@grpc/grpc-js'
import type { Clock } from '../../core/clock.ts'
import { Fault } from '../../core/fault.ts'
import type { ClockReading, Hello, ToAgent, ToServer } from '../../core/link.ts'
import { serverKnows, type Protocols } from '../../core/protocol.ts'
import { encodeToServer, messageBytesMax, type Received } from '../../proto/line.ts'
import type { ServerCall } from './dial.ts'
import type { LineLimits, LineTimes } from './options.ts'

type Welcome = Extract<ToAgent, { type: 'welcome' }>
type Order = Extract<Received<ToAgent>, { ok: false }>['order']

/** What a stream needs of its owner. None of these may throw. */
export interface StreamOwner {
  readonly clock: Clock
  readonly times: LineTimes
  readonly limits: LineLimits
  nowUs(): number
  running(): number
  welcomed(welcome: Welcome): void
  received(message: Exclude<ToAgent, { type: 'welcome' | 'clock' }>): void
  reading(reading: ClockReading, receivedUs: number): void
  /** A message that this version cannot read or do. */
  refused(fault: Fault): void
  bug(error: unknown): void
}

/** How many probes a new line sends in a row: the offset's error falls with the shortest of them. */
const firstProbes = 16
/** Beats whose answers are waited for; older ones are lost. */
const unansweredMax = 32
/** A server may ask for odd times; these are kept between bounds. Milliseconds. */
const beatBounds = { min: 10, max: 60_000 } as const
/** At most this part of a beat's time is left out by chance, so that the beats of many agents spread. */
const beatJitter = 0.2

/** One stream to one server, from its hello to its end. */
export class Stream {
  /** Why it ended. Resolves always, and only once `end` or the server ended it. */
  readonly ended: Promise<string>
  readonly #call: ServerCall
  readonly #own: Protocols
  readonly #owner: StreamOwner
  readonly #over = new AbortController()
  readonly #resolveEnded: (why: string) => void
  readonly #queued = { messages: 0, bytes: 0 }
  /** Sequence numbers of beats under way, with when they were sent. */
  readonly #unanswered = new Map<number, number>()
  /** Agreed on by hello and welcome. */
  #protocol: number | undefined
  #heardMs

  constructor(call: ServerCall, hello: Hello, owner: StreamOwner) {
    const { promise, resolve } = Promise.withResolvers<string>()
    this.ended = promise
    this.#resolveEnded = resolve
    this.#call = call
    this.#own = hello.protocol
    this.#owner = owner
    this.#heardMs = owner.clock.monotonic()
    call.on('data', (received: Received<ToAgent>) => this.#take(received))
    // Every end comes as a status, too.
    call.on('error', () => undefined)
    call.on('status', ({ details, code }: StatusObject) => this.#end(details || `status ${code}`))
    call.on('end', () => this.#end('the server ended the stream'))
    this.#write({ type: 'hello', hello })
    void this.#awaitWelcome()
  }

  /** The protocol that hello and welcome agreed on; undefined when it is not open. */
  get protocol(): number | undefined {
    return this.#protocol
  }

  /**
   * `false` when it is not open, when the agreed protocol does not have the message (a bug), or when too much waits already;
   * the last ends it, for only a new hello tells what was lost.
   */
  send(message: ToServer): boolean {
    if (this.#protocol === undefined) return false
    if (!serverKnows(message, this.#protocol)) return this.#unknown(message, this.#protocol)
    const { queueMessages, queueBytes } = this.#owner.limits
    // Progress is the first to go: the next one says more.
    const room = message.type === 'progress' ? 0.5 : 1
    if (this.#queued.messages < queueMessages * room && this.#queued.bytes < queueBytes * room)
      return this.#write(message)
    if (message.type !== 'progress') this.#end('the server does not read what it is sent')
    return false
  }

  #unknown({ type }: ToServer, protocol: number): false {
    this.#owner.bug(new Fault('unsupported', `${type} is no message of protocol ${protocol}`))
    return false
  }

  /** Says bye and waits until the server has heard it, or a while. */
  async part(reason: string): Promise<void> {
    if (!this.#isOpen) return this.#end(reason)
    this.#write({ type: 'bye', reason })
    this.#call.end()
    await Promise.race([this.ended, this.#after(this.#owner.times.partMs)])
    this.#end(reason)
  }

  get #isOpen(): boolean {
    return this.#protocol !== undefined
  }

  #end(why: string): void {
    this.#protocol = undefined
    if (this.#over.signal.aborted) return
    this.#over.abort(new Fault('cancelled', why))
    this.#resolveEnded(why)
  }

  async #awaitWelcome(): Promise<void> {
    await this.#after(this.#owner.times.welcomeMs)
    if (!this.#isOpen) this.#end('no welcome in time')
  }

  /** Resolves after a time or at the stream's end. */
  async #after(ms: number): Promise<void> {
    try {
      await this.#owner.clock.sleep(ms, this.#over.signal)
    } catch (error) {
      if (!this.#over.signal.aborted) throw error
    }
  }

  #take(received: Received<ToAgent>): void {
    const receivedUs = this.#owner.nowUs()
    if (this.#over.signal.aborted) return
    this.#heardMs = this.#owner.clock.monotonic()
    if (!received.ok) return this.#refuse(received.fault, received.order)
    const { message } = received
    if (message.type === 'welcome') return this.#welcome(message)
    if (!this.#isOpen) return this.#end('the server does not begin with a welcome')
    if (message.type === 'clock') return this.#readClock(message.reading, receivedUs)
    this.#owner.received(message)
  }

  #welcome(welcome: Welcome): void {
    if (this.#isOpen) return this.#end('a second welcome')
    if (welcome.protocol > this.#own.to || welcome.protocol < this.#own.from)
      return this.#end(`the server chose protocol ${welcome.protocol}`)
    this.#protocol = welcome.protocol
    this.#owner.welcomed(welcome)
    void this.#beat(welcome)
  }

  /** An order that cannot be read is refused, so that its run ends with the reason; anything else ends the line. */
  #refuse(fault: Fault, order: Order): void {
    this.#owner.refused(fault)
    if (!order || !this.#isOpen) return this.#end(fault.message)
    const reason = { code: fault.code, text: fault.message }
    this.send({ type: 'refused', ...order, reason, final: true })
  }

  #readClock(reading: ClockReading, receivedUs: number): void {
    const sentUs = this.#unanswered.get(reading.sequence)
    this.#unanswered.delete(reading.sequence)
    if (sentUs === reading.agentSentUs) this.#owner.reading(reading, receivedUs)
  }

  async #beat({ beatMs, silenceMs }: Welcome): Promise<void> {
    const { clock, times } = this.#owner
    const pauseMs = Math.min(Math.max(beatMs, beatBounds.min), beatBounds.max)
    for (let sequence = 1; !this.#over.signal.aborted; sequence++) {
      if (clock.monotonic() - this.#heardMs > Math.max(silenceMs, 2 * pauseMs))
        return this.#end('the server is silent')
      this.#sendBeat(sequence)
      await this.#after(sequence < firstProbes ? times.probeMs : pauseMs * (1 - beatJitter * clock.random()))
    }
  }

  #sendBeat(sequence: number): void {
    const agentSentUs = this.#owner.nowUs()
    this.#unanswered.set(sequence, agentSentUs)
    this.#unanswered.delete(sequence - unansweredMax)
    this.send({ type: 'beat', sequence, agentSentUs, running: this.#owner.running() })
  }

  #write(message: ToServer): boolean {
    const bytes = this.#encoded(message)
    if (bytes === undefined || this.#over.signal.aborted) return false
    this.#queued.messages++
    this.#queued.bytes += bytes.length
    this.#call.write(bytes, () => {
      this.#queued.messages--
      this.#queued.bytes -= bytes.length
    })
    return true
  }

  #encoded(message: ToServer): Buffer | undefined {
    try {
      const bytes = encodeToServer(message)
      if (bytes.length <= messageBytesMax) return bytes
      if (message.type === 'answer') return encodeToServer(tooLarge(message.answer.id))
      throw new Fault('too_much', `a message of type ${message.type} has ${bytes.length} bytes`)
    } catch (error) {
      this.#owner.bug(error)
      return undefined
    }
  }
}

const tooLarge = (id: string): ToServer => ({
  type: 'answer',
  answer: {
    id,
    ok: false,
    reason: { code: 'too_much', text: 'the listing is too large: ask for fewer entries' },
  },
})
