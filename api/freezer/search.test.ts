import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Json, JsonObject } from '../../core/action.ts'
import { checked } from '../operation.ts'
import { finds, parseSearch, searchForm } from './search.ts'

const parsed = (body: Json) => {
  checked(searchForm, body, 'body')
  return parseSearch(body as JsonObject)
}
const found = (body: Json, document: JsonObject): boolean => {
  const search = parsed(body)
  return search === undefined || finds(search, document)
}

const job: JsonObject = {
  client_id: 'p1_node1',
  session_tag: 0,
  job_schedule: { status: 'scheduled', result: '' },
  job_actions: [
    { mandatory: true, freezer_action: { backup_name: 'etc', path_to_backup: '/etc' } },
    { mandatory: false, freezer_action: { backup_name: 'home' } },
  ],
}

describe('a search', () => {
  it.each<[Json, boolean]>([
    [{}, true],
    [{ match: [] }, true],
    [{ unknown: 'key' }, true],
    [{ match: [{ client_id: 'p1_node1' }, { status: 'scheduled' }] }, true],
    [{ match: [{ client_id: 'p1_node1', status: 'completed' }] }, false],
    [{ match: [{ backup_name: 'home' }] }, true],
    [{ match: [{ backup_name: 'HOME' }] }, false],
    [{ match: [{ session_tag: '0' }] }, false],
    [{ match: [{ session_tag: 0 }] }, true],
    [{ match: [{ mandatory: true }, { mandatory: false }] }, true],
    [{ match: [{ nothing: 'x' }] }, false],
    [{ match_not: [{ nothing: 'x' }] }, true],
    [{ match_not: [{ status: 'completed' }], match: [{ client_id: 'p1_node1' }] }, true],
    [{ match_not: [{ backup_name: 'etc' }] }, false],
    [{ match: [{ _all: 'NODE1' }] }, true],
    [{ match: [{ _all: 'nowhere home' }] }, true],
    [{ match: [{ _all: 'nowhere' }] }, false],
    [{ match: [{ _all: '[{"client_id": "p1_node1"}, {"status": "completed"}]' }] }, false],
    [{ match: [{ _all: '[{"client_id": "p1_node1"}]' }], match_not: [{ status: 'scheduled' }] }, false],
    [{ match: [{ constructor: 'x' }] }, false],
  ])('%j: %s', (body, expected) => {
    expect(found(body, job)).toBe(expected)
  })

  it('bounds backups by their time, inclusively', () => {
    const backup = { backup_metadata: { time_stamp: 1000 } }
    expect(found({ time_after: 1000, time_before: 1000 }, backup)).toBe(true)
    expect(found({ time_after: 1001 }, backup)).toBe(false)
    expect(found({ time_before: 999 }, backup)).toBe(false)
    expect(found({ time_after: 0 }, job)).toBe(true)
  })

  it.each<Json>([
    [],
    'x',
    null,
    { match: {} },
    { match: 'x' },
    { match: [1] },
    { match_not: { a: 1 } },
    { match: [{ _all: 5 }] },
    { time_after: 'x' },
  ])('refuses %j', (body) => {
    expect(() => parsed(body)).toThrow(expect.objectContaining({ code: 'bad_request' }))
  })
})

// The reference: every (key, value) of the document, written out, and compared as text.
function pairsOf(value: Json): [string, string][] {
  if (typeof value !== 'object' || value === null) return []
  if (Array.isArray(value)) return value.flatMap(pairsOf)
  return Object.entries(value).flatMap(([key, item]): [string, string][] => [
    [key, canonical(item)],
    ...pairsOf(item),
  ])
}
function canonical(value: Json): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  const keys = Object.keys(value).toSorted()
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(value[key] as Json)}`).join(',')}}`
}
const stringsOf = (value: Json): string[] =>
  typeof value === 'string'
    ? [value]
    : typeof value === 'object' && value !== null
      ? Object.values(value).flatMap(stringsOf)
      : []

const { document } = fc.letrec<{ value: Json; document: JsonObject }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom<Json>('a', 'b', 'A b', '', 0, 1, true, null),
    fc.array(tie('value'), { maxLength: 3 }),
    tie('document'),
  ),
  document: fc.dictionary(fc.constantFrom('k', 'l', 'm', '__proto__'), tie('value'), {
    maxKeys: 3,
    noNullPrototype: true,
  }),
}))
const pairs = fc.array(document, { maxLength: 2 })

describe('any search on any document', () => {
  it('finds what brute force finds', () => {
    fc.assert(
      fc.property(
        document,
        pairs,
        pairs,
        fc.option(fc.constantFrom('a', 'B x', 'q'), { nil: undefined }),
        (doc, match, not, text) => {
          const known = new Set(pairsOf(doc).map(([key, value]) => `${key} ${value}`))
          const has = (list: JsonObject[]) =>
            list.flatMap((one) =>
              Object.entries(one).map(([key, value]) => known.has(`${key} ${canonical(value)}`)),
            )
          const strings = stringsOf(doc).map((one) => one.toLowerCase())
          const worded =
            text === undefined ||
            text
              .toLowerCase()
              .split(' ')
              .some((word) => strings.some((one) => one.includes(word)))
          const expected = has(match).every(Boolean) && !has(not).some(Boolean) && worded
          const all = text === undefined ? [] : [{ _all: text }]
          expect(found({ match: [...match, ...all], match_not: not }, doc)).toBe(expected)
        },
      ),
      { numRuns: 500 },
    )
  })
})
