import { connect, NatsError } from 'nats'
import type { NatsConnection } from 'nats'
import type { Clock } from '../../core/clock.ts'
import { Fault } from '../../core/fault.ts'
import { authenticatorOf, parseCredentials } from './credentials.ts'
import type { Credentials } from './credentials.ts'
import { greets } from './greeting.ts'

/** Where a link tells what becomes of it; pino's loggers fit. */
export interface LinkLog {
  debug(facts: object, message: string): void
  info(facts: object, message: string): void
  warn(facts: object, message: string): void
}

export interface LinkOptions {
  /** `nats://host:port` of any members of the cluster. */
  readonly servers: readonly string[]
  /** Shown by nats-server's monitoring. */
  readonly name: string
  /** Text of a .creds file. */
  readonly credentials: string
  readonly inboxPrefix: string
  readonly clock: Clock
  readonly log: LinkLog
  /** The longest pause between two attempts to connect. Milliseconds. */
  readonly retryMaxMs: number
}

/** Done with each new connection; `signal` aborts when that connection is lost or the work is taken off. */
export type LinkWork = (connection: NatsConnection, signal: AbortSignal) => Promise<void>

const retryMinMs = 100
/** A connection that lived for less counts as a failed attempt, so that one that is dropped at once is not stormed. */
const provenAfterMs = 5_000
const connectTimeoutMs = 3_000
/** A peer that hangs is found after two of these. */
const pingIntervalMs = 5_000
/** How long a connection with replaced credentials may finish what it has begun: the longest request's time. */
const replacedForMs = 5_000

/**
 * Stays connected to NATS: for ever, with a jittered back-off, in the background. nats.js's own reconnection is off: it
 * cannot be stopped while it waits for a first connection, and it keeps the credentials it began with.
 */
export class Link implements AsyncDisposable {
  readonly #options: LinkOptions
  readonly #stop = new AbortController()
  readonly #works = new Map<LinkWork, AbortSignal>()
  readonly #done: Promise<void>
  #credentials: Credentials
  #current: Session | undefined
  #renew = false
  #failures = 0
  /** Since an attempt that ran out of time. */
  #hung = false
  /** Ends the wait that the loop is in. */
  #wake = new AbortController()

  /** Throws Fault('bad_message') when the credentials are unreadable. Does not wait for a connection. */
  constructor(options: LinkOptions) {
    this.#options = options
    this.#credentials = parseCredentials(options.credentials)
    this.#done = this.#stayConnected()
  }

  /** The connection, unless NATS is away. */
  get connection(): NatsConnection | undefined {
    const connection = this.#current?.connection
    return connection === undefined || connection.isClosed() ? undefined : connection
  }

  /**
   * Does `work` with the present connection and each later one. Work that throws while its connection is alive closes it, so
   * that it is tried again with the next one.
   */
  attach(work: LinkWork): Disposable {
    const off = new AbortController()
    this.#works.set(work, off.signal)
    if (this.connection !== undefined) this.#current?.begin(work, off.signal)
    return {
      [Symbol.dispose]: () => {
        this.#works.delete(work)
        off.abort()
      },
    }
  }

  /**
   * Connects with these from now on. The present connection goes on until the new one is there, and a little longer for what
   * it has begun. Throws Fault('bad_message') and keeps the old ones when they are unreadable.
   */
  useCredentials(text: string): void {
    this.#credentials = parseCredentials(text)
    this.#renew = true
    this.#failures = 0
    this.#wake.abort()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    this.#wake.abort()
    await this.#done
    await this.#current?.close()
  }

