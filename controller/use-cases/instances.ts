import type { Backup, Client } from '../../core/catalogue.ts'
import { badField, Fault } from '../../core/fault.ts'
import {
  instanceIdOf,
  instanceJobOf,
  manualSlot,
  type ActionId,
  type ClientId,
  type InstanceBackupId,
  type InstanceId,
  type ProjectId,
} from '../../core/ids.ts'
import type { Instance, InstanceBackup } from '../../core/instance.ts'
import { isEnrolled } from '../../core/select.ts'
import { isBeingDeleted, isComplete } from '../plan/backup-tree.ts'
import type { OwnAction } from '../plan/tasks.ts'
import { put, ref, unchanged, type Stored } from '../state/documents.ts'
import type { State } from '../state/state.ts'
import type { Caller, Context } from './context.ts'
import { ownerOf, parentOf, rootOf, savedEntry } from './instance-records.ts'
import { creating, newRun } from './new-run.ts'
import { quotaMark } from './quota.ts'
import { retrying, surely } from './retrying.ts'

/** Instances of a project that were made from backups, at most. Each is a whole copy of a database on a node. */
export const madeInstancesMax = 20

/** An instance to be created by restoring a backup. */
export interface NewInstance {
  readonly name: string
  /** One that has completed, or that is registered. */
  readonly backup: InstanceBackupId
  /** What the caller takes the backup to be of: its type must be the backup's, its version may be another. */
  readonly datastore?: { readonly type: string; readonly version?: string }
  /** The room for its data: not less than the backup's. Bytes. */
  readonly volumeBytes?: number
  /** Create it on this node. Absent: where the backup was made, else where its repository can be reached from. */
  readonly client?: ClientId
}

/**
 * The caller's instance; an administrator may look into every project. Throws Fault('not_found') for another project's,
 * too.
 */
export function existingInstance(
  { state }: Pick<Context, 'state'>,
  { project, role }: Caller,
  id: InstanceId,
): Stored<Instance> {
  const [found] = role === 'admin' ? state.where('instance', 'id', id) : [state.get('instance', project, id)]
  if (!found) throw new Fault('not_found', `no instance ${id}`)
  return found
}

/**
 * Restores a backup into a new instance, which a node creates from a template of its own configuration. It is `building`
 * until its run has ended. Throws Fault 'not_found' (the backup, or its data), 'conflict' (it has neither completed nor is
 * it registered, or it is being deleted), 'forbidden' (the volume is smaller than the backup), 'bad_request' (another kind
 * of database; the field is `datastore`), 'unsupported' (no node has a template for it), 'too_much' (the project has
 * `madeInstancesMax` of them), 'store_down'.
 */
export function createInstance(
  context: Context,
  caller: Caller,
  wish: NewInstance,
): Promise<Stored<Instance>> {
  const random = context.secrets.uuid().slice(0, 8)
  return surely(context, () => retrying(context, () => create(context, caller, wish, random)))
}

async function create(
  context: Context,
  { project, user }: Caller,
  wish: NewInstance,
  random: string,
): Promise<Stored<Instance>> {
  const { state, clock } = context
  const { stored, root, entry } = sourceOf(state, project, wish)
  const record = stored.value
  const { client, template } = siteFor(state, project, record, entry, wish.client)
  const mark = placeFor(state, project)
  const key = keyFor(wish.name, random)
  const id = instanceIdOf(project, client, key)
  const action: OwnAction = {
    ...{ actionId: 'restore' as ActionId, maxRetries: 0, maxRetriesIntervalS: 0, mandatory: false },
    action: {
      ...{ do: 'restore', engine: record.datastore.type, from: { is: 'backup', id: entry.id } },
      ...{ include: [], target: '', create: { template, instance: key, name: wish.name } },
      ...{ overwrite: false, repository: { is: 'default' }, limits: {} },
    },
  }
  const made = newRun(context, {
    ...{ project, user, client, job: instanceJobOf(id), slot: manualSlot('create') },
    ...{ actions: [action], purpose: 'restore' },
  })
  const now = clock.now()
  const value: Instance = {
    ...{ id, project, client, key, name: wish.name, datastore: record.datastore },
    state: { is: 'building', run: made.run.id },
    ...(record.bytes === undefined ? {} : { bytes: record.bytes }),
    ...{ madeFrom: record.id, createdAt: now, updatedAt: now },
  }
  const runs = creating([made])
  const revision = await state.commit({
    requires: [
      unchanged('instance', project, id, undefined),
      unchanged('instance_backup', project, root.value.id, root),
      ...(record.id === root.value.id ? [] : [unchanged('instance_backup', project, record.id, stored)]),
      ...mark.requires,
      ...runs.requires,
    ],
    // The root as it is: whoever deletes one of the tree meanwhile is told.
    puts: [
      put('instance', project, id, value),
      put('instance_backup', project, root.value.id, root.value),
      ...mark.puts,
      ...runs.puts,
    ],
  })
  return { value, revision }
}

