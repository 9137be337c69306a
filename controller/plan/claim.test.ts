import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { at, noon } from '../../test/support/builders.ts'
import type { JsonObject } from '../../core/action.ts'
import { later, type Instant } from '../../core/clock.ts'
import type { Plan, ScheduleFields } from '../../core/job.ts'
import type { SkipReason } from '../../core/skip.ts'
import { claimDue, notStarted, type Claim, type Load } from './claim.ts'
import { replan } from './schedule.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const hourly: ScheduleFields = { schedule_minute: '0' }
const daily: ScheduleFields = { schedule_hour: '3' }
const continuous: ScheduleFields = { schedule_interval: 'continuous' }
const idle: Load = { open: 0, failures: 0 }
const busy: Load = { open: 1, failures: 0 }

const hour = (n: number): Instant => later(noon, n * hourMs)
const range = (from: Instant, to: Instant, count: number, reason: SkipReason) => ({ from, to, count, reason })
const skip = (slot: Instant, reason: SkipReason) => range(slot, slot, 1, reason)

/** A schedule that stands right after noon, and how it decides. */
function scheduled(schedule: ScheduleFields, firn: JsonObject, plan?: Plan) {
  const before = plan ?? replan(schedule, firn, undefined, later(noon, 1))
  return {
    plan: before,
    decide: (now: Instant, load: Load = idle) =>
      claimDue({ id: 'j1', schedule, firn, plan: before }, load, now),
  }
}

const planOf = (claim: Claim): Plan => {
  if (!('plan' in claim)) throw new Error(`it does ${claim.do}`)
  return claim.plan
}

describe('catch_up', () => {
  it('latest starts the newest of the missed slots, and tells of the others', () => {
    const claim = scheduled(hourly, {}).decide(later(hour(4), 60_000))
    expect(claim).toMatchObject({
      do: 'start',
      slot: hour(4),
      plan: { next: hour(5), skips: [range(hour(1), hour(3), 3, 'missed')] },
    })
  })

  it('none starts what is due now, and nothing that is more than a minute late', () => {
    const { decide } = scheduled(daily, { catch_up: 'none' })
    const slot = at('2027-01-16T03:00Z')
    expect(decide(later(slot, 60_000))).toMatchObject({ do: 'start', slot })
    expect(decide(later(slot, 60_001))).toMatchObject({
      do: 'skip',
      slot,
      plan: { next: later(slot, dayMs), skips: [skip(slot, 'missed')] },
    })
  })

  it('all starts one after the other, the oldest first, each when the last one has ended', () => {
    const firn = { catch_up: 'all' }
    let { plan } = scheduled(hourly, firn)
    const now = later(hour(3), 60_000)
    for (const slot of [hour(1), hour(2), hour(3)]) {
      const { decide } = scheduled(hourly, firn, plan)
      if (slot < hour(3)) expect(decide(now, busy)).toEqual({ do: 'wait', until: hour(4) })
      expect(decide(now)).toMatchObject({ do: 'start', slot })
      plan = planOf(decide(now))
    }
    expect(plan).toEqual({ generation: 1, claimed: hour(3), next: hour(4) })
  })

  it('all keeps to overlap where nothing was missed', () => {
    expect(scheduled(hourly, { catch_up: 'all' }).decide(hour(1), busy)).toMatchObject({
      do: 'skip',
      plan: { skips: [skip(hour(1), 'overlap')] },
    })
  })

  it('all starts no more than catch_up_max, the newest, and nothing of the day before', () => {
    const firn = { catch_up: 'all', catch_up_max: 2 }
    for (const fields of [
      hourly,
      { schedule_interval: '1 hours', schedule_start_date: '2027-01-15T00:00:00' },
    ]) {
      const { decide } = scheduled(fields, firn)
      expect(decide(hour(8))).toMatchObject({
        do: 'start',
        slot: hour(7),
        plan: { next: hour(8), skips: [range(hour(1), hour(6), 6, 'missed')] },
      })
      expect(decide(hour(8), busy)).toMatchObject({
        do: 'skip',
        slot: hour(6),
        plan: { next: hour(7), claimed: hour(6), skips: [range(hour(1), hour(6), 6, 'missed')] },
      })
    }
    const most = scheduled(hourly, { catch_up: 'all', catch_up_max: 100 })
    expect(most.decide(hour(26))).toMatchObject({ do: 'skip', slot: hour(1), plan: { next: hour(2) } })
  })

  it('all ends with the count, and tells of the slots that it leaves', () => {
    const { decide } = scheduled(hourly, { catch_up: 'all', count: 1 })
    expect(decide(hour(3))).toMatchObject({ do: 'start', slot: hour(1), plan: { left: 0 } })
    expect(planOf(decide(hour(3))).skips).toEqual([range(hour(2), hour(3), 2, 'count_over')])
    expect(planOf(decide(hour(3)))).not.toHaveProperty('next')
  })

  it('counts no more than a hundred slots of a pattern that were passed over', () => {
    const { decide } = scheduled({ schedule_second: '*' }, {})
    expect(planOf(decide(hour(2))).skips).toMatchObject([{ count: 100, more: true, reason: 'missed' }])
    const every = scheduled({ schedule_interval: '1 seconds' }, {})
    expect(planOf(every.decide(hour(2))).skips).toMatchObject([{ count: 7198, reason: 'missed' }])
  })
})

