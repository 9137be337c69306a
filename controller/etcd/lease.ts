import type * as rpc from 'etcd3'
import { monotonic, type Clock, type Monotonic } from '../../core/clock.ts'
import { Fault } from '../../core/fault.ts'
import { backoffMs } from './backoff.ts'
import type { Connection } from './connection.ts'

/**
 * How long etcd keeps what a silent process holds. Seconds, as etcd counts; five bridge a slow disk or a short election, and
 * hand the lead over soon enough.
 */
export const leaseTtlSeconds = 5

/** The lease is trusted for this part of its time, from when the request for it was *sent*. */
const trust = 0.8

/** How often it is renewed: five times within its time, so that one lost answer costs nothing. Milliseconds. */
const renewMs = 1_000

/** A stream on which no answer came for so long is replaced. Milliseconds. */
const silentMsMax = 2_000

/** What the lease needs of its surroundings. */
export interface LeaseContext {
  readonly connection: Connection
  readonly clock: Clock
  readonly trouble: (what: string, cause: unknown) => void
}

/**
 * This process's sign of life in etcd. Renewed while the process runs; when etcd says that it is gone, a new one is taken.
 * Whether it holds is computed from the clock at each question: nothing that a pause can make stale is remembered.
 */
export class Lease implements AsyncDisposable {
  readonly #context: LeaseContext
  readonly #stop = new AbortController()
  readonly #done: Promise<void>
  readonly #waiting = new Set<() => void>()
  #id: string | undefined
  #validUntil: Monotonic = monotonic(-Infinity)

  constructor(context: LeaseContext) {
    this.#context = context
    this.#done = this.#run()
  }

  /** Whether this lease, and not a later one, provably has not ended. */
  holds(id: string): boolean {
    return id === this.#id && this.#context.clock.monotonic() < this.#validUntil
  }

  /** The id of a lease that holds, as soon as there is one. Throws Fault 'store_down' once the signal aborts. */
  async current(signal: AbortSignal): Promise<string> {
    while (!signal.aborted) {
      if (this.#id !== undefined && this.holds(this.#id)) return this.#id
      await this.#renewal(signal)
    }
    throw new Fault('store_down', 'the store has not granted a lease')
  }

  /** Gives it back: what hangs on it is deleted at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#done
    const id = this.#id
    this.#id = undefined
    // Should this fail, etcd ends it within its time.
    if (id !== undefined) await this.#context.connection.revoke({ ID: id }).catch(() => {})
  }

  async #run(): Promise<void> {
    const { clock, trouble } = this.#context
    const { signal } = this.#stop
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        const id = (this.#id ??= await this.#grant())
        const end = await this.#keep(id)
        if (end.answered) failures = 0
        if (end.gone) this.#id = undefined
        if (end.cause !== undefined) trouble('the lease could not be renewed', end.cause)
      } catch (cause) {
        trouble('the store grants no lease', cause)
      }
      await clock.sleep(backoffMs(clock, failures), signal).catch(() => {})
    }
  }

  async #grant(): Promise<string> {
    const sentAt = this.#context.clock.monotonic()
    const { ID, TTL } = await this.#context.connection.grant({ TTL: leaseTtlSeconds })
    this.#id = ID
    this.#validUntil = monotonic(-Infinity)
    this.#extend(sentAt, Number(TTL))
    return ID
  }

  /** Renews it on one stream, until the stream breaks or etcd says that the lease is gone. */
  async #keep(id: string): Promise<{ answered: boolean; gone: boolean; cause?: unknown }> {
    const { clock, connection } = this.#context
    using stream = connection.keepAlive()
    const { duplex } = stream
    const end: { answered: boolean; gone: boolean; cause?: unknown } = { answered: false, gone: false }
    const ended = new AbortController()
    const finish = (how: Partial<typeof end>) => {
      if (!ended.signal.aborted) Object.assign(end, how)
      ended.abort()
    }
    // Answers come in the order of the requests: each belongs to the oldest one that has none yet.
    const sent: Monotonic[] = []
    duplex.on('error', (cause: unknown) => finish({ cause }))
    duplex.on('end', () => finish({ cause: new Error('etcd ended the stream') }))
    duplex.on('data', ({ TTL }: rpc.ILeaseKeepAliveResponse) => {
      const sentAt = sent.shift()
      if (ended.signal.aborted || sentAt === undefined) return
      if (Number(TTL) <= 0) return finish({ gone: true })
      end.answered = true
      this.#extend(sentAt, Number(TTL))
    })
    this.#stop.signal.addEventListener('abort', () => finish({}), { signal: ended.signal })
    if (this.#stop.signal.aborted) finish({})
    while (!ended.signal.aborted) {
      sent.push(clock.monotonic())
      duplex.write({ ID: id })
      await clock.sleep(renewMs, ended.signal).catch(() => {})
      const [oldest] = sent
      if (oldest !== undefined && clock.monotonic() - oldest >= silentMsMax)
        finish({ cause: new Error('etcd does not answer') })
    }
    return end
  }

  #extend(sentAt: Monotonic, ttlSeconds: number): void {
    this.#validUntil = monotonic(Math.max(this.#validUntil, sentAt + trust * ttlSeconds * 1_000))
    for (const wake of [...this.#waiting]) wake()
  }

  #renewal(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#waiting.delete(wake)
        signal.removeEventListener('abort', wake)
        resolve()
      }
      this.#waiting.add(wake)
      signal.addEventListener('abort', wake)
    })
  }
}
