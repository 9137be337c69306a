import { describe, expect, it } from 'vitest'
import { noon } from '../../test/support/builders.ts'
import { anInstanceBackup, backupNumber } from '../../test/support/instance-builders.ts'
import { later } from '../../core/clock.ts'
import type { RunId } from '../../core/ids.ts'
import type { InstanceBackup } from '../../core/instance.ts'
import { isBeingDeleted, isComplete, newestComplete, treeOf } from './backup-tree.ts'

const complete = (n: number, over: Partial<InstanceBackup> = {}): InstanceBackup =>
  anInstanceBackup({ id: backupNumber(n), state: { is: 'completed' }, ...over })
const on = (n: number, parent: number, over: Partial<InstanceBackup> = {}): InstanceBackup =>
  complete(n, { parent: backupNumber(parent), ...over })

/** 1 ← 2 ← 4, 1 ← 3, and 5 by itself. */
const all = [complete(1), on(2, 1), on(3, 1), on(4, 2), complete(5)]
const childrenIn = (backups: InstanceBackup[]) => (of: InstanceBackup) =>
  backups.filter(({ parent }) => parent === of.id)
const parentIn = (backups: InstanceBackup[]) => (of: InstanceBackup) =>
  backups.find(({ id }) => id === of.parent)

describe('the tree of a backup', () => {
  it('is the backup and all that build on it, each after the one that it builds on', () => {
    const ids = (root: number) => treeOf(all[root - 1]!, childrenIn(all)).map(({ id }) => id)
    expect(ids(1)).toEqual([1, 2, 3, 4].map(backupNumber))
    expect(ids(2)).toEqual([2, 4].map(backupNumber))
    expect(ids(5)).toEqual([backupNumber(5)])
  })

  it('ends, even where records build on each other in a ring', () => {
    const ring = [on(1, 2), on(2, 1)]
    expect(treeOf(ring[0]!, childrenIn(ring))).toHaveLength(2)
    expect(isBeingDeleted(ring[0]!, parentIn(ring))).toBe(false)
  })

  it('is being deleted below the one that is marked, and nowhere else', () => {
    const marked = all.map((backup) =>
      backup.id === backupNumber(2) ? { ...backup, deleting: 'run' as RunId } : backup,
    )
    const going = marked.filter((backup) => isBeingDeleted(backup, parentIn(marked)))
    expect(going.map(({ id }) => id)).toEqual([2, 4].map(backupNumber))
  })
})

describe('what an incremental builds on', () => {
  it('is the complete one that changed last, then the one that was created later', () => {
    const late = later(noon, 1)
    expect(newestComplete([complete(1, { updatedAt: late }), complete(2)])?.id).toBe(backupNumber(1))
    expect(newestComplete([complete(1), complete(2, { createdAt: late })])?.id).toBe(backupNumber(2))
    expect(newestComplete([complete(1, { createdAt: late }), complete(2)])?.id).toBe(backupNumber(1))
  })

  it('is none that failed, is open, is another’s, or could not be deleted', () => {
    const reason = { code: 'x', text: 'x' }
    const others = [
      complete(1, { state: { is: 'failed', reason } }),
      complete(2, { state: { is: 'open' } }),
      complete(3, { state: { is: 'restored' } }),
      complete(4, { deleteFailed: reason }),
    ]
    expect(others.some(isComplete)).toBe(false)
    expect(newestComplete(others)).toBeUndefined()
  })
})
