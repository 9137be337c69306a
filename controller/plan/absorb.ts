import type { Backup } from '../../core/catalogue.ts'
import type { Instant } from '../../core/clock.ts'
import { backupsOf } from '../../core/report.ts'
import type { RepositoryId } from '../../core/ids.ts'
import { advance, type RunEvent } from '../../core/run-machine.ts'
import type { Run } from '../../core/run.ts'

/** Something that was said of a run. Reports come with how often the feed has delivered them, and by whom. */
export interface Said {
  readonly event: RunEvent
  readonly delivery?: { readonly client: string; readonly delivered: number }
}

export interface Absorbed {
  /** The run after everything; the same object when nothing changed. */
  readonly run: Run | undefined
  readonly backups: readonly Backup[]
  /** What the engine calls each repository that something was saved in. */
  readonly engineIds: ReadonlyMap<RepositoryId, string>
  /** For each that was said: what to answer its report. undefined: deliver it again later. */
  readonly applied: readonly ('committed' | 'foreign' | undefined)[]
}

/** The report of an attempt that nobody orders is given up after it came this often. */
const deliveriesMax = 20

/** Whether the attempt's outcome is in the run: it is finished, or a later attempt is due. */
export const isSettled = (run: Run, attempt: number): boolean =>
  run.state.is === 'finished' || run.state.attempt > attempt

/**
 * The run, and the backups to catalogue, after what was said of it. A result stands; what was saved is catalogued even when
 * its run had ended as lost. `catalogued`: whether a backup is there already.
 */
export function absorb(
  run: Run | undefined,
  said: readonly Said[],
  now: Instant,
  catalogued: (id: Backup['id']) => boolean,
): Absorbed {
  const backups = new Map<string, Backup>()
  const engineIds = new Map<RepositoryId, string>()
  let after = run
  const applied = said.map(({ event, delivery }): 'committed' | 'foreign' | undefined => {
    if (!after || (delivery && delivery.client !== after.client)) return 'foreign'
    const before = after
    after = advance(before, event, now)
    if (event.type !== 'reported') return 'committed'
    const { report } = event
    const late = after === before
    if (late && !isSettled(before, report.attempt))
      return (delivery?.delivered ?? 0) > deliveriesMax ? 'foreign' : undefined
    for (const backup of backupsOf(before, report))
      if (!late || !catalogued(backup.id)) backups.set(backup.id, backup)
    for (const { step, saved } of report.steps) {
      const repository = before.tasks[step]?.repository
      if (repository && saved?.repositoryId !== undefined) engineIds.set(repository, saved.repositoryId)
    }
    return 'committed'
  })
  return { run: after, backups: [...backups.values()], engineIds, applied }
}
