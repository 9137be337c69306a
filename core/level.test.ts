import { describe, expect, it } from 'vitest'
import { aBackup, noon } from '../test/support/builders.ts'
import type { LevelRule } from './action.ts'
import type { Backup } from './catalogue.ts'
import { later } from './clock.ts'
import type { BackupId } from './ids.ts'
import { chooseLevel } from './level.ts'

const dayMs = 86_400_000

/** The levels of one backup a day under a rule, and the level of the parent of each. */
function daily(
  rule: Partial<LevelRule>,
  count: number,
): { levels: number[]; parents: (number | undefined)[] } {
  const series: Backup[] = []
  const parents: (number | undefined)[] = []
  for (let day = 0; day < count; day++) {
    const startedAt = later(noon, day * dayMs)
    const { level, parent } = chooseLevel({ noIncremental: false, ...rule }, series, startedAt)
    series.push(aBackup({ id: `b${day}` as BackupId, level, startedAt }))
    parents.push(parent?.level)
  }
  return { levels: series.map(({ level }) => level), parents }
}

describe('the level of the next backup', () => {
  it('grows without end when there is no rule, each on the one before', () => {
    expect(daily({}, 4)).toEqual({ levels: [0, 1, 2, 3], parents: [undefined, 0, 1, 2] })
  })

  it('is always 0 without increments', () => {
    expect(daily({ noIncremental: true }, 3).levels).toEqual([0, 0, 0])
  })

  it('starts again at 0 above max_level', () => {
    expect(daily({ maxLevel: 2 }, 7).levels).toEqual([0, 1, 2, 0, 1, 2, 0])
    expect(daily({ maxLevel: 0 }, 3).levels).toEqual([0, 0, 0])
  })

  it('stays at always_level, each on the newest of the level below; that wins over max_level', () => {
    const expected = { levels: [0, 1, 2, 2, 2], parents: [undefined, 0, 1, 1, 1] }
    expect(daily({ alwaysLevel: 2 }, 5)).toEqual(expected)
    expect(daily({ alwaysLevel: 2, maxLevel: 1 }, 5)).toEqual(expected)
    expect(daily({ alwaysLevel: 0 }, 3).levels).toEqual([0, 0, 0])
  })

  it('starts again at 0 when the last increment is older than restart_always_level days', () => {
    const series = [0, 1].map((level) =>
      aBackup({ level, id: `b${level}` as BackupId, startedAt: later(noon, level * dayMs) }),
    )
    const rule = { noIncremental: false, alwaysLevel: 1, restartAlwaysLevelDays: 7 }
    expect(chooseLevel(rule, series, later(noon, 8 * dayMs))).toMatchObject({
      level: 1,
      parent: { level: 0 },
    })
    expect(chooseLevel(rule, series, later(noon, 8 * dayMs + 1))).toEqual({ level: 0 })
    expect(chooseLevel(rule, series.slice(0, 1), later(noon, 30 * dayMs)).level).toBe(1)
  })

  it('starts again at 0 when always_level was lowered, or its parent is gone', () => {
    const [zero, one, two] = [0, 1, 2].map((level) => aBackup({ level, id: `b${level}` as BackupId }))
    const rule = { noIncremental: false, alwaysLevel: 1 }
    expect(chooseLevel(rule, [zero!, one!, two!], noon)).toEqual({ level: 0 })
    expect(chooseLevel({ ...rule, alwaysLevel: 3 }, [zero!, one!], noon)).toMatchObject({
      level: 2,
      parent: one,
    })
    expect(chooseLevel({ ...rule, alwaysLevel: 2 }, [zero!, two!], noon)).toEqual({ level: 0 })
  })

  it('builds on what was kept whole or in part, never on a backup that failed', () => {
    const zero = aBackup()
    const partial = aBackup({ id: 'b1' as BackupId, level: 1, result: 'partial' })
    const failed = aBackup({ id: 'b2' as BackupId, level: 2, result: 'failed' })
    expect(chooseLevel({ noIncremental: false }, [zero, partial, failed], noon)).toEqual({
      level: 2,
      parent: partial,
    })
    expect(chooseLevel({ noIncremental: false }, [aBackup({ result: 'failed' })], noon)).toEqual({ level: 0 })
    expect(chooseLevel({ noIncremental: false }, [partial], noon)).toEqual({ level: 0 })
  })
})