/** The backup that is to be restored, the root of the tree whose data it is, and what of it is in a repository. */
function sourceOf(
  state: State,
  project: ProjectId,
  { backup, datastore, volumeBytes }: NewInstance,
): { stored: Stored<InstanceBackup>; root: Stored<InstanceBackup>; entry: Backup } {
  const stored = state.get('instance_backup', project, backup)
  if (!stored) throw new Fault('not_found', `no backup ${backup}`)
  const record = stored.value
  if (!isComplete(record) && record.state.is !== 'restored')
    throw new Fault('conflict', `backup ${backup} is not completed`)
  const { type } = record.datastore
  if (datastore && datastore.type !== type)
    throw badField('datastore', `backup ${backup} is one of ${type}, not ${datastore.type}`)
  if (volumeBytes !== undefined && volumeBytes < (record.bytes ?? 0))
    throw new Fault('forbidden', `the volume is smaller than backup ${backup}`, { field: 'volume' })
  const entry = savedEntry(state, record)
  if (!entry) throw new Fault('not_found', `the data of backup ${backup} is gone`)
  // A registered one goes with the data that it names.
  const owner = ownerOf(state, stored, entry) ?? stored
  if (isBeingDeleted(owner.value, (of) => parentOf(state, of)))
    throw new Fault('conflict', `backup ${backup} is being deleted`)
  return { stored, root: rootOf(state, owner), entry }
}

/** What every instance that is made from a backup writes. Throws Fault('too_much'). */
function placeFor(state: State, project: ProjectId): ReturnType<typeof quotaMark> {
  let made = 0
  for (const { value } of state.of('instance', project)) if (value.madeFrom !== undefined) made++
  if (made >= madeInstancesMax)
    throw new Fault(
      'too_much',
      `project ${project} has its ${made} instances from backups; delete some first`,
    )
  return quotaMark(state, project, 'instances')
}

/** The node that is to create it, and from which of its templates. */
function siteFor(
  state: State,
  project: ProjectId,
  { datastore: { type } }: InstanceBackup,
  entry: Backup,
  wanted: ClientId | undefined,
): { client: ClientId; template: string } {
  const clients = wanted === undefined ? candidates(state, entry) : [state.get('client', project, wanted)]
  for (const stored of clients) {
    if (!isEnrolled(stored?.value)) continue
    const template = stored?.value.agent?.templates?.find(({ datastore }) => datastore.type === type)
    if (stored && template) return { client: stored.value.id, template: template.name }
  }
  const where = wanted ?? 'a node that reaches its repository'
  throw new Fault('unsupported', `no template for ${type} on ${where}`)
}

/** The node that made the backup, and, unless the repository lies on that one, all others. */
function* candidates(
  state: State,
  { project, client, repository }: Backup,
): Generator<Stored<Client> | undefined> {
  yield state.get('client', project, client)
  if (state.get('repository', project, repository)?.value.client !== undefined) return
  yield* state.of('client', project)
}

/** A key that its node will not have yet, and that people recognize. */
function keyFor(name: string, random: string): string {
  const plain = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 40)
  return `${plain || 'db'}-${random}`
}

/**
 * Drops the record of an instance that its agent does not announce (any more), or whose restore failed; its backups and its
 * data stay. Throws Fault 'not_found', 'busy' (its agent announces it: the record would come back; it is being restored, or
 * a backup of it is under way), 'store_down'.
 */
export async function removeInstance(context: Context, caller: Caller, id: InstanceId): Promise<void> {
  const remove = async (): Promise<void> => {
    const stored = existingInstance(context, caller, id)
    const { project, state, busy } = stored.value
    if (busy !== undefined) throw new Fault('busy', `backup ${busy} of instance ${id} is running`)
    if (state.is === 'building') throw new Fault('busy', `instance ${id} is being restored`)
    if (state.is === 'active' || (state.is === 'down' && !state.gone)) throw announcedStill(stored.value)
    await context.state.commit({
      requires: [unchanged('instance', project, id, stored)],
      puts: [],
      deletes: [ref('instance', project, id)],
    })
  }
  await surely(context, () => retrying(context, remove))
}

const announcedStill = ({ id, client, key }: Instance): Fault =>
  new Fault(
    'busy',
    `instance ${id} is looked after by the agent of ${client}, as "${key}": first take it out of that agent's configuration or, if it was made from a backup, remove its file there and wait until the agent has dropped it`,
  )
