import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Ask } from '../route.ts'
import { comparePlaces, pageOf, type Place } from './paging.ts'

const asking = (url: string): Ask => ({ http: { req: { url } } }) as unknown as Ask

const places = fc.uniqueArray(
  fc.tuple(
    fc.integer({ min: -3, max: 3 }),
    fc.integer({ min: -3, max: 3 }),
    fc.stringMatching(/^[a-c-]{1,3}$/),
  ),
  { selector: (place) => place.join(' '), maxLength: 60 },
)

const markerIn = (href: string): string => new URL(href).searchParams.get('marker') ?? ''

describe('pages', () => {
  it('put together are the whole list in order, whatever their size', async () => {
    await fc.assert(
      fc.asyncProperty(places, fc.integer({ min: 1, max: 7 }), async (all, size) => {
        const documents: readonly Place[] = all
        const got: Place[] = []
        let marker: string | undefined
        do {
          const query = { limit: String(size), marker }
          const paged = { documents, place: (one: Place) => one, keep: ([first]: Place) => first !== 2 }
          const page = await pageOf(asking('http://h/backups?x=1'), query, paged)
          expect(page.documents.length).toBeLessThanOrEqual(size)
          got.push(...page.documents)
          const [next] = page.links.links ?? []
          marker = next && markerIn(next.href)
          if (next) expect(page.documents).toHaveLength(size)
        } while (marker !== undefined)
        expect(got).toEqual(all.filter(([first]) => first !== 2).toSorted(comparePlaces))
      }),
    )
  })

  it('leave others their turn while very many documents are looked at', async () => {
    function* many(): IterableIterator<Place> {
      for (let at = 0; at < 1_000_000; at++) yield [(at * 7919) % 1_000_003, 0, 'x']
    }
    let turns = 0
    let looking = true
    const others = (async () => {
      for (; looking; turns++) await new Promise((resolve) => setImmediate(resolve))
    })()
    const paged = { documents: many(), place: (one: Place) => one, keep: () => true }
    const page = await pageOf(asking('http://h/'), {}, paged)
    looking = false
    await others
    expect(page.documents).toHaveLength(1000)
    expect(page.documents[0]?.[0]).toBe(0)
    expect(turns).toBeGreaterThan(2)
  })
})
