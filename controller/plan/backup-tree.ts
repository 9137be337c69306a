import type { InstanceBackupId } from '../../core/ids.ts'
import type { InstanceBackup } from '../../core/instance.ts'

/** A backup with all that build on it, at every depth; each after the one that it builds on. */
export function treeOf(
  root: InstanceBackup,
  childrenOf: (backup: InstanceBackup) => Iterable<InstanceBackup>,
): InstanceBackup[] {
  const tree = [root]
  // The list grows while it is walked; an id is taken once, so that not even a ring of records goes on for ever.
  const taken = new Set<InstanceBackupId>([root.id])
  for (const backup of tree)
    for (const child of childrenOf(backup)) {
      if (taken.has(child.id)) continue
      taken.add(child.id)
      tree.push(child)
    }
  return tree
}

/**
 * Whether a backup, or one that it builds on, is being deleted: only the first of a tree is marked, so that accepting a
 * delete is one write, however many it takes with it.
 */
export function isBeingDeleted(
  backup: InstanceBackup,
  parentOf: (backup: InstanceBackup) => InstanceBackup | undefined,
): boolean {
  const seen = new Set<InstanceBackupId>()
  for (let at: InstanceBackup | undefined = backup; at && !seen.has(at.id); at = parentOf(at)) {
    if (at.deleting !== undefined) return true
    seen.add(at.id)
  }
  return false
}

/** Whether others can build on it, and instances be made from it. */
export const isComplete = ({ state, deleteFailed }: InstanceBackup): boolean =>
  state.is === 'completed' && !deleteFailed

/** What an incremental backup builds on when nothing is said: the complete one that changed last. */
export function newestComplete(backups: Iterable<InstanceBackup>): InstanceBackup | undefined {
  let newest: InstanceBackup | undefined
  for (const backup of backups)
    if (isComplete(backup) && (!newest || isLater(backup, newest))) newest = backup
  return newest
}

const isLater = (a: InstanceBackup, b: InstanceBackup): boolean =>
  a.updatedAt !== b.updatedAt ? a.updatedAt > b.updatedAt : a.createdAt >= b.createdAt
