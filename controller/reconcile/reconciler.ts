import type { Decided } from '../../core/autonomy.ts'
import type { Client } from '../../core/catalogue.ts'
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
import { setIdOf } from '../../core/set.ts'
import { isSettled } from '../plan/absorb.ts'
import type { Leadership } from '../ports/backend.ts'
import type { Delivery } from '../ports/feed.ts'
import type { AgentLine } from '../ports/lines.ts'
import type { Look } from '../state/projection.ts'
import { every, scoped } from '../state/indexes.ts'
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

/** Keys looked at together: enough to fill grouped transactions, few enough that none waits long. */
const looksAtOnce = 256

/** Lines that are written to before others have their turn. */
const slice = 500

/** What a key says is to be looked at: a stored document, or what hangs on one. */
type LookKind =
  | ('run' | 'set' | 'job' | 'session' | 'client' | 'instance' | 'instance_backup' | 'backup')
  /** The project and client whose databases were told of. */
  | 'announced'
  /** The project and job whose finished runs may be too many. */
  | 'history'
  /** All finished runs and kept answers. */
  | 'sweep'
  /** The list of servers. */
  | 'servers'
  /** How many agents each server holds. */
  | 'spread'
  /** The project and client whose agent is told how to go on by itself; with a job, of that one. */
  | 'plans'
  | 'plan'
  /** The project and client whose agent tells what it did by itself. */
  | 'decided'

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
      wake: (project, client, job) => this.#wakePlan(project, client, job),
    })
    this.#decided = new DecidedSlots({
      ...{ context, lines, failed },
      wake: (project, client) => this.#wake('decided', project, client),
    })
    this.#queue = new LookQueue({ clock, atOnce: looksAtOnce, look: (key) => this.#look(key), failed })
    this.#unsubscribe = [
      context.state.onLook((look) => this.#stateChanged(look)),
      leadership.onChange(() => this.wakeAll()),
    ]
  }

  /** Keys waiting or being looked at. */
  get backlog(): number {
    return this.#queue.size
  }

  /** Everything that is not at rest is looked at: at the start, and when leadership came or went. */
  wakeAll(): void {
    const { state } = this.#options.context
    this.#wake('sweep', '', '')
    for (const { value } of state.where('run', 'open', every)) this.#wake('run', value.project, value.id)
    for (const { value } of state.where('set', 'open', every))
      this.#wake('set', value.project, setIdOf(value.session, value.tag))
    for (const { value } of state.where('job', 'planned', every)) this.#wake('job', value.project, value.id)
    for (const { value } of state.where('session', 'planned', every))
      this.#wake('session', value.project, value.id)
    for (const { value } of state.all('client'))
      if (value.line.is === 'up') this.#wake('client', value.project, value.id)
    for (const { value } of state.where('instance_backup', 'open', every))
      this.#wake('instance_backup', value.project, value.id)
    for (const { value } of state.where('backup', 'forgetting', every))
      this.#wake('backup', value.project, value.id)
    for (const { value } of state.where('instance', 'open', every))
      this.#wake('instance', value.project, value.id)
    for (const { value } of state.all('instance')) this.#wake('announced', value.project, value.client)
  }

  lineOpened(line: AgentLine): void {
    this.#options.lines.open(line)
    const { instances = [], templates = [] } = line.hello
    this.announced(line, { instances, templates })
    this.#wakeRunsOf(line.project, line.client)
    this.#wake('plans', line.project, line.client)
    line.send({ type: 'servers', addresses: this.#addresses() })
    for (const held of this.#options.lines.heldOf(line)) this.#settle(line, held.run, held.attempt)
  }

  lineClosed(line: AgentLine): void {
    if (!this.#options.lines.close(line)) return
    this.#wake('client', line.project, line.client)
    this.#wakeRunsOf(line.project, line.client)
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

  #wakeRunsOf(project: ProjectId, client: ClientId): void {
    for (const { value } of this.#options.context.state.where('run', 'openOfClient', scoped(project, client)))
      this.#wake('run', project, value.id)
  }

  #stateChanged({ kind, project, id, before, after }: Look): void {
    switch (kind) {
      case 'run':
        return this.#runChanged(before?.value, after?.value)
      case 'set':
        this.#wake('set', project, id)
        // A slot of its session may wait for its end.
        if (after?.value.phase.is === 'ended') this.#wake('session', project, after.value.session)
        for (const run of this.#options.context.state.where('run', 'set', scoped(project, id)))
          if (run.value.state.is !== 'finished') this.#wake('run', project, run.value.id)
        return
      case 'job':
        for (const job of [before?.value, after?.value])
          if (job?.client !== undefined) this.#wakePlan(job.project, job.client, job.id)
        return this.#wake(kind, project, id)
      case 'session':
        return this.#wake(kind, project, id)
      case 'instance':
      case 'instance_backup':
        return this.#wake(kind, project, id)
      case 'backup':
        if (after?.value.forgetting !== undefined) this.#wake('backup', project, id)
        return
      case 'client':
        this.#wake('client', project, id)
        this.#wake('announced', project, id)
        if (lineOf(before?.value) !== lineOf(after?.value)) this.#wake('spread', '', '')
        this.#clientChanged(before?.value, after?.value)
        return this.#wakeRunsOf(project as ProjectId, id as ClientId)
      case 'server':
        this.#wake('servers', '', '')
        this.#wake('spread', '', '')
        if (after && id === this.#options.server)
          for (const line of this.#options.lines.all()) this.#wake('client', line.project, line.client)
        // A server that is gone leaves lines behind, which the leader takes over.
        if (!after)
          for (const client of this.#options.context.state.where('client', 'server', id))
            this.#wake('client', client.value.project, client.value.id)
        return
      // Nothing waits for these.
      case 'foreign':
      case 'action':
      case 'repository':
      case 'token':
      case 'join':
      case 'strategy':
      case 'quota':
      case 'alias':
      case 'answer':
        return
      default:
        return unreachable(kind)
    }
  }

  /** Its jobs' slots may be the servers' again, or not any more. */
  #clientChanged(before: Client | undefined, after: Client | undefined): void {
    const client = after ?? before
    if (!client || JSON.stringify(before?.line) === JSON.stringify(after?.line)) return
    for (const { value } of this.#options.context.state.where(
      'job',
      'client',
      scoped(client.project, client.id),
    ))
      if (value.plan.next !== undefined) this.#wake('job', value.project, value.id)
  }

  #wakePlan(project: ProjectId, client: ClientId, job: JobId): void {
    if (this.#options.lines.line(project, client)) this.#wake('plan', project, `${client} ${job}`)
  }

  #runChanged(before: Run | undefined, after: Run | undefined): void {
    const run = after ?? before
    if (!run) return
    this.#wake('run', run.project, run.id)
    if (run.session && before?.state.is !== after?.state.is)
      this.#wake('set', run.project, setIdOf(run.session.id, run.session.tag))
    if (after?.state.is === 'finished' && before?.state.is !== 'finished') {
      this.#wake('job', run.project, run.job)
      this.#wake('history', run.project, run.job)
      this.#wakePlan(run.project, run.client, run.job)
    }
    if (before?.state.is !== after?.state.is && (!after || after.state.is === 'finished'))
      this.#wakeRecordsOf(run)
    if (before && after && before.state.is !== 'finished' && isSettled(after, before.state.attempt)) {
      this.committed(after.project, after.client, after.id, before.state.attempt)
      if (after.state.is === 'finished') this.#options.lines.forget(after.project, after.client, after.id)
    }
  }

  /** Whoever waits for the run: it has ended, or is gone. */
  #wakeRecordsOf({ project, id }: Run): void {
    const { state } = this.#options.context
    for (const { value } of state.where('instance_backup', 'run', scoped(project, id)))
      this.#wake('instance_backup', project, value.id)
    for (const { value } of state.where('backup', 'forgetting', scoped(project, id)))
      this.#wake('backup', project, value.id)
    for (const { value } of state.where('instance', 'run', scoped(project, id)))
      this.#wake('instance', project, value.id)
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

/** The server at which a client's line ends. */
const lineOf = (client: Client | undefined): string | undefined =>
  client?.line.is === 'up' ? client.line.server : undefined
