import { later, type Instant } from '../../core/clock.ts'
import { isFault } from '../../core/fault.ts'
import type { ProjectId } from '../../core/ids.ts'
import type { Epoch } from '../../core/link.ts'
import type { Run } from '../../core/run.ts'
import { setIdOf } from '../../core/set.ts'
import { isForgotten, runsKept, surplusOf } from '../plan/history.ts'
import { ref } from '../state/documents.ts'
import { scoped } from '../state/indexes.ts'
import type { Context } from '../use-cases/context.ts'

/** Deleted in one transaction. */
const atOnce = 50

/** How often all runs are looked through. Milliseconds. */
const sweepEveryMs = 3_600_000

export interface HistoryOptions {
  readonly context: Pick<Context, 'state' | 'clock'>
  readonly epoch: () => Epoch | undefined
}

/** Leader only: keeps the number of finished runs of each job within bounds, and forgets those of jobs that are gone. */
export class History {
  readonly #options: HistoryOptions

  constructor(options: HistoryOptions) {
    this.#options = options
  }

  async look(project: ProjectId, job: string): Promise<undefined> {
    const { context, epoch } = this.#options
    const { state } = context
    const key = scoped(project, job)
    if (epoch() === undefined || state.countWhere('run', 'job', key) <= runsKept) return
    const runs = [...state.where('run', 'job', key)].map(({ value }) => value)
    const surplus = surplusOf(runs, (run) => this.#isNeeded(run))
    await this.#drop(surplus)
  }

  /** Looks through all runs for those whose job is gone, once in a while. Resolves with when to look again. */
  async sweep(): Promise<Instant> {
    const { context, epoch } = this.#options
    const { state, clock } = context
    const now = clock.now()
    if (epoch() !== undefined) {
      const forgotten: Run[] = []
      for (const { value } of state.all('run'))
        if (isForgotten(value, now) && !state.get('job', value.project, value.job) && !this.#isNeeded(value))
          forgotten.push(value)
      await this.#drop(forgotten)
    }
    return later(now, sweepEveryMs)
  }

  async #drop(runs: readonly Run[]): Promise<void> {
    const { context, epoch } = this.#options
    for (let from = 0; from < runs.length; from += atOnce) {
      const leads = epoch()
      if (leads === undefined) return
      try {
        await context.state.commit({
          requires: [],
          puts: [],
          deletes: runs.slice(from, from + atOnce).map((run) => ref('run', run.project, run.id)),
          epoch: leads,
        })
      } catch (error) {
        if (!isFault(error, 'fenced')) throw error
        return
      }
    }
  }

  /** By a set that goes on, or by a record that has still to be told how it ended. */
  #isNeeded({ id, project, session }: Run): boolean {
    const { state } = this.#options.context
    const set = session && state.get('set', project, setIdOf(session.id, session.tag))?.value
    if (set !== undefined && set.phase.is !== 'ended') return true
    if (state.countWhere('instance', 'run', scoped(project, id)) > 0) return true
    for (const { value } of state.where('instance_backup', 'run', scoped(project, id)))
      if (value.deleting === id || (value.run === id && value.state.is === 'open')) return true
    return false
  }
}
