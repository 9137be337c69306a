import { keeperOf, type Action, type JobAction } from '../../core/action.ts'
import type { Backup, Repository } from '../../core/catalogue.ts'
import type { Instant } from '../../core/clock.ts'
import { meaningOf } from '../../core/freezer-action.ts'
import {
  repositoryIdOf,
  type BackupId,
  type ClientId,
  type JobId,
  type ProjectId,
  type RepositoryId,
} from '../../core/ids.ts'
import { chooseLevel } from '../../core/level.ts'
import type { Parent, Reason, Task } from '../../core/run.ts'
import { newestOf } from '../../core/select.ts'

/** What is known when a run is planned. Lookups only. */
export interface Known {
  readonly project: ProjectId
  readonly client: ClientId
  readonly job: JobId
  readonly now: Instant
  /** Where an engine's default repository of the client lies. Two engines never share a folder. */
  defaultLocation(engine: string): string
  repository(id: RepositoryId): Repository | undefined
  /** Those of an engine that lie there, on whichever node. */
  repositoriesAt(engine: string, location: string): Iterable<Repository>
  backup(id: string): Backup | undefined
  /** Kept backups of a client, in order of creation. */
  backupsOf(client: ClientId): Iterable<Backup>
}

/** An action that a server asks for by itself, in the domain's own words. */
export interface OwnAction extends Omit<JobAction, 'freezer' | 'extra'> {
  readonly action: Action
  /** Of a backup: what it builds on, in place of what the rules of levels would choose; `none`: it is a full one. */
  readonly parent?: BackupId | 'none'
}

/** An action as users wrote it, or as a server asks for it. */
export type AskedAction = JobAction | OwnAction

/** A repository that a run needs and that is not there yet. */
export type NewRepository = Pick<Repository, 'id' | 'project' | 'client' | 'engine' | 'location'>

export interface PlannedTasks {
  readonly tasks: readonly Task[]
  readonly repositories: readonly NewRepository[]
}

/** Everything that is decided for a run's actions before it is sent: repository, level, parent, sources. */
export function planTasks(actions: readonly AskedAction[], known: Known): PlannedTasks {
  const fresh = new Map<RepositoryId, NewRepository>()
  const tasks = actions.map((entry) => planTask(entry, known, fresh))
  return { tasks, repositories: [...fresh.values()] }
}

function planTask(entry: AskedAction, known: Known, fresh: Map<RepositoryId, NewRepository>): Task {
  const own = 'action' in entry
  const meaning = own ? entry : meaningOf(entry.freezer)
  const base = {
    actionId: entry.actionId,
    maxRetries: entry.maxRetries,
    retryAfterMs: entry.maxRetriesIntervalS * 1_000,
    mandatory: entry.mandatory,
  }
  if ('refusal' in meaning) return { ...base, action: notUnderstood, refusal: meaning.refusal }
  const parent = own ? entry.parent : undefined
  return { ...base, action: meaning.action, ...decide(meaning.action, parent, known, fresh) }
}

/** Stands in for an action that has no meaning here; never sent to run. */
const notUnderstood: Action = { do: 'exec', engine: 'exec', commands: [], timeLimitMs: 0, limits: {} }

type Decided = Pick<Task, 'repository' | 'level' | 'parent' | 'sources' | 'refusal'>

function decide(
  action: Action,
  parent: OwnAction['parent'],
  known: Known,
  fresh: Map<RepositoryId, NewRepository>,
): Decided {
  switch (action.do) {
    case 'exec':
      return {}
    case 'backup': {
      const repository = repositoryFor(action, known, fresh)
      if (typeof repository !== 'string') return repository
      return {
        repository,
        ...(parent === undefined
          ? levelFor(action, repository, known)
          : levelOn(parent === 'none' ? undefined : known.backup(parent), repository)),
      }
    }
    case 'verify': {
      const repository = repositoryFor(action, known, fresh)
      return typeof repository === 'string' ? { repository } : repository
    }
    case 'restore':
      return sourceFor(action, known)
    case 'forget': {
      const found = action.backups.flatMap((id) => known.backup(id) ?? [])
      const [first] = found
      if (!first || found.length < action.backups.length) return refused('backup_unknown', 'no such backup')
      return { repository: first.repository, sources: found.map(parentOf) }
    }
  }
}

const refused = (code: string, text: string): { refusal: Reason } => ({ refusal: { code, text } })

const parentOf = (backup: Backup): Parent => ({ backup: backup.id, engineRef: backup.engineRef })

function repositoryFor(
  action: Exclude<Action, { do: 'exec' }>,
  known: Known,
  fresh: Map<RepositoryId, NewRepository>,
): RepositoryId | { refusal: Reason } {
  const choice = action.repository
  const engine = keeperOf(action.engine)
  if (choice.is === 'named') {
    const named = known.repository(choice.id)
    if (!named) return refused('repository_unknown', `no repository ${choice.id}`)
    if (named.engine !== engine)
      return refused('wrong_engine', `the repository is one of ${named.engine}, not ${engine}`)
    return named.id
  }
  const location = choice.is === 'place' ? choice.container : known.defaultLocation(engine)
  const { project, client } = known
  const id = repositoryIdOf(project, client, engine, location)
  // The place's own stays it when it has been moved.
  if (known.repository(id)) return id
  const registered = registeredAt(engine, location, known)
  if (registered) return registered.id
  fresh.set(id, { id, project, client, engine, location })
  return id
}

/** What was made known there before: another one would not open it, for its password is another. The node's own first. */
function registeredAt(engine: string, location: string, known: Known): Repository | undefined {
  let shared: Repository | undefined
  for (const repository of known.repositoriesAt(engine, location)) {
    if (repository.client === known.client) return repository
    if (repository.client === undefined) shared ??= repository
  }
  return shared
}

/** The level of a backup whose parent was named. What lies in another repository is no help to the engine. */
function levelOn(parent: Backup | undefined, repository: RepositoryId): Pick<Task, 'level' | 'parent'> {
  if (!parent) return { level: 0 }
  const level = parent.level + 1
  return parent.repository === repository ? { level, parent: parentOf(parent) } : { level }
}

function levelFor(
  action: Extract<Action, { do: 'backup' }>,
  repository: RepositoryId,
  known: Known,
): Pick<Task, 'level' | 'parent'> {
  const series = [...known.backupsOf(known.client)].filter(
    (backup) =>
      backup.job === known.job &&
      backup.backupName === action.backupName &&
      backup.repository === repository &&
      backup.engine === action.engine,
  )
  const { level, parent } = chooseLevel(action.levels, series, known.now)
  return { level, ...(parent ? { parent: parentOf(parent) } : {}) }
}

function sourceFor(action: Extract<Action, { do: 'restore' }>, known: Known): Decided {
  const { from } = action
  const backup =
    from.is === 'backup'
      ? known.backup(from.id)
      : newestOf(known.backupsOf((from.hostname ?? known.client) as ClientId), from)
  if (!backup) return refused('backup_unknown', 'there is no such backup to restore')
  // What a keeper keeps for another engine it gives back as files.
  if (backup.engine !== action.engine && keeperOf(backup.engine) !== action.engine)
    return refused('wrong_engine', `the backup was made with ${backup.engine}, not ${action.engine}`)
  return { repository: backup.repository, sources: [parentOf(backup)] }
}
