import type { Context } from '../../controller/use-cases/context.ts'
import { instant, isoOf } from '../../core/clock.ts'
import { Evidence } from './evidence.ts'
import { Chance } from './kernel/chance.ts'
import { Network } from './kernel/network.ts'
import { Process, type Host } from './kernel/process.ts'
import { Timeline } from './kernel/timeline.ts'
import { Broker, brokerHost } from './ports/feed.ts'
import { Exchange } from './ports/lines.ts'
import { Store } from './ports/store.ts'
import { projectId, type ProjectId, type RunId, type Slot } from '../../core/ids.ts'

/** Something that must never be. */
export class Violation extends Error {
  override readonly name = 'Violation'
}

export interface SurroundingsOptions {
  readonly seed: number
  /** The true time at which it all begins. */
  readonly beginsAt: number
  /** The names of the machines that servers run on. */
  readonly servers: readonly string[]
  /** Told of what happens, by whom. */
  readonly tracer?: (at: string, who: string, what: string) => void
}

/** What servers and agents stand in: time, network, store and broker, and those who watch what they do. */
export class Surroundings {
  readonly timeline = new Timeline()
  readonly evidence = new Evidence()
  readonly chance: Chance
  readonly network: Network
  readonly store: Store
  readonly broker: Broker
  readonly exchange: Exchange
  readonly project: ProjectId = projectId('p1')
  /** Where servers take lines, as every agent's configuration has it. */
  readonly addresses: readonly string[]
  readonly beginsAt: number
  readonly tracer: SurroundingsOptions['tracer']
  /** How far any server's wall clock was ever ahead, and was ever stepped back in one go. Milliseconds. */
  aheadMaxMs = 0
  steppedBackMs = 0
  /** What was seen to be wrong first. */
  violation: Violation | undefined
  readonly settings: Context['settings'] = {
    defaultRepository: '/repo/{client}',
    ...{ startMs: 600_000, runMs: 1_200_000, prepareMs: 30_000, backupsPerProject: 50 },
  }
  /** What agents decided to start by themselves. */
  readonly own = new Map<RunId, Slot>()
  readonly #hosts = new Map<string, Host>()

  constructor(options: SurroundingsOptions) {
    this.tracer = options.tracer
    this.beginsAt = options.beginsAt
    this.chance = new Chance(options.seed)
    this.network = new Network(this.timeline, this.chance.fork())
    this.store = new Store(this.network, this.chance.fork())
    this.broker = new Broker(this.network, this.processOn(brokerHost, this.hostNamed(brokerHost)))
    this.exchange = new Exchange(this.network)
    this.addresses = options.servers
  }

  /** True time. Milliseconds since the epoch. */
  get now(): number {
    return this.beginsAt + this.timeline.now
  }

  hostNamed(name: string): Host {
    const known = this.#hosts.get(name)
    if (known) return known
    const host: Host = { name, aheadMs: 0 }
    this.#hosts.set(name, host)
    return host
  }

  processOn(name: string, host: Host): Process {
    return new Process(name, host, this.timeline, this.chance.fork(), this.beginsAt)
  }

  trace(who: string, what: string): void {
    this.tracer?.(isoOf(instant(this.now)).slice(5, 23), who, what)
  }

  /** The product itself says that something went wrong that cannot. */
  bug(who: string, error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : describe(error)
    this.violated('no bug', `${who}: ${text}`)
  }

  violated(rule: string, text: string): void {
    this.trace('CHECKER', `${rule}: ${text}`)
    this.violation ??= new Violation(`${rule}: ${text}`)
  }
}

function describe(thing: unknown): string {
  if (typeof thing === 'object' && thing !== null && 'err' in thing && thing.err instanceof Error)
    return thing.err.stack ?? thing.err.message
  return JSON.stringify(thing)
}
