import type { LevelRule } from './action.ts'
import type { Backup } from './catalogue.ts'
import type { Instant } from './clock.ts'

/** Freezer's level of the next backup of a series, and the backup that it builds on. */
export interface LevelChoice {
  readonly level: number
  readonly parent?: Backup
}

const dayMs = 86_400_000

/**
 * Chosen by Freezer's rules, when the run is created. `series`: the backups of the same job, name, engine and
 * repository, oldest first; those that failed are no parents.
 *
 * Without a rule: an endless chain. `maxLevel` N: 0…N, then 0 again. `alwaysLevel` N: 0…N, then N again and again, each on the
 * newest of N−1, and a new 0 when the last one is older than `restartAlwaysLevelDays`; it wins over `maxLevel`.
 */
export function chooseLevel(rule: LevelRule, series: readonly Backup[], now: Instant): LevelChoice {
  const chain = newestChain(series.filter((backup) => backup.result !== 'failed'))
  const newest = chain.at(-1)
  if (rule.noIncremental || !newest) return { level: 0 }
  const highest = Math.max(...chain.map((backup) => backup.level))
  if (rule.alwaysLevel !== undefined) return alwaysLevel(rule, rule.alwaysLevel, chain, highest, newest, now)
  if (rule.maxLevel !== undefined && highest >= rule.maxLevel) return { level: 0 }
  return { level: newest.level + 1, parent: newest }
}

function alwaysLevel(
  rule: LevelRule,
  always: number,
  chain: readonly Backup[],
  highest: number,
  newest: Backup,
  now: Instant,
): LevelChoice {
  const days = rule.restartAlwaysLevelDays
  const tooOld = days !== undefined && newest.level > 0 && now - newest.startedAt > days * dayMs
  if (tooOld || highest > always || always === 0) return { level: 0 }
  const level = Math.min(highest + 1, always)
  const parent = chain.findLast((backup) => backup.level === level - 1)
  return parent ? { level, parent } : { level: 0 }
}

/** From the newest level 0 on. */
function newestChain(series: readonly Backup[]): Backup[] {
  const start = series.findLastIndex((backup) => backup.level === 0)
  return start < 0 ? [] : series.slice(start)
}
