import { Fault } from '../../core/fault.ts'
import type { ClockReading, ToAgent, ToServer } from '../../core/link.ts'
import { toOther, toOwn, withReading, type Sample } from '../../core/offset.ts'
import type { ServerLine, ServerLineHandler } from '../ports/line.ts'
import { Addresses } from './addresses.ts'
import { backoffMs } from './backoff.ts'
import { dial } from './dial.ts'
import {
  defaultLimits,
  defaultTimes,
  hrtimeUs,
  type LineReporter,
  type ServerLineOptions,
} from './options.ts'
import { Stream, type StreamOwner } from './stream.ts'

export type { ClientTls, LineEvents, ServerLineOptions } from './options.ts'

type Received = Exclude<ToAgent, { type: 'welcome' | 'clock' }>

/**
 * Keeps one line to one of several servers, for as long as the agent lives: after a failure it tries the next one, with a
 * jittered pause of 100 ms to 10 s; when its server drains it moves at a random moment of the time given. Disposing says bye.
 */
export function connectToServers(options: ServerLineOptions, handler: ServerLineHandler): ServerLine {
  return new Lines(options, handler)
}

class Lines implements ServerLine {
  readonly #options: ServerLineOptions
  readonly #handler: ServerLineHandler
  readonly #times
  readonly #limits
  readonly #nowUs: () => number
  readonly #report: LineReporter
  readonly #addresses: Addresses
  readonly #stop = new AbortController()
  readonly #running: Promise<void>
  readonly #waiting = new Set<() => void>()
  /** The open line; undefined between lines. */
  #stream: Stream | undefined
  #server = ''
  #samples: readonly Sample[] = []
  /** How long a welcome is waited for now. Milliseconds. */
  #welcomeMs: number

  constructor(options: ServerLineOptions, handler: ServerLineHandler) {
    this.#options = options
    this.#handler = handler
    this.#times = { ...defaultTimes, ...options.times }
    this.#limits = { ...defaultLimits, ...options.limits }
    this.#welcomeMs = this.#times.welcomeMs
    this.#nowUs = options.nowUs ?? hrtimeUs
    this.#report = options.report ?? (() => undefined)
    this.#addresses = new Addresses(options.servers, () => options.clock.random())
    this.#running = this.#run()
  }

  get protocol(): number | undefined {
    return this.#stream?.protocol
  }

  send(message: Exclude<ToServer, { type: 'hello' | 'beat' }>): boolean {
    return this.#stream?.send(message) ?? false
  }

  async open(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#stream !== undefined) return
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const aborted = () => reject(signal.reason as Error)
    signal.addEventListener('abort', aborted, { once: true })
    this.#waiting.add(resolve)
    try {
      await promise
    } finally {
      this.#waiting.delete(resolve)
      signal.removeEventListener('abort', aborted)
    }
  }

