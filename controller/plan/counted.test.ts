import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { at, noon } from '../../test/support/builders.ts'
import { later, type Instant } from '../../core/clock.ts'
import type { JsonObject } from '../../core/action.ts'
import type { Plan, ScheduleFields } from '../../core/job.ts'
import { claimDue as decide, type Claim } from './claim.ts'
import { checkSchedule, replan, stopped, unplanned } from './schedule.ts'

const minuteMs = 60_000
const dayMs = 86_400_000
const refusal = (field: string) => expect.objectContaining({ code: 'bad_request', detail: { field } })
const nightly = { pattern: '30 2 * * *' }
const night = (day: number): Instant => at(`2027-01-${day}T02:30Z`)

const claimDue = (schedule: ScheduleFields, firn: JsonObject, plan: Plan, busy: boolean, now: Instant) =>
  decide({ id: 'j1', schedule, firn, plan }, { open: busy ? 1 : 0, failures: 0 }, now)

const started = (claim: Claim): Plan => {
  expect(claim.do).toBe('start')
  return (claim as Extract<Claim, { do: 'start' }>).plan
}

describe('firn.pattern', () => {
  it('is a schedule by itself, with five fields, six with seconds first, seven with a year, or a macro', () => {
    for (const [pattern, next] of [
      ['30 2 * * *', '2027-01-16T02:30Z'],
      ['15 30 2 * * *', '2027-01-16T02:30:15Z'],
      ['15 30 2 * * * 2028', '2028-01-01T02:30:15Z'],
      ['@Daily', '2027-01-16T00:00Z'],
      ['@midnight', '2027-01-16T00:00Z'],
    ] as const)
      expect(replan({}, { pattern }, undefined, noon).next).toBe(at(next))
  })

  it('fires where either day field matches, unlike Freezer’s fields', () => {
    const days = { pattern: '0 0 20 * mon' }
    expect(replan({}, days, undefined, noon).next).toBe(at('2027-01-18T00:00Z'))
    const fields = { schedule_day: '20', schedule_day_of_week: 'mon' }
    expect(replan(fields, {}, undefined, noon).next).toBe(at('2027-09-20T00:00Z'))
  })

  it('begins strictly after the moment at which it was asked for', () => {
    expect(replan({}, { pattern: '0 12 * * *' }, undefined, noon).next).toBe(later(noon, dayMs))
    expect(replan({}, { pattern: '0 12 * * *' }, undefined, later(noon, -1)).next).toBe(noon)
  })

  it('begins at its start date where that is a tick, and ends with its end date', () => {
    const from = { schedule_start_date: '2027-02-01T02:30:00' }
    expect(replan(from, nightly, undefined, noon).next).toBe(at('2027-02-01T02:30Z'))
    const until = { schedule_end_date: '2027-01-16T02:30:00' }
    expect(
      started(claimDue(until, nightly, replan(until, nightly, undefined, noon), false, night(16))),
    ).toEqual({
      generation: 1,
      claimed: night(16),
    })
  })

  it('counts in its zone', () => {
    const zoned = { ...nightly, timezone: 'Asia/Tokyo' }
    expect(replan({}, zoned, undefined, noon).next).toBe(at('2027-01-15T17:30Z'))
  })

  it('stands beside no other trigger, and what cannot is named', () => {
    const date = '2027-02-01T02:30:00'
    for (const field of ['schedule_date', 'schedule_interval', 'schedule_hour', 'schedule_week'])
      expect(() => checkSchedule({ [field]: '1' }, nightly)).toThrow(refusal(field))
    expect(checkSchedule({ schedule_start_date: date, schedule_end_date: date }, nightly)).toEqual({
      schedule_start_date: date,
      schedule_end_date: date,
    })
  })

  it.each([
    7,
    null,
    '',
    'x',
    '@reboot',
    '@every 5m',
    '* * * *',
    '5-1 * * * *',
    '*/0 * * * *',
    '2027-01-01T00:00:00',
  ])('%j is refused', (pattern) => {
    expect(() => checkSchedule({}, { pattern })).toThrow(refusal('firn.pattern'))
  })

  it('is refused when it is too long, or when no date satisfies it', () => {
    expect(() => checkSchedule({}, { pattern: `${'1,'.repeat(200)}1 * * * *` })).toThrow(
      refusal('firn.pattern'),
    )
    for (const pattern of ['0 0 31 2 *', '0 0 30 2 *', '0 0 31 4,6,9,11 *'])
      expect(() => replan({}, { pattern }, undefined, noon)).toThrow(refusal('firn.pattern'))
  })
})