describe('overlap', () => {
  it('skip skips the slot, and says so once of slots one after the other', () => {
    let plan = planOf(scheduled(hourly, {}).decide(hour(1), busy))
    plan = planOf(scheduled(hourly, {}, plan).decide(hour(2), busy))
    expect(plan.skips).toEqual([range(hour(1), hour(2), 2, 'overlap')])
    plan = planOf(scheduled(hourly, {}, plan).decide(hour(3)))
    plan = planOf(scheduled(hourly, {}, plan).decide(hour(4), busy))
    expect(plan.skips).toEqual([range(hour(1), hour(2), 2, 'overlap'), skip(hour(4), 'overlap')])
  })

  it('queue lets the slot wait for the end, or for the next one, which takes its place', () => {
    const firn = { overlap: 'queue' }
    const { decide } = scheduled(hourly, firn)
    expect(decide(hour(1), busy)).toEqual({ do: 'wait', until: hour(2) })
    expect(decide(later(hour(1), 5_000))).toMatchObject({ do: 'start', slot: hour(1) })
    const made = decide(hour(2), busy)
    expect(made).toEqual({
      do: 'skip',
      slot: hour(1),
      plan: { generation: 1, claimed: hour(1), next: hour(2), skips: [skip(hour(1), 'overlap')] },
    })
    const after = scheduled(hourly, firn, planOf(made))
    expect(after.decide(hour(2), busy)).toEqual({ do: 'wait', until: hour(3) })
    expect(after.decide(later(hour(2), 1))).toMatchObject({
      do: 'start',
      slot: hour(2),
      plan: { next: hour(3) },
    })
  })

  it('queue lets it wait no longer than its start deadline', () => {
    const { decide } = scheduled(hourly, { overlap: 'queue', start_deadline: '10 minutes' })
    expect(decide(hour(1), busy)).toEqual({ do: 'wait', until: later(hour(1), 600_001) })
    expect(decide(later(hour(1), 600_001), busy)).toMatchObject({
      do: 'skip',
      plan: { skips: [skip(hour(1), 'start_deadline')] },
    })
    const once = scheduled({ schedule_date: '2027-01-15T13:00:00' }, { overlap: 'queue' })
    expect(once.decide(hour(1), busy)).toEqual({ do: 'wait', until: later(hour(25), 1) })
  })

  it('cancel asks for the open run to end, and starts when it has', () => {
    const { decide } = scheduled(hourly, { overlap: 'cancel' })
    expect(decide(hour(1), busy)).toEqual({ do: 'cancel', slot: hour(1), until: hour(2) })
    expect(decide(later(hour(1), 10))).toMatchObject({ do: 'start', slot: hour(1) })
  })

  it('allow starts all the same, up to ten at once', () => {
    const { decide } = scheduled(hourly, { overlap: 'allow' })
    expect(decide(hour(1), { open: 9, failures: 0 })).toMatchObject({ do: 'start' })
    expect(decide(hour(1), { open: 10, failures: 0 })).toMatchObject({
      do: 'skip',
      plan: { skips: [skip(hour(1), 'overlap')] },
    })
  })
})

