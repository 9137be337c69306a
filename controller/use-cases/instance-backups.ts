import type { Instant } from '../../core/clock.ts'
import { badField, Fault } from '../../core/fault.ts'
import {
  instanceBackupId,
  instanceJobOf,
  manualSlot,
  uuidOf,
  type ActionId,
  type InstanceBackupId,
  type InstanceId,
  type ProjectId,
} from '../../core/ids.ts'
import type { Instance, InstanceBackup } from '../../core/instance.ts'
import { isBeingDeleted, isComplete, newestComplete } from '../plan/backup-tree.ts'
import { begunAt, hasBegun } from '../plan/instance-backups.ts'
import type { OwnAction } from '../plan/tasks.ts'
import { put, unchanged, type Stored, type Transaction } from '../state/documents.ts'
import { scoped } from '../state/indexes.ts'
import type { State } from '../state/state.ts'
import { containerPlace } from './containers.ts'
import type { Caller, Context } from './context.ts'
import { parentOf, rootOf } from './instance-records.ts'
import { creating, newRun } from './new-run.ts'
import { quotaMark } from './quota.ts'
import { retrying, surely } from './retrying.ts'
import { containerFor } from './strategies.ts'

/** A backup of an instance, as it is asked for. */
export interface NewInstanceBackup {
  readonly instance: InstanceId
  readonly name: string
  readonly description?: string
  /** Build on this backup, whatever `incremental` says. */
  readonly parent?: InstanceBackupId
  /** Build on the newest completed backup of the instance; a full one when there is none. */
  readonly incremental: boolean
  /** Absent: as the instance's strategy says, else the project's, else `database_backups`. */
  readonly container?: string
}

/** Data that is there already, to be known as a backup of its own. */
export interface RegisteredBackup {
  readonly name: string
  readonly description?: string
  /** The `location` of a completed backup of the caller's project. */
  readonly location: string
  /** As the caller knows it; bytes. */
  readonly bytes: number
}

/** What callers are shown of how far a backup is. */
export interface Progress {
  readonly status: 'NEW' | 'BUILDING' | 'COMPLETED' | 'FAILED' | 'DELETE_FAILED' | 'RESTORED'
  /** Of the last change of the status. */
  readonly updatedAt: Instant
  /** Size of the data; absent until the work has begun. */
  readonly bytes?: number
}

/** How long a node may take to begin, at most: whoever asked is waiting, and the instance takes nothing else. Milliseconds. */
const startMaxMs = 3_600_000

/**
 * Starts a backup of an instance: its record, its run and the instance's being busy are one transaction, so two at once
 * cannot both be accepted. Throws Fault 'not_found' (instance or parent), 'busy' (the instance is not ready, or another
 * backup of it is running), 'bad_request' (a parent that has not completed, or of another instance; the field is
 * `parent_id`), 'unsupported' (its node cannot back it up), 'too_much' (the project's quota), 'store_down'.
 */
export function createInstanceBackup(
  context: Context,
  caller: Caller,
  wish: NewInstanceBackup,
): Promise<Stored<InstanceBackup>> {
  const id = newId(context)
  return surely(context, () => retrying(context, () => start(context, caller, wish, id)))
}

const newId = ({ secrets }: Context): InstanceBackupId => instanceBackupId(uuidOf(secrets.uuid()))

