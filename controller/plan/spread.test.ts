import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { reliefOf } from './spread.ts'

const held = (own: number, others: Record<string, number>) => ({
  own,
  others: new Map(Object.entries(others)),
})

describe('a server gives agents away', () => {
  it('when another one has just come', () => {
    expect(reliefOf(held(5_000, { old: 5_000, new: 0 }))).toEqual({ moves: 1_666, to: ['new'] })
  })

  it('to all that hold less than their share, the emptiest first', () => {
    expect(reliefOf(held(900, { b: 100, c: 0, d: 500 }))).toEqual({ moves: 525, to: ['c', 'b'] })
  })

  it('not for what chance does, nor for a few', () => {
    expect(reliefOf(held(380, { b: 300, c: 320 }))).toEqual({ moves: 0, to: [] })
    expect(reliefOf(held(9, { b: 0 }))).toEqual({ moves: 0, to: [] })
    expect(reliefOf(held(12, { b: 0 }))).toEqual({ moves: 6, to: ['b'] })
  })

  it('never without another server', () => {
    expect(reliefOf(held(10_000, {}))).toEqual({ moves: 0, to: [] })
  })

  it('and keeps its share; somebody can take what it gives', () => {
    const counts = fc.array(fc.nat(20_000), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(fc.nat(20_000), counts, (own, others) => {
        const { moves, to } = reliefOf({ own, others: new Map(others.entries()) })
        const share = (own + others.reduce((a, b) => a + b, 0)) / (others.length + 1)
        expect(own - moves).toBeGreaterThanOrEqual(Math.min(own, share))
        if (moves > 0) expect(to.length).toBeGreaterThan(0)
      }),
    )
  })
})
