import { describe, expect, it } from 'vitest'
import { aRun, hourMs, noon, states } from '../../test/support/builders.ts'
import { later } from '../../core/clock.ts'
import { slotAt } from '../../core/ids.ts'
import type { Run } from '../../core/run.ts'
import { isForgotten, runsKept, surplusOf } from './history.ts'

/** Finished runs, one a minute, oldest first. */
const history = (count: number, over: Partial<Run> = {}): Run[] =>
  Array.from({ length: count }, (_, n) => {
    const createdAt = later(noon, n * 60_000)
    return aRun({ slot: slotAt(createdAt), createdAt, state: states.finished('success'), ...over })
  })

const never = () => false

describe('the history of a job', () => {
  it('loses its oldest runs, in lots', () => {
    const runs = history(runsKept + 50)
    expect(surplusOf(runs, never).toReversed()).toEqual(runs.slice(0, 50))
    expect(surplusOf(runs.slice(1), never)).toEqual([])
  })

  it('keeps restores by themselves: many backups do not push them out', () => {
    const restores = history(3, { purpose: 'restore' })
    const surplus = surplusOf([...restores, ...history(runsKept + 60)], never)
    expect(surplus).toHaveLength(60)
    expect(surplus.every((run) => run.purpose === 'job')).toBe(true)
  })

  it('keeps what has not ended', () => {
    const open = history(runsKept + 100, { state: states.running() })
    expect(surplusOf(open, never)).toEqual([])
  })

  it('keeps every run that a set still needs, however many there are', () => {
    const session = { id: 's1', tag: 1 } as NonNullable<Run['session']>
    const members = history(runsKept + 100, { session })
    expect(surplusOf(members, (run) => run.session !== undefined)).toEqual([])
    expect(surplusOf(members, never)).toHaveLength(100)
  })

  it('drops the same runs whatever order they are listed in', () => {
    const runs = history(runsKept + 50, { createdAt: noon })
    const ids = (list: Run[]) => surplusOf(list, never).map(({ id }) => id)
    expect(ids(runs.toReversed())).toEqual(ids(runs))
  })
})

describe('a run whose job was deleted', () => {
  const over = aRun({ state: states.finished('success') })

  it('is kept for a day, to look into what it did last', () => {
    expect(isForgotten(over, noon)).toBe(false)
    expect(isForgotten(over, later(noon, 25 * hourMs))).toBe(true)
  })

  it('is kept for a month when it called a function', () => {
    const called = { ...over, function: { version: 0 } }
    expect(isForgotten(called, later(noon, 29 * 24 * hourMs))).toBe(false)
    expect(isForgotten(called, later(noon, 31 * 24 * hourMs))).toBe(true)
  })

  it('is kept as long as it is open', () => {
    expect(isForgotten(aRun({ state: states.running() }), later(noon, 25 * hourMs))).toBe(false)
  })
})
