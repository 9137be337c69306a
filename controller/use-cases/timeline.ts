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

/**
 * The places of documents by whatever they are listed by (a project, a job of it), kept in order: so a page is found without a
 * look at the rest.
 */
export class Timeline {
  readonly #places = new Map<string, Place[]>()

  insert(list: string, place: Place): void {
    const places = this.#places.get(list)
    if (!places) return void this.#places.set(list, [place])
    const last = places.at(-1)
    // Nearly always: documents come in the order in which they are made.
    if (!last || comparePlaces(last, place) < 0) places.push(place)
    else places.splice(indexOf(places, place), 0, place)
  }

  /** Ids, newest first, beginning after `from`. */
  *newest(list: string, from?: Place): IterableIterator<string> {
    const places = this.#places.get(list) ?? []
    for (let i = (from ? indexOf(places, from) : places.length) - 1; i >= 0; i--) {
      const place = places[i]
      if (place) yield place.id
    }
  }

  /** Ids in order of creation, beginning after `from`. */
  *oldest(list: string, from?: Place): IterableIterator<string> {
    const places = this.#places.get(list) ?? []
    for (let i = from ? indexOf(places, from) : 0; i < places.length; i++) {
      const place = places[i]
      if (place && (!from || comparePlaces(place, from) > 0)) yield place.id
    }
  }

  drop(list: string, place: Place): void {
    const places = this.#places.get(list) ?? []
    const at = indexOf(places, place)
    if (places[at]?.id === place.id) places.splice(at, 1)
    if (places.length === 0) this.#places.delete(list)
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