describe('firn.count', () => {
  const thrice = { ...nightly, count: 3 }

  it('is what is left at the beginning, and one less after each start', () => {
    let plan = replan({}, thrice, undefined, noon)
    expect(plan).toEqual({ generation: 1, next: night(16), left: 3 })
    plan = started(claimDue({}, thrice, plan, false, night(16)))
    expect(plan).toEqual({ generation: 1, claimed: night(16), next: night(17), left: 2 })
    plan = started(claimDue({}, thrice, plan, false, night(17)))
    plan = started(claimDue({}, thrice, plan, false, night(18)))
    expect(plan).toEqual({ generation: 1, claimed: night(18), left: 0 })
    expect(claimDue({}, thrice, plan, false, night(30))).toEqual({ do: 'wait', until: undefined })
  })

  it('is not used up by a slot that is skipped, or that nothing could be started for', () => {
    const plan = replan({}, thrice, undefined, noon)
    expect(claimDue({}, thrice, plan, true, night(16))).toMatchObject({ do: 'skip', plan: { left: 3 } })
    const last = { ...plan, left: 1 }
    expect(claimDue({}, thrice, last, false, night(16))).toMatchObject({
      plan: { left: 0 },
      passed: { left: 1, next: night(17) },
    })
    expect(claimDue({}, thrice, last, true, night(16))).toMatchObject({ plan: { left: 1, next: night(17) } })
  })

  it('goes down by one for all the slots that an outage has swallowed', () => {
    const plan = replan({}, thrice, undefined, noon)
    expect(claimDue({}, thrice, plan, false, later(night(20), minuteMs))).toMatchObject({
      do: 'start',
      slot: night(20),
      plan: { left: 2, next: night(21) },
    })
  })

  it('survives a change of the schedule, begins anew when it is changed itself, and ends with its key', () => {
    const used = { generation: 4, claimed: night(16), left: 1, next: night(17) }
    expect(replan({}, { ...thrice, pattern: '0 3 * * *' }, used, noon).left).toBe(1)
    expect(replan({}, { ...nightly, count: 9 }, used, noon, { recount: true }).left).toBe(9)
    expect(replan({}, nightly, used, noon, { recount: true })).not.toHaveProperty('left')
    expect(replan({}, nightly, used, noon)).not.toHaveProperty('left')
  })

  it('has nothing to come once it is used up', () => {
    expect(replan({}, thrice, { generation: 1, claimed: night(16), left: 0 }, night(17))).toEqual({
      generation: 2,
      claimed: night(16),
      left: 0,
    })
  })

  it('counts the firings of every kind of schedule', () => {
    for (const fields of [
      { schedule_interval: '1 hours' },
      { schedule_hour: '3' },
      { schedule_interval: 'continuous' },
    ])
      expect(checkSchedule(fields, { count: 2 })).toEqual(fields)
    expect(checkSchedule({ schedule_date: '2027-02-01T00:00:00' }, { count: 1 })).toBeDefined()
  })

  it.each([0, -1, 1.5, '3', null, 1e12, [], true])('%j is refused', (count) => {
    expect(() => checkSchedule({ schedule_hour: '3' }, { count })).toThrow(refusal('firn.count'))
  })

  it('is refused where nothing fires, or only once', () => {
    expect(() => checkSchedule({}, { count: 1 })).toThrow(refusal('firn.count'))
    expect(() => checkSchedule({ schedule_date: '2027-02-01T00:00:00' }, { count: 2 })).toThrow(
      refusal('firn.count'),
    )
  })
})

