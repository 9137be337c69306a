import { FileJournal } from '../../agent/disk/journal.ts'
import type { Engine } from '../../agent/ports/engine.ts'
import type { Recorder } from '../../agent/ports/events.ts'
import type { Policy } from '../../agent/ports/policy.ts'
import { Announcer } from '../../agent/work/announcer.ts'
import { Asks } from '../../agent/work/asks.ts'
import { Book } from '../../agent/work/book.ts'
import { Desk } from '../../agent/work/desk.ts'
import { snapshotOf, stateOf } from '../../agent/work/journal-state.ts'
import { Outbox } from '../../agent/work/outbox.ts'
import { Probes } from '../../agent/work/probes.ts'
import { recover } from '../../agent/work/recover.ts'
import type { ClientId, ProjectId } from '../../core/ids.ts'
import { memoryDatabases } from '../support/databases.ts'
import { OwnPlans } from './checker/own-plans.ts'
import { Children, SimulatedExec, type Habits } from './engine.ts'
import type { Chance } from './kernel/chance.ts'
import type { Host, Process } from './kernel/process.ts'
import { Folder } from './ports/disk.ts'
import { AgentLines } from './ports/lines.ts'
import type { Surroundings } from './surroundings.ts'

const policy: Policy = { paths: [], targets: [], repositories: [], commands: 'any' }
const autonomy = { enabled: true, graceMs: 30_000 }
const capacity = { parallel: 2, light: 4, queue: 10, limits: {} }

/** A node: its machine, its disk, and the agent on it, which may be killed and started. */
export class Agent {
  readonly project: ProjectId
  readonly client: ClientId
  readonly host: Host
  readonly disk: Folder
  readonly children: Children
  process: Process | undefined
  readonly #world: Surroundings
  readonly #chance: Chance
  readonly #habits: Habits
  #starts = 0
  #isAwaited = false
  #drain: ((withinMs: number) => Promise<void>) | undefined

  constructor(world: Surroundings, project: ProjectId, client: ClientId, habits: Habits) {
    this.#world = world
    this.#chance = world.chance.fork()
    this.#habits = habits
    this.project = project
    this.client = client
    this.host = world.hostNamed(client)
    this.disk = new Folder(this.#chance.fork())
    this.children = new Children(world.timeline, world.evidence, client)
  }

  /** The agent's process is killed; what it started goes on. */
  kill(): void {
    this.process?.kill()
    this.process = undefined
    this.#drain = undefined
    this.#world.network.changed()
  }

  /** As by SIGTERM: what runs may end within this time, then it is stopped, and the process ends. */
  stop(withinMs: number): void {
    const { process } = this
    const drain = this.#drain
    if (!process || !drain) return this.kill()
    this.#drain = undefined
    this.#isAwaited = false
    const end = (): void => {
      if (this.process !== process) return
      this.kill()
      if (this.#isAwaited) this.start()
    }
    process.act(() => void drain(withinMs).then(() => this.#world.timeline.after(0, end)))
  }

  /** The whole machine stops at once. */
  losePower(): void {
    this.kill()
    this.children.losePower()
    this.disk.losePower()
  }

  /** As agent/start.ts puts an agent together. */
  start(): void {
    // One that is about to end is followed by another.
    this.#isAwaited = this.process !== undefined
    if (this.process) return
    const process = this.#world.processOn(`${this.client}#${++this.#starts}`, this.host)
    this.process = process
    const life = new AbortController()
    this.#run(process, life.signal).catch((error: unknown) => {
      if (!process.isDead) this.#world.bug(`${process.name} could not start`, error)
    })
    this.#world.network.changed()
  }

  async #run(process: Process, signal: AbortSignal): Promise<void> {
    const { project, client } = this
    const { clock } = process
    const plans = new OwnPlans(this.#world)
    const record: Recorder = (event, fields) => {
      if (event === 'bug') this.#world.bug(process.name, fields)
      plans.take(event, fields)
      if (event !== 'bug' && this.#world.tracer)
        this.#world.trace(process.name, `${event} ${JSON.stringify(fields)}`)
    }
    const state = stateOf(this.disk.journal())
    const journal = new FileJournal('/var/lib/firn', () => snapshotOf(state), this.disk.for(process))
    const book = new Book(state, journal, clock, record)
    await book.begin()
    const engine = new SimulatedExec(process, this.children, this.#chance.fork(), this.#habits)
    const engines = new Map<string, Engine>([[engine.name, engine]])
    const probes = new Probes(engines, clock)
    await Promise.all([
      recover({ book, clock, record, orphans: this.children.orphans() }),
      probes.fresh(engines.keys(), () => 0),
    ])
    const publisher = this.#world.broker.publisher(process, project, client)
    const open: { line?: AgentLines } = {}
    const outbox = new Outbox(
      publisher,
      { ended: (run, attempt) => void open.line?.send({ type: 'ended', run, attempt }) },
      clock,
      record,
    )
    const databases = memoryDatabases()
    const announcer = new Announcer({ databases, datastores: [], clock, record, send: () => false })
    const engineDir = (): string => '/var/lib/firn'
    const realPaths = async () => new Map<string, string>()
    const asks = new Asks({ engines, policy, clock, engineDir, realPaths, signal })
    const desk = new Desk({
      ...{
        book,
        outbox,
        probes,
        engines,
        databases,
        announcer,
        publisher,
        clock,
        record,
        asks,
        policy,
        capacity,
        autonomy,
      },
      ...{ project, client, engineDir, realPaths },
      line: () => open.line,
      stallMs: 600_000,
      about: {
        version: '0',
        hostname: client,
        os: 'simulated',
        incarnation: process.name,
        labels: { node: client, all: 'yes' },
      },
      runLogs: {
        open: () => ({ write: () => undefined, [Symbol.dispose]: () => undefined }),
        async [Symbol.asyncDispose]() {},
      },
    })
    open.line = new AgentLines(this.#world.exchange, process, this.#world.addresses, {
      hello: () => desk.hello(),
      welcomed: (server, protocol) => desk.welcomed(server, protocol),
      received: (message) => (message.type === 'renewed' ? undefined : desk.received(message)),
      lost: (why) => desk.lost(why),
      running: () => desk.running(),
    })
    const { line } = open
    this.#drain = async (withinMs) => {
      await desk.drain(withinMs, new AbortController().signal)
      await line[Symbol.asyncDispose]()
    }
  }
}
