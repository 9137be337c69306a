import { describe, expect, it } from 'vitest'
import { Addresses } from './addresses.ts'

const next = (addresses: Addresses, count: number) => Array.from({ length: count }, () => addresses.next())

/** Numbers that look like chance, the same each time. */
function chance(seed: number): () => number {
  let state = seed
  return () => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647
}

describe('agents', () => {
  it('begin anywhere in the list, and go round', () => {
    const addresses = new Addresses(['a', 'b', 'c'], () => 0.4)
    expect(next(addresses, 5)).toEqual(['b', 'c', 'a', 'b', 'c'])
  })

  it('know no server without any', () => {
    expect(new Addresses([], () => 0.9).next()).toBe(undefined)
  })

  it('come back to their own server last, and then to those of the configuration', () => {
    const addresses = new Addresses(['a', 'x'], () => 0)
    addresses.replace(['a', 'b', 'c'], 'b')
    expect(next(addresses, 5)).toEqual(['a', 'c', 'b', 'x', 'a'])
  })

  it('go to those that they are told of first, though they come from another', () => {
    const addresses = new Addresses(['a', 'b', 'c'], () => 0)
    addresses.replace(['c'], 'a')
    expect(next(addresses, 3)).toEqual(['c', 'a', 'b'])
  })

  it('keep what they know when they are told of nobody', () => {
    const addresses = new Addresses(['a'], () => 0)
    addresses.replace([], 'a')
    expect(next(addresses, 2)).toEqual(['a', 'a'])
  })

  it('that lose the same server spread over the others', () => {
    const came = new Map<string, number>()
    for (let n = 1; n <= 900; n++) {
      const addresses = new Addresses(['a', 'b', 'c', 'd'], chance(n * 7_919))
      addresses.replace(['a', 'b', 'c', 'd'], 'a')
      const to = addresses.next() ?? ''
      came.set(to, (came.get(to) ?? 0) + 1)
    }
    expect([...came.keys()].sort()).toEqual(['b', 'c', 'd'])
    for (const count of came.values()) expect(count).toBeGreaterThan(200)
  })
})
