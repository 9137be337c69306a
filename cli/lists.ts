// Lists that come in pages.
import type { Option } from './option.ts'
import type { Flags } from './flags.ts'
import type { Api, Query } from './http.ts'
import { object, objects, text, type Document } from './json.ts'

/** How many things lists show when nothing is said. */
const USUAL = 100
/** What the API gives in one page at most. */
const PAGE_MAX = 1000
/** More pages than any list has: a server that never ends its list must not keep the command busy for ever. */
const PAGES_MAX = 10_000

/** Options of every list. */
export const LIST_OPTIONS: readonly Option[] = [
  { name: 'limit', value: 'N', help: `show at most N; ${USUAL} when left out` },
  { name: 'all', help: 'show all' },
]

/** The beginning of a list, and whether there is more. */
export interface Listed {
  readonly rows: Document[]
  readonly more: boolean
}

const wantedOf = (flags: Flags): number => (flags.has('all') ? Infinity : (flags.whole('limit', 1) ?? USUAL))

/** A list of the native API, which is paged by cursor. */
export async function nativeList(
  api: Api,
  path: string,
  key: string,
  flags: Flags,
  query: Query = {},
): Promise<Listed> {
  const wanted = wantedOf(flags)
  const rows: Document[] = []
  let cursor: string | undefined
  for (let page = 0; page < PAGES_MAX; page++) {
    const limit = Math.min(PAGE_MAX, wanted - rows.length)
    const answer = await api.get(path, { ...query, limit, cursor })
    const found = objects(answer, key)
    rows.push(...found)
    cursor = text(answer, 'next') || undefined
    if (cursor === undefined || found.length === 0 || rows.length >= wanted) break
  }
  return { rows: rows.slice(0, wanted), more: cursor !== undefined || rows.length > wanted }
}

/** A list of Freezer's API, which is paged by offset; `match` is its search. */
export async function freezerList(
  api: Api,
  path: string,
  key: string,
  flags: Flags,
  match: readonly object[] = [],
): Promise<Listed> {
  const wanted = wantedOf(flags)
  const rows: Document[] = []
  const body = match.length === 0 ? undefined : { match }
  for (let page = 0; page < PAGES_MAX; page++) {
    // One more than wanted tells whether there is more.
    const limit = Math.min(PAGE_MAX, wanted + 1 - rows.length)
    const found = objects(await api.get(path, { limit, offset: rows.length }, body), key)
    rows.push(...found)
    if (found.length < limit || rows.length > wanted) break
  }
  return { rows: rows.slice(0, wanted), more: rows.length > wanted }
}

/** A list of Trove's API, which gives a link to its next page. */
export async function troveList(api: Api, path: string, key: string, flags: Flags): Promise<Listed> {
  const wanted = wantedOf(flags)
  const rows: Document[] = []
  let marker: string | undefined
  for (let page = 0; page < PAGES_MAX; page++) {
    const limit = Math.min(PAGE_MAX, wanted - rows.length)
    const answer = await api.get(path, { limit, marker })
    const found = objects(answer, key)
    rows.push(...found)
    const next = objects(answer, 'links').find((link) => text(link, 'rel') === 'next')
    marker = markerIn(text(next, 'href'))
    if (marker === undefined || found.length === 0 || rows.length >= wanted) break
  }
  return { rows: rows.slice(0, wanted), more: marker !== undefined || rows.length > wanted }
}

/** Only the marker of a link counts, as for Trove's own clients: its host may be one that is not reached from here. */
const markerIn = (href: string): string | undefined =>
  URL.canParse(href) ? (new URL(href).searchParams.get('marker') ?? undefined) : undefined

/** What to tell a person whose list was cut. */
export const moreNote = (shown: number): string => `the first ${shown}; there are more: --all, or --limit N`

/** Freezer nests a client in a project's envelope: its own object. */
export const clientOf = (document: unknown): Document => object(object(document)['client'])
