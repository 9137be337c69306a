import { z } from 'zod'
import type { Instant } from '../../core/clock.ts'
import { comparePlaces, type Place } from '../../controller/use-cases/recent.ts'
import { refusal } from '../fields.ts'
import { signedText, textSigned } from '../markers.ts'
import type { Ask } from '../route.ts'

/** The query of every list, to be spread into its own. */
export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(1000).default(50).meta({ description: 'At most so many' }),
  cursor: z
    .string()
    .max(600)
    .optional()
    .meta({ description: 'Go on where a page ended: `next` of that page' }),
}

/** A part of a list. */
export interface Wanted {
  readonly limit: number
  readonly from: Place | undefined
  /** Which list: only its own cursors go on in it. */
  readonly list: string
}

/** What part of a list is asked for. Throws Fault('bad_request') for a cursor that this list has not given. */
export function pageOf(
  ask: Ask,
  { limit, cursor }: { readonly limit: number; readonly cursor?: string | undefined },
): Wanted {
  const list = `${ask.caller.project} ${ask.http.req.path.replace(/\/+$/, '')}`
  return { limit, from: cursor === undefined || cursor === '' ? undefined : placeIn(cursor, list), list }
}

/** Where a page ended: opaque to clients, and good for as long as they like, whatever is added or removed meanwhile. */
const cursorOf = ({ at, id }: Place, list: string): string => signedText(`${at} ${id}`, list)

function placeIn(cursor: string, list: string): Place {
  const [, at, id] = /^(\d{1,16}) ([\w.-]{1,300})$/.exec(textSigned(cursor, list) ?? '') ?? []
  if (at === undefined || id === undefined) throw refusal('cursor', 'is not one that this list has given')
  return { at: Number(at) as Instant, id }
}

/** The first `limit` that `keep` keeps, and the cursor to the rest. The documents come in order, beginning after the cursor. */
export function cut<T>(
  documents: Iterable<T>,
  { limit, list }: Pick<Wanted, 'limit' | 'list'>,
  place: (document: T) => Place,
  keep: (document: T) => boolean = () => true,
): { page: T[]; next: string | null } {
  const page: T[] = []
  for (const document of documents) {
    if (!keep(document)) continue
    const last = page.at(-1)
    if (page.length >= limit && last) return { page, next: cursorOf(place(last), list) }
    page.push(document)
  }
  return { page, next: null }
}

/** Documents of an index, newest first, beginning after `from`: for indexes of at most some thousands. */
export function newestFirst<T>(
  documents: Iterable<T>,
  from: Place | undefined,
  place: (document: T) => Place,
): T[] {
  const older = [...documents].filter((document) => !from || comparePlaces(place(document), from) < 0)
  return older.sort((a, b) => comparePlaces(place(b), place(a)))
}

/** As `newestFirst`, in order of creation. */
export function oldestFirst<T>(
  documents: Iterable<T>,
  from: Place | undefined,
  place: (document: T) => Place,
): T[] {
  const younger = [...documents].filter((document) => !from || comparePlaces(place(document), from) > 0)
  return younger.sort((a, b) => comparePlaces(place(a), place(b)))
}

/** Documents without what they are stored with. */
export function* valuesOf<T>(stored: Iterable<{ readonly value: T }>): IterableIterator<T> {
  for (const { value } of stored) yield value
}
