// An agent without a node: the agent's own connection, clock comparison, start and delivery of results; no journal, no engine.
import { connectToServers, type ClientTls } from '../../agent/grpc/server-line.ts'
import { openPublisher, type NatsPublisher } from '../../agent/nats/publisher.ts'
import { waitUntil } from '../../agent/work/instant-start.ts'
import { Outbox } from '../../agent/work/outbox.ts'
import type { ServerLine, ServerLineHandler } from '../../agent/ports/line.ts'
import { systemClock } from '../../core/clock-system.ts'
import type { ClientId } from '../../core/ids.ts'
import type { Hello, Order } from '../../core/link.ts'
import type { Report, StepReport } from '../../core/run.ts'
import { project } from './rig.ts'

/** What is done with an order: `accept` it and nothing more, or `work` as an agent does, until told to finish. */
export type Duty = 'accept' | 'work'

export interface SimulatedOptions {
  readonly client: ClientId
  /** host:port */
  readonly server: string
  readonly tls: ClientTls | 'plain'
  readonly duty: Duty
  readonly labels: Readonly<Record<string, string>>
  /** With it results go to NATS. */
  readonly nats?: { readonly url: string; readonly credentials: string }
  /** Its server may go: it connects again. */
  readonly mayLose?: boolean
  /** Told of whatever must not happen in a measurement. */
  readonly wrong: (text: string) => void
}

/** A held or running attempt. */
interface Work {
  readonly order: Order
  isStarted: boolean
  isReported: boolean
}

const silent = { debug: () => {}, info: () => {}, warn: () => {} }

/** The clock of the machine that all its processes share. Microseconds. */
export const sharedUs = (): number => Number(process.hrtime.bigint()) / 1_000

export class SimulatedAgent implements ServerLineHandler {
  readonly line: ServerLine
  /** When each run began, since it was last asked. Microseconds of `sharedUs`. */
  readonly startedAt: number[] = []
  /** How wrong each start instant was placed on this process's clock, likewise. Microseconds. */
  readonly misplacedUs: number[] = []
  /** When it was last welcomed, and how many tries have failed since that was last asked. Microseconds of `sharedUs`. */
  openedUs = 0
  failures = 0
  readonly #options: SimulatedOptions
  readonly #work = new Map<string, Work>()
  readonly #publisher: NatsPublisher | undefined
  readonly #outbox: Outbox | undefined
  readonly #life = new AbortController()
  #committed = 0

