import type { Backup, Repository } from '../../core/catalogue.ts'
import { later, type Instant } from '../../core/clock.ts'
import {
  runIdOf,
  type ClientId,
  type JobId,
  type ProjectId,
  type SessionId,
  type Slot,
  type UserId,
} from '../../core/ids.ts'
import type { Run, Task } from '../../core/run.ts'
import { planTasks, type AskedAction, type NewRepository } from '../plan/tasks.ts'
import { put, ref, type Put, type Stored, type Transaction } from '../state/documents.ts'
import { scoped } from '../state/indexes.ts'
import type { Context } from './context.ts'

/** What makes a run, before anything is looked up. */
export interface RunRequest {
  readonly project: ProjectId
  readonly user: UserId
  readonly job: JobId
  readonly client: ClientId
  readonly slot: Slot
  readonly actions: readonly AskedAction[]
  readonly session?: { readonly id: SessionId; readonly tag: number }
  readonly purpose?: Run['purpose']
  readonly restore?: string
  /** How long the start may take. Milliseconds; the installation's default when absent. */
  readonly startMs?: number
}

/**
 * A run that is not stored yet, and the repositories that must come into being with it. A run whose actions cannot be
 * done is made all the same: it ends `failed` at once, and says why.
 */
export function newRun(context: Context, request: RunRequest): { run: Run; repositories: Put[] } {
  const { project, client, job } = request
  const now = context.clock.now()
  const { tasks, repositories } = planTasks(request.actions, {
    project,
    client,
    job,
    now,
    defaultLocation: (engine) => defaultLocation(context.settings.defaultRepository, project, client, engine),
    repository: (id) => context.state.get('repository', project, id)?.value,
    repositoriesAt: (engine, location) => repositoriesAt(context, project, engine, location),
    backup: (id) => kept(context.state.get('backup', project, id)),
    backupsOf: (of) => keptOf(context.state.where('backup', 'client', scoped(project, of))),
  })
  const run: Run = {
    id: runIdOf(project, job, client, request.slot),
    project,
    user: request.user,
    job,
    client,
    slot: request.slot,
    ...(request.session ? { session: request.session } : {}),
    purpose: request.purpose ?? 'job',
    ...(request.restore === undefined ? {} : { restore: request.restore }),
    createdAt: now,
    tasks,
    steps: tasks.map(({ refusal }) =>
      refusal ? { tries: 0, result: 'failed', reason: refusal } : { tries: 0 },
    ),
    limits: { runMs: context.settings.runMs, startMs: request.startMs ?? context.settings.startMs },
    state: firstState(context, request, tasks, now),
  }
  return { run, repositories: repositories.map((fresh) => sealed(context, fresh, now)) }
}

/** Offered at once when this server holds the client's line: that saves a write before the order goes out. */
function firstState(
  context: Context,
  { project, client, startMs = context.settings.startMs }: RunRequest,
  tasks: readonly Task[],
  now: Instant,
): Run['state'] {
  const refusal = tasks.find((task) => task.refusal)?.refusal
  if (refusal) return { is: 'finished', attempt: 1, result: 'failed', at: now, reason: refusal }
  if (tasks.length === 0) return { is: 'finished', attempt: 1, result: 'success', at: now }
  const by = later(now, startMs)
  return context.holdsLine(project, client)
    ? { is: 'offered', attempt: 1, at: now, by }
    : { is: 'waiting', attempt: 1, from: now, by }
}

function sealed(context: Context, fresh: NewRepository, now: Instant): Put {
  const password = context.secrets.random(32)
  return put('repository', fresh.project, fresh.id, {
    ...fresh,
    sealedPassword: context.sealer.seal(password, repositoryPlace(fresh.project, fresh.id)),
    createdAt: now,
  })
}

/** What a repository's sealed password is bound to. */
export const repositoryPlace = (project: string, id: string): string => `repository/${project}/${id}`

/** Where a client's default repository of an engine lies; `folder` stands in the place of the engine's name. */
export const defaultLocation = (template: string, project: string, client: string, folder: string): string =>
  template.replaceAll('{project}', project).replaceAll('{client}', client).replaceAll('{engine}', folder)

/** The repositories of a project, of all nodes and shared, that lie at a place. */
export function* repositoriesAt(
  { state }: Pick<Context, 'state'>,
  project: ProjectId,
  engine: string,
  location: string,
): Generator<Repository> {
  for (const { value } of state.where('repository', 'place', scoped(project, `${engine} ${location}`)))
    yield value
}

/** A backup, unless it is being removed. */
const kept = (stored: Stored<Backup> | undefined): Backup | undefined =>
  stored?.value.forgetting === undefined ? stored?.value : undefined

function* keptOf(stored: Iterable<Stored<Backup>>): Generator<Backup> {
  for (const { value } of stored) if (value.forgetting === undefined) yield value
}

/** The transaction that creates runs: each must not exist, nor the repositories that come with them. */
export function creating(runs: readonly { run: Run; repositories: readonly Put[] }[]): Transaction {
  const repositories = new Map<string, Put>()
  for (const made of runs) for (const fresh of made.repositories) repositories.set(fresh.id, fresh)
  const puts = [...runs.map(({ run }) => put('run', run.project, run.id, run)), ...repositories.values()]
  return {
    requires: puts.map(({ kind, project, id }) => ({ ...ref(kind, project, id), revision: 0 })),
    puts,
  }
}