  async #stayConnected(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      if (this.#current !== undefined && !this.#renew) await this.#sleep(undefined)
      else if (this.#failures > 0) await this.#sleep(this.#retryAfterMs())
      if (this.#stop.signal.aborted) return
      if (this.#current === undefined || this.#renew) await this.#connect()
    }
  }

  async #connect(): Promise<void> {
    const { servers, name, inboxPrefix, log } = this.#options
    const credentials = this.#credentials
    try {
      const answering = this.#hung ? await serversThatGreet(servers) : [...servers]
      const connection = await connect({
        servers: answering,
        name,
        inboxPrefix,
        authenticator: authenticatorOf(credentials),
        reconnect: false,
        timeout: connectTimeoutMs,
        pingInterval: pingIntervalMs,
        maxPingOut: 2,
        noAsyncTraces: true,
        ignoreClusterUpdates: true,
      })
      if (this.#stop.signal.aborted) return await connection.close()
      this.#adopt(new Session(connection, log))
      // They may have been replaced meanwhile, once more.
      this.#renew = credentials !== this.#credentials
      log.info({ server: connection.getServer() }, 'connected to NATS')
      this.#hung = false
    } catch (err) {
      this.#hung ||= err instanceof NatsError && err.code === 'TIMEOUT'
      this.#failures++
      const facts = { err, servers, failures: this.#failures }
      if (this.#failures === 1) log.warn(facts, 'NATS does not answer; trying again until it does')
      else log.debug(facts, 'NATS still does not answer')
    }
  }

  #adopt(session: Session): void {
    const { clock, log } = this.#options
    const replaced = this.#current
    const since = clock.monotonic()
    this.#current = session
    void session.ended.then(() => {
      if (this.#current !== session) return
      this.#current = undefined
      this.#failures = clock.monotonic() - since < provenAfterMs ? this.#failures + 1 : 1
      if (!this.#stop.signal.aborted) log.warn({}, 'lost the connection to NATS')
      this.#wake.abort()
    })
    for (const [work, off] of this.#works) session.begin(work, off)
    if (replaced !== undefined) void this.#retire(replaced)
  }

  /** Its work moves to the new connection at once; requests under way get their answers. */
  async #retire(session: Session): Promise<void> {
    session.endWork()
    await this.#options.clock.sleep(replacedForMs, this.#stop.signal).catch(() => undefined)
    await session.close()
  }

  #retryAfterMs(): number {
    const { clock, retryMaxMs } = this.#options
    const full = Math.min(retryMaxMs, retryMinMs * 2 ** Math.min(this.#failures, 16))
    return full * (0.5 + clock.random() / 2)
  }

  /** Until woken, or for `ms`. */
  async #sleep(ms: number | undefined): Promise<void> {
    const wake = this.#wake.signal
    if (!wake.aborted) {
      if (ms === undefined)
        await new Promise((woken) => wake.addEventListener('abort', woken, { once: true }))
      else await this.#options.clock.sleep(ms, wake).catch(() => undefined)
    }
    if (!this.#stop.signal.aborted) this.#wake = new AbortController()
  }
}

/** Throws Fault('feed_down') when none does. */
async function serversThatGreet(servers: readonly string[]): Promise<string[]> {
  const answers = await Promise.all(servers.map((server) => greets(server, connectTimeoutMs)))
  const greeting = servers.filter((_, i) => answers[i])
  if (greeting.length === 0) throw new Fault('feed_down', 'nats-server hangs')
  return greeting
}

/** One connection and the work that is done with it. */
class Session {
  readonly connection: NatsConnection
  /** Resolves when the connection is closed, by whomever. */
  readonly ended: Promise<unknown>
  readonly #log: LinkLog
  readonly #over = new AbortController()

  constructor(connection: NatsConnection, log: LinkLog) {
    this.connection = connection
    this.#log = log
    this.ended = connection.closed().finally(() => this.#over.abort())
    void this.#noteErrors()
  }

  begin(work: LinkWork, off: AbortSignal): void {
    const signal = AbortSignal.any([this.#over.signal, off])
    work(this.connection, signal).catch((err: unknown) => {
      if (signal.aborted) return
      this.#log.warn({ err }, 'work with NATS failed; connecting anew')
      void this.close()
    })
  }

  endWork(): void {
    this.#over.abort()
  }

  async close(): Promise<void> {
    this.#over.abort()
    await this.connection.close()
  }

  /** What nats-server complains of, such as a subject that this user may not use. */
  async #noteErrors(): Promise<void> {
    for await (const { type, data, ...more } of this.connection.status())
      if (type === 'error') this.#log.warn({ code: data, ...more }, 'NATS refused something')
  }
}
