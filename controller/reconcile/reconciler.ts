import type { Decided } from '../../core/autonomy.ts'
import type { Clock, Instant } from '../../core/clock.ts'
import { unreachable } from '../../core/fault.ts'
import type {
  BackupId,
  ClientId,
  InstanceBackupId,
  InstanceId,
  JobId,
  ProjectId,
  RunId,
  ServerId,
} from '../../core/ids.ts'
import type { InstanceProbe, InstanceTemplate } from '../../core/instance.ts'
import type { Epoch, SaidOfAttempt } from '../../core/link.ts'
import type { Run } from '../../core/run.ts'
import { isSettled } from '../plan/absorb.ts'
import type { Leadership } from '../ports/backend.ts'
import type { Delivery } from '../ports/feed.ts'
import type { AgentLine } from '../ports/lines.ts'
import type { Look } from '../state/projection.ts'
import type { Context } from '../use-cases/context.ts'
import { Announcements } from './announcements.ts'
import { Clients } from './clients.ts'
import { DecidedSlots } from './decided.ts'
import { History } from './history.ts'
import { InstanceWork } from './instance-work.ts'
import { LineBook } from './line-book.ts'
import { Plans } from './plans.ts'
import { LookQueue } from './queue.ts'
import { Runs } from './runs.ts'
import { Schedules } from './schedules.ts'
import { ServerTime } from './server-time.ts'
import { Sets } from './sets.ts'
import { Spreading } from './spreading.ts'
import { Wakes, type LookKind } from './wakes.ts'

/** Keys looked at together: enough to fill grouped transactions, few enough that none waits long. */
const looksAtOnce = 256

/** Lines that are written to before others have their turn. */
const slice = 500

export interface ReconcilerOptions {
  readonly context: Context
  readonly leadership: Leadership
  readonly server: ServerId
  readonly clock: Clock
  readonly lines: LineBook
  /** This process's monotonic clock, the one that clock probes of agents read. Microseconds. */
  readonly monotonicUs: () => number
  readonly failed: (key: string, error: unknown) => void
}

/**
 * Looks at whatever changed, and at what is due, and brings it one step further. Changes of the stored state, agents' messages
 * and timers only say which key to look at; what is done is decided from the whole current state.
 */
export class Reconciler implements AsyncDisposable {
  readonly #options: ReconcilerOptions
  readonly #queue: LookQueue
  readonly #wakes: Wakes
  readonly #runs: Runs
  readonly #sets: Sets
  readonly #schedules: Schedules
  readonly #clients: Clients
  readonly #announcements: Announcements
  readonly #instances: InstanceWork
  readonly #history: History
  readonly #spreading: Spreading
  readonly #plans: Plans
  readonly #decided: DecidedSlots
  readonly #time: ServerTime
  readonly #unsubscribe: (() => void)[]
  /** The epoch in which this server leads or last led, and when that was first noticed. */
  #led: { readonly epoch: Epoch; readonly since: Instant } | undefined