describe('jitter', () => {
  const firn = { jitter: '30 minutes' }
  const startOf = (id: string, slot: Instant, fields = hourly, spread: JsonObject = firn): number => {
    const plan = { generation: 1, next: slot }
    const claim = claimDue({ id, schedule: fields, firn: spread, plan }, idle, slot)
    return claim.do === 'wait' ? (claim.until ?? 0) : slot
  }

  it('starts a slot later by a part of it that is always the same', () => {
    const start = startOf('j1', hour(1))
    expect(start).toBeGreaterThan(hour(1))
    expect(start).toBeLessThan(hour(1.5))
    expect(startOf('j1', hour(1))).toBe(start)
    const { decide } = scheduled(hourly, firn)
    expect(decide(later(start as Instant, -1))).toEqual({ do: 'wait', until: start })
    expect(decide(start as Instant)).toMatchObject({ do: 'start', slot: hour(1), plan: { next: hour(2) } })
  })

  it('spreads schedules and slots evenly, and stays below the next slot', () => {
    const parts = Array.from({ length: 1000 }, (_, n) => (startOf(`j${n}`, hour(1)) - hour(1)) / hourMs)
    for (const tenth of [0, 1, 2, 3, 4]) {
      const inside = parts.filter((part) => part >= tenth / 10 && part < (tenth + 1) / 10).length
      expect(inside).toBeGreaterThan(150)
      expect(inside).toBeLessThan(250)
    }
    for (let n = 1; n < 50; n++)
      expect(startOf('j1', hour(n), hourly, { jitter: '7 days' })).toBeLessThan(hour(n + 1))
  })

  it('holds for a date, too', () => {
    const fields = { schedule_date: '2027-01-15T13:00:00' }
    expect(startOf('j1', hour(1), fields)).toBeGreaterThan(hour(1))
    expect(startOf('j1', hour(1), fields)).toBeLessThan(hour(1.5))
  })

  it('lets the slot before start while the newest is not due yet', () => {
    const { decide } = scheduled(hourly, { jitter: '1 hours', start_deadline: '3 hours' })
    expect(decide(hour(2))).toMatchObject({ do: 'start', slot: hour(1), plan: { next: hour(2) } })
  })
})

describe('start_deadline', () => {
  it('skips a slot that would start later', () => {
    const { decide } = scheduled(daily, { start_deadline: '2 hours' })
    const slot = at('2027-01-16T03:00Z')
    expect(decide(later(slot, 2 * hourMs))).toMatchObject({ do: 'start' })
    expect(decide(later(slot, 2 * hourMs + 1))).toMatchObject({
      do: 'skip',
      plan: { skips: [skip(slot, 'start_deadline')] },
    })
  })

  it('may be longer than a day', () => {
    const weekly = { schedule_day_of_week: 'mon' }
    const monday = at('2027-01-18T00:00Z')
    expect(scheduled(weekly, { start_deadline: '3 days' }).decide(later(monday, 2 * dayMs))).toMatchObject({
      do: 'start',
      slot: monday,
    })
  })
})

describe('exclusions', () => {
  it('skip the slots of their days, in the zone of the schedule', () => {
    const firn = { exclusions: ['2027-01-16'], timezone: 'Asia/Tokyo' }
    const slot = at('2027-01-15T18:00Z') // 03:00 of the 16th in Tokyo
    expect(scheduled(daily, firn).decide(slot)).toMatchObject({
      do: 'skip',
      slot,
      plan: { next: later(slot, dayMs), skips: [skip(slot, 'excluded')] },
    })
    expect(scheduled(daily, { exclusions: ['2027-01-15'], timezone: 'Asia/Tokyo' }).decide(slot).do).toBe(
      'start',
    )
  })

  it('may be ranges, of which both ends are excluded', () => {
    const firn = { exclusions: ['2027-03-01', '2027-01-16/2027-01-18'] }
    let { plan } = scheduled(daily, firn)
    for (const day of [16, 17, 18])
      plan = planOf(scheduled(daily, firn, plan).decide(at(`2027-01-${day}T03:00Z`)))
    expect(plan.skips).toEqual([range(at('2027-01-16T03:00Z'), at('2027-01-18T03:00Z'), 3, 'excluded')])
    expect(scheduled(daily, firn, plan).decide(at('2027-01-19T03:00Z')).do).toBe('start')
  })

  it('let a continuous schedule leap over them', () => {
    const firn = { exclusions: ['2027-01-15/2027-01-16'], timezone: 'Europe/Berlin' }
    const slot = later(noon, 1)
    expect(scheduled(continuous, firn).decide(slot)).toEqual({
      do: 'skip',
      slot,
      plan: { generation: 1, claimed: slot, next: at('2027-01-16T23:00Z'), skips: [skip(slot, 'excluded')] },
    })
    const bounded = { ...continuous, schedule_end_date: '2027-01-16T00:00:00' }
    expect(planOf(scheduled(bounded, firn).decide(slot))).not.toHaveProperty('next')
  })
})

