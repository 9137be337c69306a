import type { Clock } from '../../../core/clock.ts'
import { attemptVariable, stateVariable, tidyVariable } from './environment.ts'
import { commandLadder, resticLadder, stopGroup } from './ladder.ts'
import { environmentOf, liveProcesses, processStat, type ProcessStat } from './proc.ts'

/** A process that an earlier life of this agent started. */
export interface Orphan {
  readonly pid: number
  readonly group: number
  readonly startTime: string
  /** Unknown when only the ledger names it and its environment cannot be read. */
  readonly attemptId?: string
  /** It tidies up on SIGINT, or nobody knows what it is. */
  readonly tidies: boolean
}

export interface OrphanQuery {
  /** This agent's state mark: only its own children are found by their environment. */
  readonly stateMark: string
  /** Only children of these attempts; absent: of any. */
  readonly attempts?: ReadonlySet<string>
  /** What the ledger still has as running. */
  readonly ledger: readonly { readonly pid: number; readonly startTime: string }[]
}

/**
 * Looks for what outlived an earlier process: by the ledger (pid and start time, so that a reused pid is not taken for
 * it) and by the marks in the environment, which grandchildren inherit and which survive a lost ledger. Never finds the
 * caller itself or its process group.
 */
export function findOrphans(query: OrphanQuery): Orphan[] {
  const own = processStat(process.pid)
  const orphans: Orphan[] = []
  for (const stat of liveProcesses()) {
    if (stat.pid === process.pid || stat.group === own?.group) continue
    const marks = environmentOf(stat.pid, [attemptVariable, stateVariable, tidyVariable])
    const attemptId = marks?.[attemptVariable]
    const inLedger = query.ledger.some(
      (entry) => entry.pid === stat.pid && entry.startTime === stat.startTime,
    )
    const marked =
      marks?.[stateVariable] === query.stateMark &&
      attemptId !== undefined &&
      (query.attempts === undefined || query.attempts.has(attemptId))
    if (inLedger || marked) orphans.push(orphanOf(stat, attemptId, marks))
  }
  return orphans
}

function orphanOf(
  { pid, group, startTime }: ProcessStat,
  attemptId: string | undefined,
  marks: Readonly<Record<string, string>> | undefined,
): Orphan {
  const tidies = attemptId === undefined || marks?.[tidyVariable] !== undefined
  return { pid, group, startTime, tidies, ...(attemptId === undefined ? {} : { attemptId }) }
}

/**
 * Stops the groups of these orphans; those that tidy up get SIGINT first, so that restic removes its lock. Waits until they are gone, at most as
 * long as the ladder; gives back those that are still there.
 */
export async function endOrphans(orphans: readonly Orphan[], clock: Clock): Promise<Orphan[]> {
  const own = processStat(process.pid)?.group
  const tidies = new Map<number, boolean>()
  for (const { group, tidies: tidy } of orphans.filter(isStillThere))
    if (group !== own) tidies.set(group, tidy || tidies.get(group) === true)
  await Promise.all(
    [...tidies].map(([group, tidy]) => stopGroup(group, tidy ? resticLadder : commandLadder, clock)),
  )
  return orphans.filter(isStillThere)
}

function isStillThere(orphan: Orphan): boolean {
  const now = processStat(orphan.pid)
  return now !== undefined && now.state !== 'Z' && now.startTime === orphan.startTime
}
