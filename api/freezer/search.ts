import { badField } from '../../core/fault.ts'
import type { Json, JsonObject } from '../../core/action.ts'

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

/** The search of a list's body, undefined when it finds everything. Throws Fault('bad_request') for a wrong shape. */
export function parseSearch(body: Json | undefined): Search | undefined {
  if (body === undefined) return undefined
  if (!isObject(body)) throw badField('search', 'must be an object')
  const texts: string[][] = []
  const match = pairsOf(body['match'], 'match').flatMap((pair) =>
    pair.key === '_all' ? everywhere(pair.value, texts) : [pair],
  )
  const matchNot = pairsOf(body['match_not'], 'match_not')
  const timeAfter = secondsOf(body, 'time_after')
  const timeBefore = secondsOf(body, 'time_before')
  const isEmpty = match.length === 0 && matchNot.length === 0 && texts.length === 0
  if (isEmpty && timeAfter === undefined && timeBefore === undefined) return undefined
  return {
    match,
    matchNot,
    texts,
    ...(timeAfter === undefined ? {} : { timeAfter }),
    ...(timeBefore === undefined ? {} : { timeBefore }),
  }
}

function pairsOf(list: Json | undefined, field: string): Pair[] {
  if (list === undefined) return []
  if (!Array.isArray(list)) throw badField(field, 'must be an array of objects')
  return list.flatMap((item) => {
    if (!isObject(item)) throw badField(field, 'must be an array of objects')
    return Object.entries(item).map(([key, value]) => ({ key, value }))
  })
}

/** What the command line's `--search TEXT` sends: a list of pairs as JSON text, or free text. */
function everywhere(value: Json, texts: string[][]): Pair[] {
  if (typeof value !== 'string') throw badField('match._all', 'must be a string')
  const pairs = pairsInText(value)
  if (pairs) return pairs
  const text = value.trim().toLowerCase()
  // Contained as a whole, it contains each of its words, too.
  if (text !== '') texts.push(text.split(/\s+/))
  return []
}

function pairsInText(text: string): Pair[] | undefined {
  let list: unknown
  try {
    list = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!Array.isArray(list) || !list.every(isObject)) return undefined
  return pairsOf(list, 'match._all')
}

function secondsOf(body: JsonObject, field: string): number | undefined {
  const value = body[field]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'number') throw badField(field, 'must be a number of seconds')
  return value
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

function holds(value: Json, pair: Pair): boolean {
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

function containsAny(value: Json, words: readonly string[]): boolean {
  if (typeof value === 'string') {
    const text = value.toLowerCase()
    return words.some((word) => text.includes(word))
  }
  if (typeof value !== 'object' || value === null) return false
  return Object.values(value).some((item) => containsAny(item, words))
}

function inTime({ timeAfter, timeBefore }: Search, document: JsonObject): boolean {
  if (timeAfter === undefined && timeBefore === undefined) return true
  const metadata = document['backup_metadata']
  const at = isObject(metadata) ? Number(metadata['time_stamp']) : Number.NaN
  return at >= (timeAfter ?? -Infinity) && at <= (timeBefore ?? Infinity)
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
