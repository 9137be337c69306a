import { describe, expect, it } from 'vitest'
import { aRun, noon } from '../../test/support/builders.ts'
import { later, type Instant } from '../../core/clock.ts'
import { slotAt, type Slot } from '../../core/ids.ts'
import type { Result, Run } from '../../core/run.ts'
import { failuresIn, instantOfSlot, outcomesOf } from './failures.ts'

const hour = (n: number): Instant => later(noon, n * 3_600_000)
const outcomes = (...results: Result[]) => results.map((result, n) => ({ slot: hour(n), result }))
const ended = (slot: Slot, result: Result): Run =>
  aRun({ slot, state: { is: 'finished', attempt: 1, result, at: noon } })

describe('failures one after the other', () => {
  it('are counted back from the newest slot, up to one that did not fail', () => {
    expect(failuresIn([], undefined)).toBe(0)
    expect(failuresIn(outcomes('failed', 'lost', 'failed'), undefined)).toBe(3)
    expect(failuresIn(outcomes('failed', 'success', 'failed', 'lost'), undefined)).toBe(2)
    expect(failuresIn(outcomes('failed', 'success', 'failed', 'lost').toReversed(), undefined)).toBe(2)
    for (const good of ['success', 'partial', 'aborted'] as const)
      expect(failuresIn(outcomes('failed', good), undefined)).toBe(0)
  })

  it('are forgotten when the schedule is resumed', () => {
    expect(failuresIn(outcomes('failed', 'failed', 'failed'), hour(1))).toBe(1)
  })
})

describe('the outcome of a slot', () => {
  it('is a failure when one of its runs failed, and none while one of them is open', () => {
    const first = slotAt(hour(0))
    const second = slotAt(hour(1))
    const runs = [
      ended(first, 'success'),
      ended(first, 'failed'),
      ended(first, 'success'),
      ended(second, 'failed'),
      aRun({ slot: second }),
    ]
    expect(outcomesOf(runs)).toEqual([{ slot: hour(0), result: 'failed' }])
  })

  it('is none of a start by hand, nor of a restore', () => {
    const restore = { ...ended(slotAt(hour(0)), 'failed'), purpose: 'restore' as const }
    expect(outcomesOf([ended('manual:k' as Slot, 'failed'), restore])).toEqual([])
    expect(instantOfSlot('session:s:3')).toBeUndefined()
    expect(instantOfSlot(slotAt(noon))).toBe(noon)
  })
})
