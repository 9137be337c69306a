import type { Instant } from '../../core/clock.ts'

/** Where a document stands in the order of creation. */
export interface Place {
  readonly at: Instant
  readonly id: string
}

export const placeOf = ({ createdAt, id }: { readonly createdAt: Instant; readonly id: string }): Place => ({
  at: createdAt,
  id,
})

export const comparePlaces = (a: Place, b: Place): number =>
  a.at - b.at || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)

/** The places of documents by project, kept in order, so that the newest are found without a look at the rest. */
export class Timeline {
  readonly #places = new Map<string, Place[]>()

  insert(project: string, place: Place): void {
    const places = this.#places.get(project)
    if (!places) return void this.#places.set(project, [place])
    const last = places.at(-1)
    // Nearly always: documents come in the order in which they are made.
    if (!last || comparePlaces(last, place) < 0) places.push(place)
    else places.splice(indexOf(places, place), 0, place)
  }

  /** Ids of a project's documents, newest first, beginning after `from`. */
  *newest(project: string, from?: Place): IterableIterator<string> {
    const places = this.#places.get(project) ?? []
    for (let i = (from ? indexOf(places, from) : places.length) - 1; i >= 0; i--) {
      const place = places[i]
      if (place) yield place.id
    }
  }

  drop(project: string, place: Place): void {
    const places = this.#places.get(project) ?? []
    const at = indexOf(places, place)
    if (places[at]?.id === place.id) places.splice(at, 1)
  }
}

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