describe('a slot that a user has set', () => {
  const set = at('2027-01-15T18:00Z')

  it('is the next one, tick or not, and the ticks after it follow', () => {
    const plan = replan({}, nightly, undefined, noon, { set })
    expect(plan).toEqual({ generation: 1, next: set, set })
    expect(started(claimDue({}, nightly, plan, false, set))).toEqual({
      generation: 1,
      claimed: set,
      next: night(16),
    })
  })

  it('passes over the ticks before it', () => {
    const far = at('2027-01-20T10:00Z')
    const plan = replan({}, nightly, undefined, noon, { set: far })
    expect(claimDue({}, nightly, plan, false, night(18))).toEqual({ do: 'wait', until: far })
    expect(started(claimDue({}, nightly, plan, false, far)).next).toBe(night(21))
  })

  it('that is past means nothing to what comes again', () => {
    expect(replan({}, nightly, undefined, noon, { set: noon })).toEqual({ generation: 1, next: night(16) })
    const claimed = { generation: 1, claimed: set }
    expect(replan({}, nightly, claimed, noon, { set })).toMatchObject({ next: night(16) })
  })

  it('moves a date, before or behind it; it fires once all the same', () => {
    const once = { schedule_date: '2027-01-16T00:00:00' }
    for (const moved of [set, at('2027-01-17T00:00Z')]) {
      const plan = replan(once, {}, undefined, noon, { set: moved })
      expect(plan).toEqual({ generation: 1, next: moved, set: moved })
      const over = started(claimDue(once, {}, plan, false, moved))
      expect(over).toEqual({ generation: 1, claimed: moved, set: moved })
      expect(replan(once, {}, over, later(moved, 1), { set: moved })).toEqual({ ...over, generation: 2 })
    }
  })

  it('is missed where a date was moved to the past', () => {
    const once = { schedule_date: '2027-01-16T00:00:00' }
    const past = at('2027-01-15T11:00Z')
    expect(replan(once, {}, undefined, noon, { set: past })).toEqual({
      generation: 1,
      claimed: past,
      skips: [{ from: past, to: past, count: 1, reason: 'missed' }],
      set: past,
    })
  })
})

describe('a stopped schedule', () => {
  it('remembers what would have come, what is left and what was set, and never fires', () => {
    const plan = { generation: 1, next: noon, left: 2, set: noon }
    const over = unplanned(plan)
    expect(over).toEqual({ generation: 2, held: noon, left: 2, set: noon })
    expect(unplanned(over)).toEqual({ ...over, generation: 3 })
    expect(claimDue({}, { ...nightly, count: 2 }, over, false, later(noon, dayMs)).do).toBe('wait')
  })

  it('that is changed has what the new one would have, and keeps what was claimed', () => {
    const before = { generation: 3, claimed: noon, left: 1, set: noon, held: noon }
    const fresh = replan({}, nightly, before, noon, { recount: true })
    expect(stopped(before, fresh)).toEqual({ generation: 4, claimed: noon, held: night(16) })
    expect(stopped(undefined, { left: 2 })).toEqual({ generation: 1, left: 2 })
  })

  it('does not make up for what it has missed', () => {
    const over = unplanned(replan({}, nightly, undefined, noon))
    expect(replan({}, nightly, over, later(night(20), minuteMs))).toEqual({
      generation: 3,
      next: night(21),
    })
  })
})

describe('a counted schedule, whatever happens', () => {
  const moves = fc.array(
    fc.record({
      ms: fc.integer({ min: -3_600_000, max: 2 * dayMs }),
      busy: fc.boolean(),
      act: fc.constantFrom('look', 'look', 'look', 'edit', 'stop', 'set'),
      ahead: fc.integer({ min: minuteMs, max: 3 * dayMs }),
    }),
    { maxLength: 60 },
  )

  it('starts as often as it counts, each slot once, never early, and what is left never grows', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), moves, (count, steps) => {
        const firn = { pattern: '*/20 2-4 * * *', count }
        let now: Instant = noon
        let plan = replan({}, firn, undefined, now)
        let starts = 0
        for (const { ms, busy, act, ahead } of steps) {
          now = later(now, ms)
          if (act === 'edit') plan = replan({}, firn, plan, now)
          if (act === 'stop') plan = replan({}, firn, unplanned(plan), now)
          if (act === 'set') plan = replan({}, firn, plan, now, { set: later(now, ahead) })
          const before = plan
          const due = claimDue({}, firn, plan, busy, now)
          if (due.do === 'wait' || due.do === 'cancel') continue
          expect(due.slot).toBeLessThanOrEqual(now)
          expect(due.slot).toBeGreaterThan(before.claimed ?? -Infinity)
          if (due.do === 'start') starts++
          expect(due.plan.left).toBe(count - starts)
          expect(due.plan.next === undefined).toBe(due.plan.left === 0)
          plan = due.plan
        }
        expect(starts).toBeLessThanOrEqual(count)
        expect(plan.left).toBe(count - starts)
      }),
      { numRuns: 300 },
    )
  })
})