  toServerUs(localUs: number) {
    return toOther(this.#samples, localUs)
  }

  toLocalUs(serverUs: number) {
    return toOwn(this.#samples, serverUs)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Fault('stopping', 'the agent stops'))
    await this.#running
  }

  async #run(): Promise<void> {
    const { clock } = this.#options
    let failures = 0
    while (!this.#stop.signal.aborted) {
      const address = this.#addresses.next()
      const from = clock.monotonic()
      const end = address === undefined ? notTried : await this.#connect(address)
      const steady = end.welcomed && clock.monotonic() - from >= this.#times.steadyMs
      failures = steady ? 0 : failures
      if (this.#stop.signal.aborted || (end.moved && steady)) continue
      failures++
      const { backoffMs: first, backoffMaxMs: max } = this.#times
      const againInMs = backoffMs(failures, first, max, clock.random())
      this.#report('line.failed', { address: address ?? '', why: end.why, againInMs })
      await this.#pause(againInMs)
    }
  }

  async #pause(ms: number): Promise<void> {
    try {
      await this.#options.clock.sleep(ms, this.#stop.signal)
    } catch (error) {
      if (!this.#stop.signal.aborted) throw error
    }
  }

  /** One line to one server, from dialling to its end. Never throws. */
  async #connect(address: string): Promise<LineEnd> {
    let dialled
    try {
      const { tls } = this.#options
      dialled = dial(address, tls === 'plain' ? tls : tls())
    } catch (error) {
      return { why: error instanceof Error ? error.message : String(error), welcomed: false, moved: false }
    }
    const life: LineLife = { address, welcomed: false, drained: false, leaving: new AbortController() }
    try {
      const stream: Stream = new Stream(
        dialled.call,
        this.#handler.hello(),
        this.#ownerFor(life, () => stream),
      )
      return await this.#live(stream, life)
    } catch (err) {
      this.#report('line.bug', { address, err })
      return { welcomed: life.welcomed, moved: false, why: 'a bug' }
    } finally {
      dialled.close()
    }
  }

  async #live(stream: Stream, life: LineLife): Promise<LineEnd> {
    const from = this.#options.clock.monotonic()
    const leave = AbortSignal.any([this.#stop.signal, life.leaving.signal])
    const asked = Promise.withResolvers<undefined>()
    const ask = () => asked.resolve(undefined)
    leave.addEventListener('abort', ask)
    const why = await Promise.race([stream.ended, asked.promise])
    leave.removeEventListener('abort', ask)
    if (this.#stream === stream) this.#stream = undefined
    life.leaving.abort()
    this.#learnPatience(life, this.#options.clock.monotonic() - from)
    if (why === undefined) {
      await stream.part(this.#stop.signal.aborted ? 'the agent stops' : 'moves to another server')
      if (!this.#stop.signal.aborted) this.#lost(life, 'moves to another server')
    } else {
      this.#lost(life, why)
    }
    return { welcomed: life.welcomed, moved: why === undefined, why: why ?? 'moved to another server' }
  }

  /** When thousands come back to one server it takes a minute to greet them all: to give up and come anew would only add to that. */
  #learnPatience({ welcomed }: LineLife, tookMs: number): void {
    const { welcomeMs, welcomeMaxMs } = this.#times
    if (welcomed) this.#welcomeMs = welcomeMs
    else if (tookMs >= this.#welcomeMs) this.#welcomeMs = Math.min(2 * this.#welcomeMs, welcomeMaxMs)
  }

  #lost({ address, welcomed }: LineLife, why: string): void {
    if (!welcomed) return
    this.#report('line.lost', { address, why })
    this.#guarded(address, () => this.#handler.lost(why))
  }

  #ownerFor(life: LineLife, stream: () => Stream): StreamOwner {
    const { address } = life
    return {
      clock: this.#options.clock,
      times: { ...this.#times, welcomeMs: this.#welcomeMs },
      limits: this.#limits,
      nowUs: this.#nowUs,
      running: () => this.#handler.running(),
      welcomed: ({ server, protocol }) => {
        life.welcomed = true
        this.#stream = stream()
        if (server !== this.#server) this.#samples = []
        this.#server = server
        this.#report('line.opened', { address, server })
        this.#guarded(address, () => this.#handler.welcomed(server, protocol))
        for (const resolve of this.#waiting) resolve()
      },
      received: (message) => {
        if (this.#stream === stream()) this.#received(life, message)
      },
      reading: (reading: ClockReading, receivedUs) => {
        this.#samples = withReading(this.#samples, reading, receivedUs)
      },
      refused: (fault) => this.#report('line.refused', { address, why: fault.message }),
      bug: (err) => this.#report('line.bug', { address, err }),
    }
  }

  #received(life: LineLife, message: Received): void {
    if (message.type === 'servers') this.#addresses.replace(message.addresses, life.address)
    else if (message.type === 'drain') void this.#move(life, message.withinMs)
    else this.#guarded(life.address, () => this.#handler.received(message))
  }

  /** Leaves a draining server, at a moment that differs from the other agents'. */
  async #move(life: LineLife, withinMs: number): Promise<void> {
    if (life.drained) return
    life.drained = true
    const { clock } = this.#options
    const over = AbortSignal.any([this.#stop.signal, life.leaving.signal])
    try {
      await clock.sleep(withinMs * clock.random(), over)
      life.leaving.abort()
    } catch (err) {
      if (!over.aborted) this.#report('line.bug', { address: life.address, err })
    }
  }

  #guarded(address: string, what: () => void): void {
    try {
      what()
    } catch (err) {
      this.#report('line.bug', { address, err })
    }
  }
}

/** What becomes of one line. */
interface LineLife {
  readonly address: string
  welcomed: boolean
  /** Its server asked to be left. */
  drained: boolean
  /** Aborts when it is to be left, and when it is over. */
  readonly leaving: AbortController
}

interface LineEnd {
  readonly why: string
  readonly welcomed: boolean
  /** It was left for another server, not lost. */
  readonly moved: boolean
}

const notTried: LineEnd = { why: 'no server is known', welcomed: false, moved: false }
