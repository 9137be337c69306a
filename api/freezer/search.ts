import { z } from 'zod'
import { isObject, type Json, type JsonObject } from '../../core/action.ts'
import { badField } from '../../core/fault.ts'
import { some } from '../fields.ts'

/** A key and the value that it must, or must not, have somewhere in a document. */
export interface Pair {
  readonly key: string
  readonly value: Json
}

/** Freezer's search: everything in it must hold. */
export interface Search {
  readonly match: readonly Pair[]
  readonly matchNot: readonly Pair[]
  /** Words of free text: some string of the document contains at least one; each group must hold. Lower case. */
  readonly texts: readonly (readonly string[])[]
  /** Bounds of `backup_metadata.time_stamp`. Unix seconds, inclusive. */
  readonly timeAfter?: number
  readonly timeBefore?: number
}

/** Different pairs, and words, of one search: each is looked for in every document. */
const termsMax = 64

const pairs = z.array(z.looseObject({}))
const time = z.number().nullable().optional()

/** The shape of a search; unknown keys are ignored, as they always were. */
export const searchForm = z
  .looseObject({
    match: pairs.optional().meta({
      description:
        'Every pair of every object must be somewhere in the document, at any depth. `{"_all": TEXT}`: some string contains the text, or a word of it; TEXT may be such a list as JSON',
    }),
    match_not: pairs.optional().meta({ description: 'No pair may be in the document' }),
    time_after: time.meta({ description: 'Backups: bound of `time_stamp`, unix seconds, inclusive' }),
    time_before: time.meta({ description: 'Backups: bound of `time_stamp`, unix seconds, inclusive' }),
  })
  .meta({ id: 'FreezerSearch' })

/** What a checked search says; undefined when it finds everything. Throws Fault('bad_request') for an `_all` that is no text. */
export function parseSearch(body: JsonObject): Search | undefined {
  const { match: sent, match_not, time_after, time_before } = body as z.output<typeof searchForm>
  const texts: string[][] = []
  const match = withoutAll(pairsOf(sent as JsonObject[] | undefined), texts)
  const matchNot = distinct(pairsOf(match_not as JsonObject[] | undefined), 'match_not')
  const isEmpty = match.length === 0 && matchNot.length === 0 && texts.length === 0
  if (isEmpty && (time_after ?? time_before ?? null) === null) return undefined
  return {
    match,
    matchNot,
    texts,
    ...some('timeAfter', time_after ?? undefined),
    ...some('timeBefore', time_before ?? undefined),
  }
}

const pairsOf = (list: readonly JsonObject[] = []): Pair[] =>
  list.flatMap((item) => Object.entries(item).map(([key, value]) => ({ key, value })))

/** Clients that reuse a search send the same pair again and again. */
function distinct(pairs: readonly Pair[], field: string): Pair[] {
  const known = new Map(pairs.map((pair) => [JSON.stringify([pair.key, pair.value]), pair]))
  if (known.size > termsMax) throw badField(field, `has more than ${termsMax} different pairs`)
  return [...known.values()]
}

/** What the command line's `--search TEXT` sends stands for a list of pairs as JSON text, or is free text. */
function withoutAll(pairs: readonly Pair[], texts: string[][]): Pair[] {
  const plain = distinct(pairs, 'match').flatMap((pair) => {
    if (pair.key !== '_all') return [pair]
    if (typeof pair.value !== 'string') throw badField('match._all', 'must be a string')
    const list = pairsInText(pair.value)
    if (list) return withoutAll(list, texts)
    const text = pair.value.trim().toLowerCase()
    // Contained as a whole, it contains each of its words, too.
    if (text !== '') texts.push([...new Set(text.split(/\s+/))])
    if (texts.flat().length > termsMax) throw badField('match._all', `has more than ${termsMax} words`)
    return []
  })
  return distinct(plain, 'match')
}

function pairsInText(text: string): Pair[] | undefined {
  if (!text.trimStart().startsWith('[')) return undefined
  let list: unknown
  try {
    list = JSON.parse(text)
  } catch {
    return undefined
  }
  return Array.isArray(list) && list.every(isObject) ? pairsOf(list) : undefined
}

/** Whether a document, as it is shown, is what the search asks for. */
export function finds(search: Search, document: JsonObject): boolean {
  return (
    search.match.every((pair) => holds(document, pair)) &&
    !search.matchNot.some((pair) => holds(document, pair)) &&
    search.texts.every((words) => containsAny(document, words)) &&
    inTime(search, document)
  )
}

/** The value that every found document has under a key, if the search says so. */
export function requiredValue(search: Search | undefined, key: string): string | undefined {
  const pair = search?.match.find((one) => one.key === key)
  return typeof pair?.value === 'string' ? pair.value : undefined
}

/** What every scheduler asks for at every poll, beside its client: no job that is over. */
export const notCompleted: Pair = { key: 'status', value: 'completed' }

/** Whether a search leaves out jobs that are over, whatever else it asks for. */
export const isUnfinishedOnly = (search: Search): boolean =>
  search.matchNot.some(({ key, value }) => key === notCompleted.key && value === notCompleted.value)

/** How many things a search looks for in each document. */
export const termsOf = (search: Search | undefined): number =>
  search ? search.match.length + search.matchNot.length + search.texts.flat().length : 0

/** Whether a search asks for nothing but these pairs. */
export const isOnly = (search: Search, match: readonly string[], matchNot: readonly Pair[]): boolean =>
  search.texts.length === 0 &&
  search.timeAfter === undefined &&
  search.timeBefore === undefined &&
  search.match.length === match.length &&
  search.match.every(({ key }) => match.includes(key)) &&
  search.matchNot.length === matchNot.length &&
  search.matchNot.every((pair) => matchNot.some(({ key, value }) => key === pair.key && value === pair.value))

/** Whether a pair is somewhere in a document, at any depth. */
export function holds(value: Json, pair: Pair): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return value.some((item) => holds(item, pair))
  if (Object.hasOwn(value, pair.key) && isEqual(value[pair.key] as Json, pair.value)) return true
  for (const key in value) {
    const item = value[key]
    if (typeof item === 'object' && item !== null && holds(item, pair)) return true
  }
  return false
}

function isEqual(a: Json, b: Json): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b
  if (Array.isArray(a) || Array.isArray(b))
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((item, index) => isEqual(item, b[index] as Json))
    )
  const keys = Object.keys(a)
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && isEqual(a[key] as Json, b[key] as Json))
  )
}

/** Whether some string in a value contains one of the words, which are in lower case. */
export function containsAny(value: Json, words: readonly string[]): boolean {
  if (typeof value === 'string') {
    const text = value.toLowerCase()
    return words.some((word) => text.includes(word))
  }
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return value.some((item) => containsAny(item, words))
  for (const key in value) if (containsAny(value[key] ?? null, words)) return true
  return false
}

/** The bounds are about backups only: elsewhere these keys mean nothing. */
function inTime({ timeAfter, timeBefore }: Search, document: JsonObject): boolean {
  if (timeAfter === undefined && timeBefore === undefined) return true
  const metadata = document['backup_metadata']
  if (!isObject(metadata)) return true
  const at = Number(metadata['time_stamp'])
  return at >= (timeAfter ?? -Infinity) && at <= (timeBefore ?? Infinity)
}