  constructor(options: SimulatedOptions) {
    this.#options = options
    const { client, server, tls, nats, wrong } = options
    if (nats) {
      const { url, credentials } = nats
      this.#publisher = openPublisher({
        ...{ servers: [url], project, client, credentials, clock: systemClock, log: silent },
      })
      const ended = (run: Report['run'], attempt: number) =>
        void this.line.send({ type: 'ended', run, attempt })
      this.#outbox = new Outbox(this.#publisher, { ended }, systemClock, (event) => {
        if (event === 'report.unpublished' || event === 'bug') wrong(`${client}: ${event}`)
      })
    }
    this.line = connectToServers(
      {
        servers: [server],
        tls: tls === 'plain' ? tls : () => tls,
        clock: systemClock,
        nowUs: () => Math.round(systemClock.monotonic() * 1_000),
        report: (event) => {
          if (event === 'line.failed') this.failures++
          if (event === 'line.bug' || event === 'line.refused') wrong(`${client}: ${event}`)
        },
      },
      this,
    )
  }

  get isReady(): boolean {
    return this.#publisher?.connected() ?? true
  }

  /** Attempts under way. */
  running(): number {
    return this.#work.size
  }

  /** Results that a server has said to be in etcd, since it was last asked. */
  takeCommitted(): number {
    const committed = this.#committed
    this.#committed = 0
    return committed
  }

  hello(): Hello {
    const { client, labels } = this.#options
    return {
      ...{ project, client, protocol: { from: 1, to: 1 }, version: '0.0.0', hostname: client, os: 'linux' },
      ...{ incarnation: `sim-${process.pid}`, labels, slots: 16 },
      engines: ['exec', 'restic'].map((engine) => ({
        ...{ engine, available: true, version: '0.0.0', capabilities: [], problems: [] },
      })),
      held: Array.from(this.#work.values(), ({ order, isStarted, isReported }) => ({
        ...{ run: order.run, attempt: order.attempt },
        state: isReported ? 'ended' : isStarted ? 'running' : 'armed',
      })),
    }
  }

  welcomed(): void {
    this.openedUs = sharedUs()
  }

  lost(why: string): void {
    if (!this.#life.signal.aborted && !this.#options.mayLose)
      this.#options.wrong(`${this.#options.client}: lost its line: ${why}`)
  }

  received(message: Parameters<ServerLineHandler['received']>[0]): void {
    switch (message.type) {
      case 'order':
        return this.#order(message.order)
      case 'go':
        return void this.#go(`${message.run}.${message.attempt}`, message.atUs)
      case 'committed': {
        const { run, attempt } = message
        this.#outbox?.committed(run, attempt)
        if (this.#work.delete(`${run}.${attempt}`)) this.#committed++
        return
      }
      default:
        return this.#options.wrong(`${this.#options.client}: was sent ${message.type}`)
    }
  }

  /** Reports success of everything that was started. */
  finish(): void {
    for (const work of this.#work.values()) {
      if (!work.isStarted || work.isReported) continue
      work.isReported = true
      this.#outbox?.add(work.order.job, reportOf(work.order))
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#life.abort()
    await this.line[Symbol.asyncDispose]()
    await this.#outbox?.[Symbol.asyncDispose]()
    await this.#publisher?.[Symbol.asyncDispose]()
  }

  #order(order: Order): void {
    const { run, attempt, hold } = order
    if (this.#options.duty === 'accept') {
      this.line.send({ type: 'accepted', run, attempt, armed: false })
      return
    }
    const key = `${run}.${attempt}`
    const isKnown = this.#work.has(key)
    if (!isKnown) this.#work.set(key, { order, isStarted: false, isReported: false })
    this.line.send({ type: 'accepted', run, attempt, armed: hold })
    if (!hold && !isKnown) this.#begin(key)
  }

  async #go(key: string, atUs: number): Promise<void> {
    const at = this.line.toLocalUs(atUs)
    if (!at) return this.#options.wrong(`${this.#options.client}: cannot place its start`)
    // The server reads the same clock of the machine, so the truth is known here, as it never is between nodes.
    this.misplacedUs.push(Math.abs(sharedUs() - systemClock.monotonic() * 1_000 + at.us - atUs))
    await waitUntil(at.us / 1_000, systemClock, this.#life.signal).catch(() => undefined)
    this.#begin(key)
  }

  #begin(key: string): void {
    const work = this.#work.get(key)
    if (!work || work.isStarted) return
    work.isStarted = true
    const atUs = Math.round(systemClock.monotonic() * 1_000)
    this.startedAt.push(sharedUs())
    // Not now: the other agents of this process start at the same instant, and on a node each has a process of its own.
    setImmediate(() => this.#tellStart(work.order, atUs))
  }

  #tellStart({ run, attempt }: Order, atUs: number): void {
    const placed = this.line.toServerUs(atUs)
    const started = placed
      ? { serverUs: Math.max(0, Math.round(placed.us)), errorUs: Math.max(0, Math.ceil(placed.errorUs)) }
      : { serverUs: 0, errorUs: 1_000_000 }
    this.line.send({ type: 'started', run, attempt, started })
  }
}

/** What a backup of some size reports. */
function reportOf({ run, attempt, client, tasks }: Order): Report {
  const endedAt = systemClock.now()
  const steps = tasks.map(({ action }, step): StepReport => ({
    ...{ step, result: 'success', itemErrors: [], itemErrorCount: 0, startedAt: endedAt, endedAt },
    ...(action.do === 'backup'
      ? {
          saved: { engineRef: `${run}${run}`, engineVersion: 'restic 0.18.0', paths: [...action.paths] },
          stats: {
            ...{ filesNew: 120, filesChanged: 12, filesUnmodified: 48_211, bytesProcessed: 81_234_567_890 },
            ...{ bytesAdded: 123_456_789, bytesStored: 45_678_901, durationMs: 61_234 },
          },
        }
      : {}),
  }))
  return { run, attempt, client, steps, end: 'ended', at: endedAt }
}
