import { setImmediate as yieldToOthers } from 'node:timers/promises'
import { z } from 'zod'
import { quoted, refusal } from '../fields.ts'
import { signedText, textSigned } from '../markers.ts'
import type { Ask } from '../route.ts'

/** Where something stands in a list: lists begin with the smallest, compared part by part. */
export type Place = readonly [first: number, second: number, id: string]

/**
 * A page, and the longest one. More than Trove's 20: its command line looks for names in the first page only, and pages
 * by itself when it wants all.
 */
const pageMax = 1000

/** How long a list keeps the process to itself. Milliseconds. */
const sliceMs = 5
/** Documents between two looks at the clock. */
const sliceDocuments = 256

/** The parameters of every list. */
export const pageQuery = {
  limit: z
    .string()
    .regex(/^0*[1-9]\d*$/, 'must be a positive whole number')
    .optional()
    .meta({ description: `How many to answer with; at most ${pageMax}, also when left out.` }),
  marker: z.string().optional().meta({ description: 'From the next link of the page before.' }),
}

/** In answers: where to go on. */
export const linksForm = z
  .array(z.object({ rel: z.string(), href: z.string() }))
  .optional()
  .meta({ description: 'Holds a link `next` unless this is the last page.' })

const markerOf = (place: Place, list: string): string => signedText(place.join(' '), list)

/** The path is the list's name: it has the account, and the instance. */
const listOf = (ask: Ask): string => new URL(ask.http.req.url).pathname.replace(/\/+$/, '')

function placeIn(marker: string, list: string): Place {
  const [, first, second, id] =
    /^(-?\d{1,16}) (-?\d{1,16}) ([\w-]{1,64})$/.exec(textSigned(marker, list) ?? '') ?? []
  if (first === undefined || second === undefined || id === undefined)
    throw refusal('marker', `${quoted(marker)} is not one that this list has given`)
  return [Number(first), Number(second), id]
}

export const comparePlaces = (a: Place, b: Place): number =>
  a[0] - b[0] || a[1] - b[1] || (a[2] < b[2] ? -1 : a[2] > b[2] ? 1 : 0)

export interface Paged<T> {
  readonly documents: Iterable<T>
  readonly place: (document: T) => Place
  readonly keep: (document: T) => boolean
}

export interface Page<T> {
  readonly documents: T[]
  /** `{}` on the last page, else the link to the next one, to be spread into the answer. */
  readonly links: { readonly links?: { rel: 'next'; href: string }[] }
  /** How many there are on all pages. */
  readonly matches: number
}

/**
 * The page that is asked for. It looks at every document, in slices between which others are served, and keeps no more of
 * them than two pages. Throws Fault('bad_request') for a marker that is none.
 */
export async function pageOf<T>(
  ask: Ask,
  query: { readonly limit?: string | undefined; readonly marker?: string | undefined },
  paged: Paged<T>,
): Promise<Page<T>> {
  const limit = Math.min(Number(query.limit ?? pageMax), pageMax)
  const after = query.marker === undefined ? undefined : placeIn(query.marker, listOf(ask))
  const { first, matches } = await firstOf(paged, limit + 1, after)
  const shown = first.slice(0, limit)
  const last = shown.at(-1)
  return {
    documents: shown.map(({ document }) => document),
    links: first.length > limit && last ? { links: [{ rel: 'next', href: nextOf(ask, last.place) }] } : {},
    matches,
  }
}

/** The address asked for, with another marker: all other parameters stay. */
function nextOf(ask: Ask, last: Place): string {
  const url = new URL(ask.http.req.url)
  url.searchParams.set('marker', markerOf(last, listOf(ask)))
  return url.href
}

interface Standing<T> {
  readonly place: Place
  readonly document: T
}

async function firstOf<T>(
  { documents, place, keep }: Paged<T>,
  count: number,
  after: Place | undefined,
): Promise<{ first: Standing<T>[]; matches: number }> {
  let best: Standing<T>[] = []
  /** Nothing behind it can be among the first. */
  let bar: Place | undefined
  const settle = (): void => {
    best.sort((a, b) => comparePlaces(a.place, b.place))
    best = best.slice(0, count)
    if (best.length === count) bar = best.at(-1)?.place
  }
  let matches = 0
  let looked = 0
  let since = performance.now()
  for (const document of documents) {
    if (++looked % sliceDocuments === 0 && performance.now() - since > sliceMs) {
      await yieldToOthers()
      since = performance.now()
    }
    if (!keep(document)) continue
    matches++
    const here = place(document)
    if (after && comparePlaces(here, after) <= 0) continue
    if (bar && comparePlaces(here, bar) >= 0) continue
    best.push({ place: here, document })
    if (best.length >= 2 * count) settle()
  }
  settle()
  return { first: best, matches }
}