async function start(
  context: Context,
  caller: Caller,
  wish: NewInstanceBackup,
  id: InstanceBackupId,
): Promise<Stored<InstanceBackup>> {
  const { state, clock } = context
  const { project, user } = caller
  const stored = readyInstance(context, project, wish.instance)
  const instance = stored.value
  const parent = parentFor(context, instance, wish)
  const mark = placeFor(context, project)
  const place = containerFor(context, project, instance.id, wish.container)
  const { container } = place
  const made = newRun(context, {
    project,
    user,
    job: instanceJobOf(instance.id),
    client: instance.client,
    slot: manualSlot(id),
    actions: [actionFor(context, instance, wish.name, container, parent?.value)],
    startMs: Math.min(startMaxMs, context.settings.startMs),
  })
  const now = clock.now()
  const repository = made.run.tasks[0]?.repository
  const value: InstanceBackup = {
    ...{ id, project, user, name: wish.name },
    ...(wish.description === undefined ? {} : { description: wish.description }),
    ...{ instance: instance.id, client: instance.client },
    ...(parent ? { parent: parent.value.id } : {}),
    ...{ datastore: instance.datastore, container },
    ...(repository === undefined ? {} : { repository }),
    ...{ run: made.run.id, state: { is: 'open' }, createdAt: now, updatedAt: now },
  }
  const runs = creating([made])
  const revision = await state.commit({
    requires: [
      unchanged('instance', project, instance.id, stored),
      unchanged('instance_backup', project, id, undefined),
      // Whoever deletes it meanwhile writes it, or the instance.
      ...(parent ? [unchanged('instance_backup', project, parent.value.id, parent)] : []),
      ...place.requires,
      ...mark.requires,
      ...runs.requires,
    ],
    puts: [
      put('instance', project, instance.id, { ...instance, busy: id, updatedAt: now }),
      put('instance_backup', project, id, value),
      ...mark.puts,
      ...runs.puts,
    ],
  })
  return { value, revision }
}

function readyInstance({ state }: Context, project: ProjectId, id: InstanceId): Stored<Instance> {
  const stored = state.get('instance', project, id)
  if (!stored) throw new Fault('not_found', `no instance ${id}`)
  const { busy, state: now, datastore, client } = stored.value
  if (busy !== undefined) throw new Fault('busy', `backup ${busy} of instance ${id} is running`)
  if (now.is !== 'active') {
    const why = now.is === 'building' ? 'it is being restored' : now.why
    throw new Fault('busy', `instance ${id} is not ready: ${why}`)
  }
  const agent = state.get('client', project, client)?.value.agent
  if (agent && !agent.engines.some(({ engine }) => engine === datastore.type))
    throw new Fault('unsupported', `the node of instance ${id} has no way to back up ${datastore.type}`)
  return stored
}

function parentFor(
  { state }: Context,
  { project, datastore: { type } }: Instance,
  { instance, parent, incremental }: NewInstanceBackup,
): Stored<InstanceBackup> | undefined {
  const isGoing = (backup: InstanceBackup): boolean => isBeingDeleted(backup, (of) => parentOf(state, of))
  if (parent === undefined) {
    if (!incremental) return undefined
    const all = [...state.where('instance_backup', 'instance', scoped(project, instance))]
    const fit = all.map(({ value }) => value).filter((of) => of.datastore.type === type && !isGoing(of))
    const newest = newestComplete(fit)
    return newest && state.get('instance_backup', project, newest.id)
  }
  const stored = state.get('instance_backup', project, parent)
  if (!stored) throw new Fault('not_found', `no backup ${parent}`)
  if (stored.value.instance !== instance)
    throw badField('parent_id', `backup ${parent} is not one of instance ${instance}`)
  // A node may call another kind of database by the name of one that it had before.
  if (stored.value.datastore.type !== type)
    throw badField('parent_id', `backup ${parent} is one of ${stored.value.datastore.type}, not ${type}`)
  if (!isComplete(stored.value)) throw badField('parent_id', `backup ${parent} is not completed`)
  if (isGoing(stored.value)) throw badField('parent_id', `backup ${parent} is being deleted`)
  return stored
}

const actionFor = (
  { settings }: Context,
  { client, project, key, datastore }: Instance,
  backupName: string,
  container: string,
  parent: InstanceBackup | undefined,
): OwnAction => ({
  ...{ actionId: 'backup' as ActionId, maxRetries: 0, maxRetriesIntervalS: 0, mandatory: false },
  parent: parent?.backup ?? 'none',
  action: {
    ...{ do: 'backup', engine: datastore.type, backupName, paths: [], instance: key, excludes: [] },
    ...{ oneFileSystem: false, onUnreadable: 'fail', levels: { noIncremental: parent === undefined } },
    repository: containerPlace(settings.defaultRepository, project, client, container),
    limits: {},
  },
})

