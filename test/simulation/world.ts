import type { Context } from '../../controller/use-cases/context.ts'
import { instant, isoOf } from '../../core/clock.ts'
import { Agent } from './agent.ts'
import { Evidence } from './evidence.ts'
import type { Habits } from './engine.ts'
import { Chance } from './kernel/chance.ts'
import { Network } from './kernel/network.ts'
import { Process, type Host } from './kernel/process.ts'
import { Timeline } from './kernel/timeline.ts'
import { Broker, brokerHost } from './ports/feed.ts'
import { Exchange } from './ports/lines.ts'
import { Store } from './ports/store.ts'
import { clientId, projectId, type ProjectId } from '../../core/ids.ts'
import { Server } from './server.ts'

/** Something that must never be. */
export class Violation extends Error {
  override readonly name = 'Violation'
}

export interface WorldOptions {
  readonly seed: number
  /** The true time at which it begins. */
  readonly beginsAt: number
  readonly servers: number
  readonly agents: number
  readonly habits: Habits
  /** Told of what happens, by whom. */
  readonly tracer?: (at: string, who: string, what: string) => void
}

/** Servers, agents, store and broker in one process, on a time, a network and disks of their own. */
export class World {
  readonly timeline = new Timeline()
  readonly evidence = new Evidence()
  readonly chance: Chance
  readonly network: Network
  readonly store: Store
  readonly broker: Broker
  readonly exchange: Exchange
  readonly servers: readonly Server[]
  readonly agents: readonly Agent[]
  readonly project: ProjectId = projectId('p1')
  readonly beginsAt: number
  readonly tracer: WorldOptions['tracer']
  /** How far any server's wall clock was ever ahead, and was ever stepped back in one go. Milliseconds. */
  aheadMaxMs = 0
  steppedBackMs = 0
  /** What was seen to be wrong first. */
  violation: Violation | undefined
  readonly settings: Context['settings'] = {
    defaultRepository: '/repo/{client}',
    ...{ startMs: 600_000, runMs: 1_200_000, prepareMs: 30_000, backupsPerProject: 50 },
  }
  readonly #hosts = new Map<string, Host>()

  constructor(options: WorldOptions) {
    this.tracer = options.tracer
    this.beginsAt = options.beginsAt
    this.chance = new Chance(options.seed)
    this.network = new Network(this.timeline, this.chance.fork())
    this.store = new Store(this.network, this.chance.fork())
    this.broker = new Broker(this.network, this.processOn(brokerHost, this.hostNamed(brokerHost)))
    this.exchange = new Exchange(this.network)
    this.servers = named('s', options.servers).map((name) => new Server(this, name))
    this.agents = named('n', options.agents).map((name) => new Agent(this, this.project, clientId(name), options.habits))
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

  addresses(): string[] {
    return this.servers.map(({ host }) => host.name)
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

const named = (letter: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${letter}${index + 1}`)

function describe(thing: unknown): string {
  if (typeof thing === 'object' && thing !== null && 'err' in thing && thing.err instanceof Error)
    return thing.err.stack ?? thing.err.message
  return JSON.stringify(thing)
}
