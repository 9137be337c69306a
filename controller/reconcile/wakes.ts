import type { Client } from '../../core/catalogue.ts'
import { unreachable } from '../../core/fault.ts'
import type { ClientId, JobId, ProjectId, ServerId } from '../../core/ids.ts'
import type { Run } from '../../core/run.ts'
import { setIdOf } from '../../core/set.ts'
import { every, scoped } from '../state/indexes.ts'
import type { Look } from '../state/projection.ts'
import type { State } from '../state/state.ts'
import type { LineBook } from './line-book.ts'

/** What a key says is to be looked at: a stored document, or what hangs on one. */
export type LookKind =
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

/** What it needs. */
interface WakesParts {
  readonly state: State
  readonly lines: LineBook
  readonly server: ServerId
  readonly wake: (kind: LookKind, project: string, id: string) => void
}

/** Which keys are to be looked at when something has changed. It does nothing about them. */
export class Wakes {
  readonly #parts: WakesParts

  constructor(parts: WakesParts) {
    this.#parts = parts
  }

  /** Everything that is not at rest is looked at: at the start, and when leadership came or went. */
  everything(): void {
    const { state } = this.#parts
    this.#parts.wake('sweep', '', '')
    for (const { value } of state.where('run', 'open', every))
      this.#parts.wake('run', value.project, value.id)
    for (const { value } of state.where('set', 'open', every))
      this.#parts.wake('set', value.project, setIdOf(value.session, value.tag))
    for (const { value } of state.where('job', 'planned', every))
      this.#parts.wake('job', value.project, value.id)
    for (const { value } of state.where('session', 'planned', every))
      this.#parts.wake('session', value.project, value.id)
    for (const { value } of state.all('client'))
      if (value.line.is === 'up') this.#parts.wake('client', value.project, value.id)
    for (const { value } of state.where('instance_backup', 'open', every))
      this.#parts.wake('instance_backup', value.project, value.id)
    for (const { value } of state.where('backup', 'forgetting', every))
      this.#parts.wake('backup', value.project, value.id)
    for (const { value } of state.where('instance', 'open', every))
      this.#parts.wake('instance', value.project, value.id)
    for (const { value } of state.all('instance')) this.#parts.wake('announced', value.project, value.client)
  }

  /** All runs of a client that are not over. */
  runsOf(project: ProjectId, client: ClientId): void {
    for (const { value } of this.#parts.state.where('run', 'openOfClient', scoped(project, client)))
      this.#parts.wake('run', project, value.id)
  }

  /** Called with each change of the stored state, this server's own included. */
  changed({ kind, project, id, before, after }: Look): void {
    switch (kind) {
      case 'run':
        return this.#runChanged(before?.value, after?.value)
      case 'set':
        this.#parts.wake('set', project, id)
        // A slot of its session may wait for its end.
        if (after?.value.phase.is === 'ended') this.#parts.wake('session', project, after.value.session)
        for (const run of this.#parts.state.where('run', 'set', scoped(project, id)))
          if (run.value.state.is !== 'finished') this.#parts.wake('run', project, run.value.id)
        return
      case 'job':
        for (const job of [before?.value, after?.value])
          if (job?.client !== undefined) this.plan(job.project, job.client, job.id)
        return this.#parts.wake(kind, project, id)
      case 'session':
        return this.#parts.wake(kind, project, id)
      case 'instance':
      case 'instance_backup':
        return this.#parts.wake(kind, project, id)
      case 'backup':
        if (after?.value.forgetting !== undefined) this.#parts.wake('backup', project, id)
        return
      case 'client':
        this.#parts.wake('client', project, id)
        this.#parts.wake('announced', project, id)
        if (lineOf(before?.value) !== lineOf(after?.value)) this.#parts.wake('spread', '', '')
        this.#clientChanged(before?.value, after?.value)
        return this.runsOf(project as ProjectId, id as ClientId)
      case 'server':
        this.#parts.wake('servers', '', '')
        this.#parts.wake('spread', '', '')
        if (after && id === this.#parts.server)
          for (const line of this.#parts.lines.all()) this.#parts.wake('client', line.project, line.client)
        // A server that is gone leaves lines behind, which the leader takes over.
        if (!after)
          for (const client of this.#parts.state.where('client', 'server', id))
            this.#parts.wake('client', client.value.project, client.value.id)
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
    for (const { value } of this.#parts.state.where('job', 'client', scoped(client.project, client.id)))
      if (value.plan.next !== undefined) this.#parts.wake('job', value.project, value.id)
  }

  /** The plan of a job, when its agent has its line here. */
  plan(project: ProjectId, client: ClientId, job: JobId): void {
    if (this.#parts.lines.line(project, client)) this.#parts.wake('plan', project, `${client} ${job}`)
  }

  #runChanged(before: Run | undefined, after: Run | undefined): void {
    const run = after ?? before
    if (!run) return
    this.#parts.wake('run', run.project, run.id)
    if (run.session && before?.state.is !== after?.state.is)
      this.#parts.wake('set', run.project, setIdOf(run.session.id, run.session.tag))
    if (after?.state.is === 'finished' && before?.state.is !== 'finished') {
      this.#parts.wake('job', run.project, run.job)
      this.#parts.wake('history', run.project, run.job)
      this.plan(run.project, run.client, run.job)
    }
    if (before?.state.is !== after?.state.is && (!after || after.state.is === 'finished'))
      this.#wakeRecordsOf(run)
  }

  /** Whoever waits for the run: it has ended, or is gone. */
  #wakeRecordsOf({ project, id }: Run): void {
    const { state } = this.#parts
    for (const { value } of state.where('instance_backup', 'run', scoped(project, id)))
      this.#parts.wake('instance_backup', project, value.id)
    for (const { value } of state.where('backup', 'forgetting', scoped(project, id)))
      this.#parts.wake('backup', project, value.id)
    for (const { value } of state.where('instance', 'run', scoped(project, id)))
      this.#parts.wake('instance', project, value.id)
  }
}

/** The server at which a client's line ends. */
const lineOf = (client: Client | undefined): string | undefined =>
  client?.line.is === 'up' ? client.line.server : undefined