describe('pause_after_failures', () => {
  const firn = { pause_after_failures: 3 }

  it('stops the schedule at the slot after so many of them', () => {
    const { decide } = scheduled(hourly, firn)
    expect(decide(hour(1), { open: 0, failures: 2 })).toMatchObject({ do: 'start' })
    expect(decide(hour(1), { open: 0, failures: 3 })).toEqual({
      do: 'pause',
      slot: hour(1),
      plan: { generation: 2, claimed: hour(1), held: hour(2), skips: [skip(hour(1), 'failures')] },
    })
    const going = scheduled(continuous, firn)
    expect(going.decide(hour(1), { open: 0, failures: 3 })).toMatchObject({ do: 'pause' })
  })
})

describe('a session that holds off', () => {
  it('skips its slot, or starts later where it is continuous', () => {
    const load = { ...idle, heldOffUntil: later(hour(1), 10) }
    expect(scheduled(hourly, {}).decide(hour(1), load)).toMatchObject({
      do: 'skip',
      plan: { skips: [skip(hour(1), 'hold_off')] },
    })
    expect(scheduled(hourly, {}).decide(hour(1), { ...idle, heldOffUntil: hour(1) }).do).toBe('start')
    expect(scheduled(continuous, {}).decide(hour(1), load)).toEqual({ do: 'wait', until: later(hour(1), 10) })
  })
})

describe('a slot that finds nobody to run on', () => {
  it('is told of, and not counted', () => {
    const firn = { count: 2 }
    const { plan, decide } = scheduled(hourly, firn)
    const claim = decide(hour(1)) as Extract<Claim, { do: 'start' }>
    expect(claim.plan.left).toBe(1)
    expect(notStarted(plan, claim.passed, claim.slot, 'no_client')).toEqual({
      generation: 1,
      left: 2,
      claimed: hour(1),
      next: hour(2),
      skips: [skip(hour(1), 'no_client')],
    })
  })
})

describe('every slot, whatever policies and clocks do', () => {
  const fields = fc.constantFrom<ScheduleFields>(hourly, daily, { schedule_interval: '20 minutes' })
  const policies = fc.record(
    {
      catch_up: fc.constantFrom('latest', 'none', 'all'),
      catch_up_max: fc.integer({ min: 1, max: 4 }),
      overlap: fc.constantFrom('skip', 'queue', 'cancel', 'allow'),
      jitter: fc.constantFrom('10 minutes', '2 hours'),
      start_deadline: fc.constantFrom('1 minutes', '90 minutes', '2 days'),
      exclusions: fc.constant<string[]>(['2027-01-16']),
      count: fc.integer({ min: 1, max: 6 }),
    },
    { requiredKeys: [] },
  )
  const moves = fc.array(
    fc.record({ ms: fc.integer({ min: -60_000, max: 5 * hourMs }), open: fc.integer({ min: 0, max: 1 }) }),
    { maxLength: 40 },
  )

  it('becomes one start, or is told of, and none is left out', () => {
    fc.assert(
      fc.property(fields, policies, moves, (schedule, firn, steps) => {
        let now = later(noon, 1)
        let plan = replan(schedule, firn, undefined, now)
        const first = plan.next ?? 0
        const started: Instant[] = []
        for (const { ms, open } of steps) {
          now = later(now, ms)
          for (let looks = 0; looks < 300; looks++) {
            const claim = claimDue({ id: 'j1', schedule, firn, plan }, { open, failures: 0 }, now)
            if (claim.do === 'wait' || claim.do === 'cancel') break
            expect(claim.slot).toBeLessThanOrEqual(now)
            expect(claim.plan.next ?? Infinity).toBeGreaterThan(claim.slot)
            if (claim.do === 'start') started.push(claim.slot)
            plan = claim.plan
            expect(looks).toBeLessThan(299)
          }
        }
        expect(new Set(started).size).toBe(started.length)
        const everyMs = schedule === hourly ? hourMs : schedule === daily ? dayMs : hourMs / 3
        const told = (plan.skips ?? []).reduce((sum, { count }) => sum + count, 0)
        const last = Math.max(plan.claimed ?? 0, plan.skips?.at(-1)?.to ?? 0)
        const due = last === 0 ? 0 : (last - first) / everyMs + 1
        if ((plan.skips?.length ?? 0) < 50) expect(started.length + told).toBe(due)
      }),
      { numRuns: 300 },
    )
  })
})
