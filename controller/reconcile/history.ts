import { later, type Instant } from '../../core/clock.ts'
import { isFault } from '../../core/fault.ts'
import { slotAt, type ProjectId } from '../../core/ids.ts'
import type { Epoch } from '../../core/link.ts'
import type { Run } from '../../core/run.ts'
import { setIdOf } from '../../core/set.ts'
import { isAnswerForgotten, isForgotten, lot, runsKept, surplusOf } from '../plan/history.ts'
import type { Ref } from '../ports/backend.ts'
import { ref } from '../state/documents.ts'
import { scoped } from '../state/indexes.ts'
import type { Context } from '../use-cases/context.ts'

/** Deleted in one transaction. */
const atOnce = 50

/** How often all runs are looked through. Milliseconds. */
const sweepEveryMs = 3_600_000

const refOf = ({ project, id }: Run): Ref => ref('run', project, id)

export interface HistoryOptions {
  readonly context: Pick<Context, 'state' | 'clock'>
  readonly epoch: () => Epoch | undefined
}

/**
 * Leader only: keeps the number of finished runs of each job within bounds, and forgets those of jobs that are gone, and
 * answers that were kept for callers who might ask again.
 */
export class History {
  readonly #options: HistoryOptions

  constructor(options: HistoryOptions) {
    this.#options = options
  }

  async look(project: ProjectId, job: string): Promise<undefined> {
    const { context, epoch } = this.#options
    const { state } = context
    const key = scoped(project, job)
    const finished = state.countWhere('run', 'job', key) - state.countWhere('run', 'openOfJob', key)
    if (epoch() === undefined || finished < runsKept + lot) return
    const runs = [...state.where('run', 'job', key)].map(({ value }) => value)
    const surplus = surplusOf(runs, (run) => this.#isNeeded(run))
    await this.#drop(surplus.map(refOf))
  }

  /**
   * Looks through all runs for those whose job is gone, and through kept answers for those whose time is over, once in a
   * while. Resolves with when to look again.
   */
  async sweep(): Promise<Instant> {
    const { context, epoch } = this.#options
    const { state, clock } = context
    const now = clock.now()
    if (epoch() !== undefined) {
      const forgotten: Ref[] = []
      for (const { value } of state.all('run'))
        if (isForgotten(value, now) && this.#isOrphan(value) && !this.#isNeeded(value))
          forgotten.push(refOf(value))
      for (const { value } of state.all('answer'))
        if (isAnswerForgotten(value, now)) forgotten.push(ref('answer', value.project, value.id))
      await this.#drop(forgotten)
    }
    return later(now, sweepEveryMs)
  }

  /** A job that is stored and cannot be read is not gone. */
  #isOrphan({ project, job }: Run): boolean {
    const { state } = this.#options.context
    return !state.get('job', project, job) && !state.unreadable('job', project, job)
  }

  async #drop(all: readonly Ref[]): Promise<void> {
    const { context, epoch } = this.#options
    // One that has become unreadable since would keep the others of its lot.
    const refs = all.filter(({ kind, project, id }) => !context.state.unreadable(kind, project, id))
    for (let from = 0; from < refs.length; from += atOnce) {
      const leads = epoch()
      if (leads === undefined) return
      try {
        await context.state.commit({
          requires: [],
          puts: [],
          deletes: refs.slice(from, from + atOnce),
          epoch: leads,
        })
      } catch (error) {
        if (!isFault(error, 'fenced')) throw error
        return
      }
    }
  }

  /**
   * By a set that goes on, by a record that has still to be told how it ended, or to show that it was made while others of its
   * slot are not.
   */
  #isNeeded({ id, project, session, job, slot }: Run): boolean {
    const { state } = this.#options.context
    const making = state.get('job', project, job)?.value.plan.making
    if (making && slot === slotAt(making.slot)) return true
    const set = session && state.get('set', project, setIdOf(session.id, session.tag))?.value
    if (set !== undefined && set.phase.is !== 'ended') return true
    const key = scoped(project, id)
    if (state.countWhere('instance', 'run', key) + state.countWhere('backup', 'forgetting', key) > 0)
      return true
    for (const { value } of state.where('instance_backup', 'run', key))
      if (value.deleting === id || (value.run === id && value.state.is === 'open')) return true
    return false
  }
}
