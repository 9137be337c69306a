import type { Backup } from '../../core/catalogue.ts'
import { Fault } from '../../core/fault.ts'
import { backupIdOf, type BackupId, type InstanceBackupId } from '../../core/ids.ts'
import type { InstanceBackup } from '../../core/instance.ts'
import { treeOf } from '../plan/backup-tree.ts'
import type { Stored } from '../state/documents.ts'
import { scoped } from '../state/indexes.ts'
import type { State } from '../state/state.ts'
import type { Caller, Context } from './context.ts'

/** The caller's backup; an administrator's are those of every project. Throws Fault('not_found'). */
export function existingInstanceBackup(
  { state }: Pick<Context, 'state'>,
  { project, role }: Caller,
  id: InstanceBackupId,
): Stored<InstanceBackup> {
  const [found] =
    role === 'admin' ? state.where('instance_backup', 'id', id) : [state.get('instance_backup', project, id)]
  if (!found) throw new Fault('not_found', `no backup ${id}`)
  return found
}

/** The record that a backup builds on, while there is one. */
export const parentOf = (state: State, { project, parent }: InstanceBackup): InstanceBackup | undefined =>
  parent && state.get('instance_backup', project, parent)?.value

/**
 * The catalogue's entry for what a backup has saved: there is none before its end, or when it failed with nothing kept.
 * That of a registered one is another's.
 */
const savedBy = ({ backup, run }: InstanceBackup): BackupId | undefined =>
  backup ?? (run === undefined ? undefined : backupIdOf(run, 0))

/** A backup and all that build on it, each after its parent. */
export const backupTree = (state: State, root: InstanceBackup): InstanceBackup[] =>
  treeOf(root, ({ project, id }) =>
    [...state.where('instance_backup', 'parent', scoped(project, id))].map(({ value }) => value),
  )

/**
 * The record at the root of all that a backup builds on. Who deletes a backup of a tree, or begins to restore one, writes it
 * with the same commit: so no two on whichever servers pass by each other unseen, however deep they are in the tree.
 */
export function rootOf(state: State, stored: Stored<InstanceBackup>): Stored<InstanceBackup> {
  const seen = new Set<string>()
  let at = stored
  while (at.value.parent !== undefined && !seen.has(at.value.id)) {
    seen.add(at.value.id)
    const next = state.get('instance_backup', at.value.project, at.value.parent)
    if (!next) break
    at = next
  }
  return at
}

/** The record whose data this is: of a registered one, another. undefined: that is gone. */
export function ownerOf(
  state: State,
  stored: Stored<InstanceBackup>,
  entry: Backup,
): Stored<InstanceBackup> | undefined {
  if (stored.value.state.is !== 'restored') return stored
  for (const found of state.where('instance_backup', 'run', scoped(entry.project, entry.run)))
    if (savedBy(found.value) === entry.id) return found
  return undefined
}

/** What a record has in the catalogue, while it is there. */
export function savedEntry(state: State, record: InstanceBackup): Backup | undefined {
  const id = savedBy(record)
  return id && state.get('backup', record.project, id)?.value
}
