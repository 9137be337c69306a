import { describe, expect, it } from 'vitest'
import { noon } from '../../test/support/builders.ts'
import { later, type Instant } from '../../core/clock.ts'
import type { Job, Plan } from '../../core/job.ts'
import { skipsMax, withSkip, type Skip } from '../../core/skip.ts'
import { unstarted, withSkipped } from './schedule.ts'

const hour = (n: number): Instant => later(noon, n * 3_600_000)
const after = (plan: Omit<Plan, 'generation'>, more: Partial<Job> = {}) =>
  unstarted(
    { schedule: { schedule_minute: '0' }, wanted: 'active', ...more, plan: { generation: 1, ...plan } },
    hour(3),
  )

describe('slots that were due, and will not start any more', () => {
  it('are those from the next one on, of a schedule that is changed', () => {
    expect(after({ next: hour(1) })).toEqual({ from: hour(1), to: hour(3), count: 3, reason: 'changed' })
    expect(after({ next: hour(4) })).toBeUndefined()
    expect(after({})).toBeUndefined()
  })

  it('are those that passed while it was stopped', () => {
    const stopped = { wanted: 'stopped' } as const
    expect(after({ held: hour(2) }, stopped)).toEqual({
      ...{ from: hour(2), to: hour(3), count: 2 },
      reason: 'paused',
    })
    expect(after({ held: hour(2) })).toBeUndefined()
    expect(after({ held: hour(2), left: 0 }, stopped)).toBeUndefined()
  })

  it('are none of a continuous schedule, nor of one that cannot be read', () => {
    expect(after({ next: hour(1) }, { schedule: { schedule_interval: 'continuous' } })).toBeUndefined()
    expect(after({ next: hour(1) }, { firn: { timezone: 'Mars/Olympus' } })).toBeUndefined()
  })

  it('are kept in the plan, and count as claimed: a server whose clock is behind does not start them', () => {
    const plan = { generation: 1 }
    const skip: Skip = { from: noon, to: noon, count: 1, reason: 'paused' }
    expect(withSkipped(plan, undefined)).toBe(plan)
    expect(withSkipped(plan, skip)).toEqual({ generation: 1, claimed: noon, skips: [skip] })
    expect(withSkipped({ ...plan, claimed: hour(1) }, skip).claimed).toBe(hour(1))
  })
})

describe('the history of skipped slots', () => {
  const skip = (n: number): Skip => ({ from: hour(n), to: hour(n), count: 1, reason: 'overlap' })

  it('has one entry for those with the same reason that nothing came between', () => {
    const many: Skip = { ...skip(1), count: 100, more: true }
    expect(withSkip([many], skip(2), true)).toEqual([{ ...many, to: hour(2), count: 101 }])
    expect(withSkip([skip(1)], skip(2), false)).toEqual([skip(1), skip(2)])
    expect(withSkip([skip(1)], { ...skip(2), reason: 'missed' }, true)).toHaveLength(2)
  })

  it('is bounded: the newest entries stay', () => {
    let skips: Skip[] = []
    for (let n = 0; n < skipsMax + 20; n++) skips = withSkip(skips, skip(n), false)
    expect(skips).toHaveLength(skipsMax)
    expect(skips.at(-1)).toEqual(skip(skipsMax + 19))
  })
})