  constructor(options: ReconcilerOptions) {
    const { context, leadership, clock, lines, server, failed } = options
    this.#options = options
    this.#time = new ServerTime(() => clock.now(), options.monotonicUs)
    const leads = (): boolean => leadership.epoch() !== undefined
    const epoch = (): ReturnType<Leadership['epoch']> => leadership.epoch()
    this.#wakes = new Wakes({
      ...{ state: context.state, lines, server },
      wake: (kind, project, id) => this.#wake(kind, project, id),
    })
    this.#runs = new Runs({
      context,
      sealer: context.sealer,
      lines,
      server,
      time: this.#time,
      leadsSince: () => this.#leadsSince(),
      epoch: () => leadership.highest(),
      wake: (project, id) => this.#wake('run', project, id),
    })
    this.#sets = new Sets({ context, epoch })
    this.#schedules = new Schedules({ context, epoch })
    this.#history = new History({ context, epoch })
    this.#announcements = new Announcements({ context, lines, leads })
    this.#clients = new Clients({ context, lines, server, leads, announcements: this.#announcements })
    this.#instances = new InstanceWork({ context, epoch })
    this.#spreading = new Spreading({ context, lines, server })
    this.#plans = new Plans({
      ...{ context, lines },
      wake: (project, client, job) => this.#wakes.plan(project, client, job),
    })
    this.#decided = new DecidedSlots({
      ...{ context, lines, failed },
      wake: (project, client) => this.#wake('decided', project, client),
    })
    this.#queue = new LookQueue({ clock, atOnce: looksAtOnce, look: (key) => this.#look(key), failed })
    this.#unsubscribe = [
      context.state.onLook((look) => this.#stateChanged(look)),
      leadership.onChange(() => this.#wakes.everything()),
    ]
  }

  /** Keys waiting or being looked at. */
  get backlog(): number {
    return this.#queue.size
  }

  /** Everything that is not at rest is looked at. For the start; when leadership comes or goes it happens by itself. */
  wakeAll(): void {
    this.#wakes.everything()
  }

  lineOpened(line: AgentLine): void {
    this.#options.lines.open(line)
    const { instances = [], templates = [] } = line.hello
    this.announced(line, { instances, templates })
    this.#wakes.runsOf(line.project, line.client)
    this.#wake('plans', line.project, line.client)
    line.send({ type: 'servers', addresses: this.#addresses() })
    for (const held of this.#options.lines.heldOf(line)) this.#settle(line, held.run, held.attempt)
  }

  lineClosed(line: AgentLine): void {
    if (!this.#options.lines.close(line)) return
    this.#wake('client', line.project, line.client)
    this.#wakes.runsOf(line.project, line.client)
  }

  /** What an agent said of its databases, all of it anew. */
  announced(
    line: AgentLine,
    said: {
      readonly instances: readonly InstanceProbe[]
      readonly templates: readonly InstanceTemplate[]
    },
  ): void {
    this.#announcements.note(line, said)
    this.#wake('client', line.project, line.client)
    this.#wake('announced', line.project, line.client)
  }

  /** An agent goes by what it was told of a job. */
  planned(line: AgentLine, job: JobId, sequence: number): void {
    this.#plans.acknowledged(line, job, sequence)
  }

  /** An agent tells what it did by itself. */
  decided(line: AgentLine, decided: Decided): void {
    this.#decided.hear(line, decided)
  }

  /** It has told all of it: its jobs' slots are the servers' again. */
  settled(line: AgentLine, sequence: number): void {
    line.send({ type: 'noted', sequence })
    if (!this.#options.lines.settled(line)) return
    this.#wake('client', line.project, line.client)
    this.#wake('plans', line.project, line.client)
  }

  /** What an agent said of a run. Played in the background; its line may say the same again at any time. */
  heard(line: AgentLine, message: SaidOfAttempt): void {
    const { lines } = this.#options
    lines.note(line, message)
    if (message.type === 'ended') return this.#settle(line, message.run, message.attempt)
    const event =
      message.type === 'started' ? { ...message, started: this.#startedOf(message.started) } : message
    const run = this.#options.context.state.get('run', line.project, message.run)?.value
    if (run?.client !== line.client) return // not this client's to speak of
    this.#runs.hear(line.project, message.run, event)
  }

  /** Resolves when etcd has the report, and its agent, when its line is here, was told so. Rejects: deliver it again. */
  async report(delivery: Delivery): Promise<void> {
    const { project, client, report } = delivery
    await this.#runs.report(delivery)
    this.committed(project, client, report.run, report.attempt)
  }

  /** The agent may forget an attempt whose outcome etcd has. */
  committed(project: ProjectId, client: ClientId, run: RunId, attempt: number): void {
    this.#options.lines.line(project, client)?.send({ type: 'committed', run, attempt })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    await this.#queue[Symbol.asyncDispose]()
  }

  #leadsSince(): Instant | undefined {
    const { leadership, clock } = this.#options
    const epoch = leadership.epoch()
    if (epoch === undefined) return undefined
    if (this.#led?.epoch !== epoch) this.#led = { epoch, since: clock.now() }
    return this.#led.since
  }

  #startedOf({ serverUs, errorUs }: { serverUs: number; errorUs: number }) {
    const atUs = this.#time.wallUsOf(serverUs)
    return { at: Math.round(atUs / 1_000) as Instant, atUs, errorUs }
  }

  /** Answers `committed` for an attempt that is settled, or that nobody will ever settle. */
  #settle(line: AgentLine, id: RunId, attempt: number): void {
    const run = this.#options.context.state.get('run', line.project, id)?.value
    if (run && run.client === line.client && isSettled(run, attempt))
      line.send({ type: 'committed', run: id, attempt })
  }

  #wake(kind: LookKind, project: string, id: string): void {
    this.#queue.wake(`${kind}/${project}/${id}`)
  }

  #stateChanged(look: Look): void {
    this.#wakes.changed(look)
    if (look.kind === 'run') this.#runChanged(look.before?.value, look.after?.value)
  }

  /** An attempt that has just been settled may be forgotten. */
  #runChanged(before: Run | undefined, after: Run | undefined): void {
    if (!before || !after || before.state.is === 'finished' || !isSettled(after, before.state.attempt)) return
    this.committed(after.project, after.client, after.id, before.state.attempt)
    if (after.state.is === 'finished') this.#options.lines.forget(after.project, after.client, after.id)
  }

  /** host:port of every server that takes agents. */
  #addresses(): string[] {
    const servers = [...this.#options.context.state.all('server')]
    return servers.flatMap(({ value }) => (value.draining ? [] : [value.agents]))
  }

  /** Agents learn where else they could go. In slices: there may be ten thousand of them. */
  async #tellServers(): Promise<undefined> {
    const addresses = this.#addresses()
    let told = 0
    for (const line of this.#options.lines.all()) {
      line.send({ type: 'servers', addresses })
      if (++told % slice === 0) await this.#options.clock.sleep(0)
    }
  }

  #look(key: string): Promise<Instant | undefined> {
    const [kind, project, id] = key.split('/') as [LookKind, ProjectId, string]
    switch (kind) {
      case 'run':
        return this.#runs.look(project, id as RunId)
      case 'set':
        return this.#sets.look(project, id)
      case 'job':
        return this.#schedules.lookAtJob(project, id)
      case 'session':
        return this.#schedules.lookAtSession(project, id)
      case 'client':
        return this.#clients.look(project, id as ClientId)
      case 'announced':
        return this.#announcements.look(project, id as ClientId)
      case 'instance':
        return this.#instances.lookAtInstance(project, id as InstanceId)
      case 'backup':
        return this.#instances.lookAtEntry(project, id as BackupId)
      case 'instance_backup':
        return this.#instances.lookAtBackup(project, id as InstanceBackupId)
      case 'servers':
        return this.#tellServers()
      case 'spread':
        return this.#spreading.look()
      case 'plans':
        return this.#plans.lookAtClient(project, id as ClientId)
      case 'plan': {
        const [client, job] = id.split(' ') as [ClientId, JobId]
        return this.#plans.lookAtJob(project, client, job)
      }
      case 'decided':
        return this.#decided.look(project, id as ClientId)
      case 'sweep':
        return this.#history.sweep()
      case 'history':
        return this.#history.look(project, id)
      default:
        return unreachable(kind)
    }
  }
}
