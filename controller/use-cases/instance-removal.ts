import type { Backup } from '../../core/catalogue.ts'
import { Fault } from '../../core/fault.ts'
import { instanceJobOf, type BackupId, type InstanceBackupId, type ProjectId } from '../../core/ids.ts'
import type { InstanceBackup } from '../../core/instance.ts'
import { isBeingDeleted } from '../plan/backup-tree.ts'
import { put, ref, unchanged } from '../state/documents.ts'
import { every } from '../state/indexes.ts'
import type { State } from '../state/state.ts'
import type { Caller, Context } from './context.ts'
import { forgetRun } from './forgetting.ts'
import { backupTree, existingInstanceBackup, parentOf, rootOf, savedEntry } from './instance-records.ts'
import { creating } from './new-run.ts'
import { retrying, surely } from './retrying.ts'

/** A run names all that it removes in one document, which etcd takes up to 1.5 MB of: some 150 bytes each. */
const treeMax = 2_000

/**
 * Deletes a backup with all that build on it, at every depth: all or nothing. Returns when that is accepted; records go when
 * their data is gone. Done again meanwhile it changes nothing. Throws Fault 'not_found', 'busy' (one of them is running, and
 * which, or one is being restored), 'too_much' (more than 2 000 of them), 'store_down'.
 */
export async function removeInstanceBackup(
  context: Context,
  caller: Caller,
  id: InstanceBackupId,
): Promise<void> {
  await surely(context, () => retrying(context, () => remove(context, caller, id)))
}

async function remove(context: Context, caller: Caller, id: InstanceBackupId): Promise<void> {
  const { state } = context
  const stored = existingInstanceBackup(context, caller, id)
  const record = stored.value
  const { project, client } = record
  const itself = unchanged('instance_backup', project, id, stored)
  // Its data is another's.
  if (record.state.is === 'restored' || record.instance === undefined)
    return void (await state.commit({
      requires: [itself],
      puts: [],
      deletes: [ref('instance_backup', project, id)],
    }))
  if (isBeingDeleted(record, (of) => parentOf(state, of))) return
  const made = forgetRun(context, {
    ...{ project, client, user: caller.user, job: instanceJobOf(record.instance) },
    // Each try is a run of its own.
    key: `forget:${id}:${stored.revision}`,
    backups: doomed(state, record),
  })
  const runs = creating([made])
  // Whoever makes a backup that builds on one of these meanwhile writes the instance, too, and whoever restores one the root:
  // one of the two is refused.
  const instance = state.get('instance', project, record.instance)
  const root = rootOf(state, stored)
  const isPart = root.value.id !== id
  await state.commit({
    requires: [
      itself,
      ...(isPart ? [unchanged('instance_backup', project, root.value.id, root)] : []),
      unchanged('instance', project, record.instance, instance),
      ...runs.requires,
    ],
    puts: [
      put('instance_backup', project, id, { ...record, deleting: made.run.id }),
      ...(isPart ? [put('instance_backup', project, root.value.id, root.value)] : []),
      ...(instance ? [put('instance', project, record.instance, instance.value)] : []),
      ...runs.puts,
    ],
  })
}

/** What the records of a tree have in repositories. Throws Fault 'busy' when it cannot be deleted now, 'too_much'. */
function doomed(state: State, root: InstanceBackup): Backup[] {
  const { project } = root
  const tree = backupTree(state, root)
  if (tree.length > treeMax)
    throw new Fault('too_much', `more than ${treeMax} backups build on ${root.id}; delete some of them first`)
  const open = tree.find(({ state: { is } }) => is === 'open')
  if (open) throw new Fault('busy', `backup ${open.id} is running`)
  const needed = beingRestored(state, project)
  return tree.flatMap((record) => {
    const entry = savedEntry(state, record)
    if (entry && needed.has(entry.id)) throw new Fault('busy', `backup ${record.id} is being restored`)
    return entry ?? []
  })
}

/** The backups that instances are being made from now. */
function beingRestored(state: State, project: ProjectId): Set<BackupId> {
  const read = new Set<BackupId>()
  for (const { value } of state.where('instance', 'open', every)) {
    if (value.project !== project || value.state.is !== 'building') continue
    const run = state.get('run', project, value.state.run)?.value
    for (const { sources } of run?.tasks ?? []) for (const { backup } of sources ?? []) read.add(backup)
  }
  return read
}
