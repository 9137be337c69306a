import type { Instant } from '../../core/clock.ts'
import type { Run, RunState } from '../../core/run.ts'
import type { Stored } from '../state/documents.ts'
import { scoped } from '../state/indexes.ts'
import type { State } from '../state/state.ts'

/** Where a run stands in the order of creation. */
export interface Place {
  readonly at: Instant
  readonly id: string
}

export const comparePlaces = (a: Place, b: Place): number =>
  a.at - b.at || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)

/**
 * What views of runs need and the state's indexes do not give: the newest first, the last of each job, counts. Fed by
 * every change of the state, so that no request scans the runs.
 */
export class RecentRuns {
  readonly #state: State
  readonly #places = new Map<string, Place[]>()
  readonly #last = new Map<string, Stored<Run>>()
  readonly #counts = new Map<RunState['is'], number>()

  constructor(state: State) {
    this.#state = state
    for (const stored of state.all('run')) this.#take(undefined, stored)
    state.onLook(({ kind, before, after }) => {
      if (kind === 'run') this.#take(before as Stored<Run> | undefined, after as Stored<Run> | undefined)
    })
  }

  /** Runs of a project, newest first, beginning after `from`. */
  *newestOf(project: string, from?: Place): IterableIterator<Stored<Run>> {
    const places = this.#places.get(project) ?? []
    for (let i = (from ? indexOf(places, from) : places.length) - 1; i >= 0; i--) {
      const run = this.#state.get('run', project, places[i]?.id ?? '')
      if (run) yield run
    }
  }

  /** The newest finished run that was for what the job asks for. */
  lastOf(project: string, job: string): Stored<Run> | undefined {
    return this.#last.get(scoped(project, job))
  }

  countIn(state: RunState['is']): number {
    return this.#counts.get(state) ?? 0
  }

  #take(before: Stored<Run> | undefined, after: Stored<Run> | undefined): void {
    if (before) this.#count(before.value, -1)
    if (after) this.#count(after.value, 1)
    if (!before && after) this.#insert(after.value)
    if (before && !after) this.#drop(before.value)
    if (after) this.#compare(after)
  }

  #count({ state }: Run, by: number): void {
    this.#counts.set(state.is, (this.#counts.get(state.is) ?? 0) + by)
  }

  #insert({ project, id, createdAt }: Run): void {
    let places = this.#places.get(project)
    if (!places) this.#places.set(project, (places = []))
    const place = { at: createdAt, id }
    const last = places.at(-1)
    if (!last || comparePlaces(last, place) < 0) places.push(place)
    else places.splice(indexOf(places, place), 0, place)
  }

  #drop({ project, id, createdAt, job }: Run): void {
    const places = this.#places.get(project) ?? []
    const at = indexOf(places, { at: createdAt, id })
    if (places[at]?.id === id) places.splice(at, 1)
    const key = scoped(project, job)
    if (this.#last.get(key)?.value.id !== id) return
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

export const placeOf = ({ createdAt, id }: Pick<Run, 'createdAt' | 'id'>): Place => ({ at: createdAt, id })

/** The first index whose place is not before `place`. */
function indexOf(places: readonly Place[], place: Place): number {
  let low = 0
  let high = places.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const here = places[middle]
    if (here && comparePlaces(here, place) < 0) low = middle + 1
    else high = middle
  }
  return low
}
