import type { Client } from '../../core/catalogue.ts'
import type { Job } from '../../core/job.ts'
import type { Run } from '../../core/run.ts'
import { isEnrolled } from '../../core/select.ts'
import type { Stored } from '../state/documents.ts'
import { mentionsOf, scoped } from '../state/indexes.ts'
import type { State } from '../state/state.ts'
import { placeOf, type Place } from './timeline.ts'

/**
 * The jobs of each client that are not over, in order of creation: kept up with every change of the state, so that the poll
 * of a client's scheduler takes the same time whatever else is stored, also where thousands of its jobs are over.
 */
export class Unfinished {
  readonly #state: State
  readonly #isOver: (job: Job) => boolean
  /** By project and client; places, for the jobs themselves change. */
  readonly #lists = new Map<string, Place[]>()

  /** What `isOver` looks at beside the job, its runs and its client must be told of a change before this is. */
  constructor(state: State, isOver: (job: Job) => boolean) {
    this.#state = state
    this.#isOver = isOver
    for (const { value } of state.all('job')) this.#take(undefined, value)
    state.onLook(({ kind, before, after }) => {
      if (kind === 'job') this.#take(before?.value, after?.value)
      if (kind === 'run') this.#takeRun(before?.value, after?.value)
      if (kind === 'client') this.#takeClient(before?.value, after?.value)
    })
  }

  /** Jobs that mention a client and are not over, in order of creation. They may come and go meanwhile. */
  *of(project: string, client: string): IterableIterator<Stored<Job>> {
    const list = scoped(project, client)
    let last: Place | undefined
    // Those of one moment: which of them come before which cannot be told from it.
    const met = new Set<string>()
    for (let index = 0; ; index++) {
      const places = this.#lists.get(list) ?? []
      if (last && places[index - 1] !== last) index = goneOn(places, last, met)
      const place = places[index]
      if (!place) return
      if (place.at !== last?.at) met.clear()
      met.add(place.id)
      last = place
      const stored = this.#state.get('job', project, place.id)
      if (stored) yield stored
    }
  }

  #take(before: Job | undefined, after: Job | undefined): void {
    const isWanted = after !== undefined && !this.#isOver(after)
    const wanted = isWanted ? mentionsOf(after) : []
    for (const client of before ? mentionsOf(before) : [])
      if (before && !wanted.includes(client)) this.#drop(scoped(before.project, client), placeOf(before))
    if (after) for (const client of wanted) this.#insert(scoped(after.project, client), placeOf(after))
  }

  /** Whether a job is over changes with the beginning and the end of a run only. */
  #takeRun(before: Run | undefined, after: Run | undefined): void {
    const run = after ?? before
    if (!run || (before && after && isOpen(before) === isOpen(after))) return
    const job = this.#state.get('job', run.project, run.job)?.value
    this.#take(job, job)
  }

  /** Who runs a client's jobs is who says how they stand. */
  #takeClient(before: Client | undefined, after: Client | undefined): void {
    const client = after ?? before
    if (!client || isEnrolled(before) === isEnrolled(after)) return
    for (const { value } of this.#state.where('job', 'client', scoped(client.project, client.id)))
      this.#take(value, value)
  }

  #insert(list: string, place: Place): void {
    const places = this.#lists.get(list)
    if (!places) return void this.#lists.set(list, [place])
    const last = places.at(-1)
    // Nearly always: jobs come in the order in which they are made.
    if (!last || last.at < place.at) places.push(place)
    else if (indexIn(places, place) < 0) places.splice(firstAfter(places, place.at), 0, place)
  }

  #drop(list: string, place: Place): void {
    const places = this.#lists.get(list) ?? []
    const index = indexIn(places, place)
    if (index >= 0) places.splice(index, 1)
    if (places.length === 0) this.#lists.delete(list)
  }
}

const isOpen = ({ state }: Run): boolean => state.is !== 'finished'

/** The first index whose place is of a later moment. Those of one moment stand in the order in which they came. */
function firstAfter(places: readonly Place[], at: number): number {
  let low = 0
  let high = places.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((places[middle]?.at ?? at) <= at) low = middle + 1
    else high = middle
  }
  return low
}

function indexIn(places: readonly Place[], { at, id }: Place): number {
  for (let index = firstAfter(places, at) - 1; places[index]?.at === at; index--)
    if (places[index]?.id === id) return index
  return -1
}

/** Where to go on after a place when others, or it, have come or gone. */
function goneOn(places: readonly Place[], { at }: Place, met: ReadonlySet<string>): number {
  let index = firstAfter(places, at - 1)
  while (places[index]?.at === at && met.has(places[index]?.id ?? '')) index++
  return index
}
