import type { Repository } from '../../core/catalogue.ts'
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

/** Only what is of one client or session: of a job there are never many. */
export interface Part {
  readonly of: 'client' | 'session'
  readonly id: string
}

const listOf = (project: string, part: Part | undefined): string =>
  part ? `${project}/${part.of}/${part.id}` : project

const partsOf = ({ client, session }: Run): readonly Part[] => [
  { of: 'client', id: client },
  ...(session ? [{ of: 'session', id: session.id } as const] : []),
]

/**
 * What views need and the state's indexes do not give: runs and sets with the newest first, repositories with the oldest
 * first, the last run of each job, counts. Fed by every change of the state, so that no request scans them.
 */
export class Recent {
  readonly #state: State
  readonly #runs = new Timeline()
  readonly #sets = new Timeline()
  readonly #repositories = new Timeline()
  readonly #last = new Map<string, Stored<Run>>()
  readonly #counts = new Map<RunState['is'], number>()

  constructor(state: State) {
    this.#state = state
    for (const stored of state.all('run')) this.#takeRun(undefined, stored)
    for (const stored of state.all('set')) this.#takeSet(undefined, stored)
    for (const stored of state.all('repository')) this.#takeRepository(undefined, stored)
    state.onLook(({ kind, before, after }) => {
      if (kind === 'run') this.#takeRun(before, after)
      if (kind === 'set') this.#takeSet(before, after)
      if (kind === 'repository') this.#takeRepository(before, after)
    })
  }

  /** Runs of a project, or of a part of it, newest first, beginning after `from`. */
  *runsOf(project: string, from?: Place, part?: Part): IterableIterator<Stored<Run>> {
    for (const id of this.#runs.newest(listOf(project, part), from)) {
      const run = this.#state.get('run', project, id)
      if (run) yield run
    }
  }

  /** Sets of a project, or of a session of it, newest first, beginning after `from`. */
  *setsOf(
    project: string,
    from?: Place,
    part?: Part & { readonly of: 'session' },
  ): IterableIterator<Stored<SetRecord>> {
    for (const id of this.#sets.newest(listOf(project, part), from)) {
      const set = this.#state.get('set', project, id)
      if (set) yield set
    }
  }

  /** Repositories of a project in order of creation, beginning after `from`. */
  *repositoriesOf(project: string, from?: Place): IterableIterator<Stored<Repository>> {
    for (const id of this.#repositories.oldest(project, from)) {
      const repository = this.#state.get('repository', project, id)
      if (repository) yield repository
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
    const set = (after ?? before)?.value
    if (!set || (before && after)) return
    for (const list of [set.project, listOf(set.project, { of: 'session', id: set.session })])
      if (after) this.#sets.insert(list, placeOfSet(set))
      else this.#sets.drop(list, placeOfSet(set))
  }

  #takeRepository(before: Stored<Repository> | undefined, after: Stored<Repository> | undefined): void {
    if (!before && after) this.#repositories.insert(after.value.project, placeOf(after.value))
    if (before && !after) this.#repositories.drop(before.value.project, placeOf(before.value))
  }

  #takeRun(before: Stored<Run> | undefined, after: Stored<Run> | undefined): void {
    if (before) this.#count(before.value, -1)
    if (after) this.#count(after.value, 1)
    if (!before && after) this.#insert(after.value)
    if (before && !after) this.#drop(before.value)
    if (after) this.#compare(after)
  }

  #count({ state }: Run, by: number): void {
    this.#counts.set(state.is, (this.#counts.get(state.is) ?? 0) + by)
  }

  #insert(run: Run): void {
    const place = placeOf(run)
    for (const part of [undefined, ...partsOf(run)]) this.#runs.insert(listOf(run.project, part), place)
  }

  #drop(run: Run): void {
    for (const part of [undefined, ...partsOf(run)]) this.#runs.drop(listOf(run.project, part), placeOf(run))
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
