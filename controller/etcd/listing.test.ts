import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nextWindow, type Window } from './listing.ts'

const all = { start: Buffer.from('/firn/1/'), end: Buffer.from('/firn/10') }

/** Goes through sorted keys as etcd gives them. Counts the requests, and the keys that etcd looks at for them. */
function list(keys: readonly Buffer[], limit: number) {
  const found: string[] = []
  let [requests, looked] = [0, 0]
  let window: Window = { ...all, shared: 0 }
  while (window.start.compare(all.end) < 0) {
    const { start, end } = window
    const within = keys.filter((key) => key.compare(start) >= 0 && key.compare(end) < 0)
    const page = { keys: within.slice(0, limit), more: within.length > limit, limit }
    found.push(...page.keys.map(String))
    requests++
    looked += within.length
    window = nextWindow(window, page, all.end)
  }
  return { found, requests, looked }
}

const sorted = (keys: Iterable<string>) =>
  [...new Set(keys)].map((key) => Buffer.from(`/firn/1/${key}`)).sort((a, b) => a.compare(b))

describe('a listing', () => {
  it('finds every key once and in order, however they are spelt and whatever the size of a page', () => {
    const key = fc.oneof(
      fc.stringMatching(/^[ab]{0,6}$/),
      fc.string({ unit: 'binary', maxLength: 8 }),
      fc.constantFrom('\uffff', '\uffff\uffff', 'backup/p/', 'backup/p/ff'),
    )
    fc.assert(
      fc.property(fc.array(key, { maxLength: 60 }), fc.integer({ min: 1, max: 20 }), (names, limit) => {
        const keys = sorted(names)
        expect(list(keys, limit).found).toEqual(keys.map(String))
      }),
      { numRuns: 500 },
    )
  })

  it('makes etcd look at each key a few times, not at all of them for each page', () => {
    const ids = Array.from({ length: 20_000 }, (_, n) => createHash('md5').update(`${n}`).digest('hex'))
    const keys = sorted([...ids.map((id) => `backup/p/${id}`), 'action/p/1', 'client/p/node1', 'token/p/1'])
    const { found, requests, looked } = list(keys, 100)
    expect(found).toHaveLength(keys.length)
    expect(looked).toBeLessThan(15 * keys.length)
    expect(requests).toBeLessThan((4 * keys.length) / 100)
  })
})
