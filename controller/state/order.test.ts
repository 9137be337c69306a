import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Order, type Placed } from './order.ts'

interface Item extends Placed {
  readonly n: number
}
const item = (n: number): Item => ({ n, row: undefined })
const numbers = (items: Iterable<Item>) => [...items].map(({ n }) => n)

describe('an order', () => {
  it('is that of coming, from any number on, whatever has gone', () => {
    const change = fc.oneof({ weight: 4, arbitrary: fc.constant('add') }, fc.nat(2_000))
    fc.assert(
      fc.property(fc.array(change, { maxLength: 1_500, size: 'max' }), fc.nat(1_600), (changes, from) => {
        const order = new Order<Item>()
        const plain: Item[] = []
        for (const [n, what] of changes.entries()) {
          if (what === 'add') {
            plain.push(item(n))
            order.add(plain.at(-1) as Item)
          } else order.delete(plain.splice(Number(what) % Math.max(1, plain.length), 1)[0] ?? item(-1))
        }
        expect(numbers(order.from(from))).toEqual(plain.slice(from).map(({ n }) => n))
      }),
      { numRuns: 50 },
    )
  })

  it('may lose items while it is gone through: those are not met', () => {
    const order = new Order<Item>()
    const items = Array.from({ length: 600 }, (_, n) => item(n))
    for (const one of items) order.add(one)
    const met: number[] = []
    for (const { n } of order.from(0)) {
      met.push(n)
      if (n === 10) for (const gone of items.slice(11, 590)) order.delete(gone)
    }
    expect(met.slice(0, 12)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 590])
    expect(met.at(-1)).toBe(599)
  })
})