/** What every backup of a project writes. Throws Fault('too_much'). */
function placeFor({ state, settings }: Context, project: ProjectId): Pick<Transaction, 'requires' | 'puts'> {
  const max = settings.backupsPerProject
  if (state.count('instance_backup', project) >= max) {
    let counted = 0
    for (const { value } of state.of('instance_backup', project))
      if (!isBeingDeleted(value, (of) => parentOf(state, of))) counted++
    if (counted >= max)
      throw new Fault('too_much', `project ${project} has its ${max} backups; delete some first`)
  }
  return quotaMark(state, project, 'backups')
}

/**
 * Registers data of another backup under a name of its own: restorable, and never deleted by this record. Throws Fault
 * 'bad_request' (nothing is known of that location; the field is `remote_location`), 'too_much' (quota), 'store_down'.
 */
export function registerInstanceBackup(
  context: Context,
  { project, user }: Caller,
  { name, description, location, bytes }: RegisteredBackup,
): Promise<Stored<InstanceBackup>> {
  const { state, clock } = context
  const id = newId(context)
  return surely(context, () =>
    retrying(context, async () => {
      const source = sourceAt(state, project, location)
      const mark = placeFor(context, project)
      const now = clock.now()
      const { client, datastore, container, repository, backup } = source.value
      const root = rootOf(state, source)
      const value: InstanceBackup = {
        ...{ id, project, user, name },
        ...(description === undefined ? {} : { description }),
        ...{ client, datastore, container },
        ...(repository === undefined ? {} : { repository }),
        ...(backup === undefined ? {} : { backup }),
        ...{ state: { is: 'restored' }, bytes, location, createdAt: now, updatedAt: now },
      }
      const revision = await state.commit({
        requires: [
          unchanged('instance_backup', project, id, undefined),
          // Whoever deletes the source meanwhile writes it.
          unchanged('instance_backup', project, root.value.id, root),
          ...mark.requires,
        ],
        puts: [put('instance_backup', project, id, value), ...mark.puts],
      })
      return { value, revision }
    }),
  )
}

function sourceAt(state: State, project: ProjectId, location: string): Stored<InstanceBackup> {
  for (const stored of state.of('instance_backup', project)) {
    const { value } = stored
    if (
      value.location === location &&
      isComplete(value) &&
      !isBeingDeleted(value, (of) => parentOf(state, of))
    )
      return stored
  }
  throw badField('remote_location', 'no completed backup of this installation lies there')
}

/** How far a backup is. Of one that is open its run tells. */
export function progressOf({ state }: Pick<Context, 'state'>, backup: InstanceBackup): Progress {
  const { updatedAt, bytes, deleteFailed } = backup
  const size = bytes === undefined ? {} : { bytes }
  switch (backup.state.is) {
    case 'open': {
      const run = backup.run && state.get('run', backup.project, backup.run)?.value
      if (!run || !hasBegun(run)) return { status: 'NEW', updatedAt }
      const instance = backup.instance && state.get('instance', backup.project, backup.instance)?.value
      return {
        status: 'BUILDING',
        updatedAt: begunAt(run),
        ...(instance?.bytes === undefined ? {} : { bytes: instance.bytes }),
      }
    }
    case 'completed':
      return { status: deleteFailed ? 'DELETE_FAILED' : 'COMPLETED', updatedAt, ...size }
    case 'failed':
      return { status: deleteFailed ? 'DELETE_FAILED' : 'FAILED', updatedAt, ...size }
    case 'restored':
      return { status: 'RESTORED', updatedAt, ...size }
  }
}
