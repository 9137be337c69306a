import type { Run, RunState } from '../../core/run.ts'
import { setIdOf, type SetRecord } from '../../core/set.ts'
import type { Stored } from '../state/documents.ts'
import { scoped } from '../state/indexes.ts'
import type { State } from '../state/state.ts'
import { Timeline, comparePlaces, placeOf, type Place } from './timeline.ts'

export { comparePlaces, placeOf, type Place } from './timeline.ts'

export const placeOfSet = ({ admittedAt, session, tag }: SetRecord): Place => ({
  at: admittedAt,
  id: setIdOf(session, tag),
})

/**
 * What views need and the state's indexes do not give: runs and sets with the newest first, the last run of each job,
 * counts. Fed by every change of the state, so that no request scans them.
 */
export class Recent {
  readonly #state: State
  readonly #runs = new Timeline()
  readonly #sets = new Timeline()
  readonly #last = new Map<string, Stored<Run>>()
  readonly #counts = new Map<RunState['is'], number>()

  constructor(state: State) {
    this.#state = state
    for (const stored of state.all('run')) this.#takeRun(undefined, stored)
    for (const stored of state.all('set')) this.#takeSet(undefined, stored)
    state.onLook(({ kind, before, after }) => {
      if (kind === 'run') this.#takeRun(before, after)
      if (kind === 'set') this.#takeSet(before, after)
    })
  }

  /** Runs of a project, newest first, beginning after `from`. */
  *runsOf(project: string, from?: Place): IterableIterator<Stored<Run>> {
    for (const id of this.#runs.newest(project, from)) {
      const run = this.#state.get('run', project, id)
      if (run) yield run
    }
  }

  /** Sets of a project, newest first, beginning after `from`. */
  *setsOf(project: string, from?: Place): IterableIterator<Stored<SetRecord>> {
    for (const id of this.#sets.newest(project, from)) {
      const set = this.#state.get('set', project, id)
      if (set) yield set
    }
  }

  /** The newest finished run that was for what the job asks for. */
  lastOf(project: string, job: string): Stored<Run> | undefined {
    return this.#last.get(scoped(project, job))
  }

  countIn(state: RunState['is']): number {
    return this.#counts.get(state) ?? 0
  }

  #takeSet(before: Stored<SetRecord> | undefined, after: Stored<SetRecord> | undefined): void {
    if (!before && after) this.#sets.insert(after.value.project, placeOfSet(after.value))
    if (before && !after) this.#sets.drop(before.value.project, placeOfSet(before.value))
  }

  #takeRun(before: Stored<Run> | undefined, after: Stored<Run> | undefined): void {
    if (before) this.#count(before.value, -1)
    if (after) this.#count(after.value, 1)
    if (!before && after) this.#runs.insert(after.value.project, placeOf(after.value))
    if (before && !after) this.#drop(before.value)
    if (after) this.#compare(after)
  }

  #count({ state }: Run, by: number): void {
    this.#counts.set(state.is, (this.#counts.get(state.is) ?? 0) + by)
  }

  #drop(run: Run): void {
    this.#runs.drop(run.project, placeOf(run))
    const key = scoped(run.project, run.job)
    if (this.#last.get(key)?.value.id !== run.id) return
    this.#last.delete(key)
    for (const other of this.#state.where('run', 'job', key)) this.#compare(other)
  }

  #compare(stored: Stored<Run>): void {
    const { project, job, purpose, state } = stored.value
    if (purpose !== 'job' || state.is !== 'finished') return
    const key = scoped(project, job)
    const last = this.#last.get(key)
    if (!last || comparePlaces(placeOf(last.value), placeOf(stored.value)) <= 0) this.#last.set(key, stored)
  }
}
