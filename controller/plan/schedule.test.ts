import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { at, noon } from '../../test/support/builders.ts'
import type { JsonObject } from '../../core/action.ts'
import { later, type Instant } from '../../core/clock.ts'
import type { Plan, ScheduleFields } from '../../core/job.ts'
import type { SkipReason } from '../../core/skip.ts'
import { timezoneOf } from './extensions.ts'
import { claimDue, type Claim } from './claim.ts'
import { replan, unplanned, unstarted, withSkipped } from './schedule.ts'

const dayMs = 86_400_000
const refusal = (field: string) => expect.objectContaining({ code: 'bad_request', detail: { field } })

const planned = (fields: ScheduleFields, now = noon, plan?: Plan, firn = {}) =>
  replan(fields, firn, plan, now)
const claimed = (schedule: ScheduleFields, firn: JsonObject, plan: Plan, busy: boolean, now: Instant) =>
  claimDue({ id: 'j1', schedule, firn, plan }, { open: busy ? 1 : 0, failures: 0 }, now)
const claim = (fields: ScheduleFields, plan: Plan, now: Instant, busy = false) =>
  claimed(fields, {}, plan, busy, now)
const skip = (slot: Instant, reason: SkipReason) => ({ from: slot, to: slot, count: 1, reason })
const daily: ScheduleFields = { schedule_hour: '3' }
const hourly: ScheduleFields = { schedule_interval: '1 hours' }
const continuous: ScheduleFields = { schedule_interval: 'continuous' }
const once = (date: string): ScheduleFields => ({ schedule_date: date })

describe('slots that fell due of a schedule that stands still', () => {
  const held = { ...unplanned({ generation: 1, next: noon }) }
  const job = {
    schedule: { ...hourly, schedule_start_date: '2027-01-15T12:00:00' },
    wanted: 'stopped',
  } as const
  const lateMs = 2 * 3_600_000 + 1

  it('are told of once, and start no more, also by a clock that is behind', () => {
    const lost = unstarted({ ...job, plan: held }, later(noon, lateMs))
    const told = withSkipped(held, lost)
    expect(told.skips).toEqual([{ from: noon, to: later(noon, 7_200_000), count: 3, reason: 'paused' }])
    expect(unstarted({ ...job, plan: told }, later(noon, lateMs))).toBeUndefined()
    expect(unstarted({ ...job, plan: told }, later(noon, 3 * 3_600_000))).toMatchObject({ count: 1 })
    expect(planned(job.schedule, noon, told).next).toBe(later(noon, 3 * 3_600_000))
  })

  it('are none where it had its only one', () => {
    const [schedule, plan] = [once('2027-01-15T12:00:00'), { ...held, claimed: noon }]
    expect(unstarted({ schedule, wanted: 'stopped', plan }, later(noon, 1))).toBeUndefined()
  })
})

describe('a new plan', () => {
  it('has the first slot from now on, this moment included', () => {
    expect(planned(daily)).toEqual({ generation: 1, next: at('2027-01-16T03:00Z') })
    expect(planned(daily, at('2027-01-16T03:00Z'))).toEqual({ generation: 1, next: at('2027-01-16T03:00Z') })
  })

  it('counts an interval from now, or from its start date', () => {
    expect(planned(hourly).next).toBe(later(noon, 3_600_000))
    const from = { ...hourly, schedule_start_date: '2026-01-01T00:20:00' }
    expect(planned(from).next).toBe(at('2027-01-15T12:20Z'))
    expect(planned({ ...hourly, schedule_start_date: '2028-01-01T00:20:00' }).next).toBe(
      at('2028-01-01T00:20Z'),
    )
  })

  it('begins a continuous job at once, or at its start date', () => {
    expect(planned(continuous).next).toBe(noon)
    expect(planned({ ...continuous, schedule_start_date: '2027-02-01T00:00:00' }).next).toBe(
      at('2027-02-01T00:00Z'),
    )
  })

  it('has the moment of a date, and nothing without any trigger', () => {
    expect(planned(once('2027-01-15T13:00:00')).next).toBe(at('2027-01-15T13:00Z'))
    expect(planned({})).toEqual({ generation: 1 })
  })

  it('is in the zone of the schedule', () => {
    expect(planned(daily, noon, undefined, { timezone: 'Asia/Tokyo' }).next).toBe(at('2027-01-15T18:00Z'))
    expect(timezoneOf(undefined)).toBe('UTC')
    for (const timezone of [3, null, '', 'Mars/Olympus'])
      expect(() => planned(daily, noon, undefined, { timezone })).toThrow(refusal('firn.timezone'))
  })

  it('keeps within the start and the end date', () => {
    const bounded = {
      ...daily,
      schedule_start_date: '2027-02-01T03:00:00',
      schedule_end_date: '2027-02-02T03:00:00',
    }
    const first = planned(bounded)
    expect(first.next).toBe(at('2027-02-01T03:00Z'))
    const second = claim(bounded, first, at('2027-02-01T03:00Z'))
    expect(second).toMatchObject({ do: 'start', plan: { next: at('2027-02-02T03:00Z') } })
    const last = claim(bounded, (second as { plan: Plan }).plan, at('2027-02-02T03:00Z'))
    expect(last).toMatchObject({ do: 'start' })
    expect((last as { plan: Plan }).plan).not.toHaveProperty('next')
  })

  it.each([
    { schedule_month: '2', schedule_day: '30' },
    { schedule_week: '53', schedule_month: '2' },
    { schedule_week: '53', schedule_month: '2', schedule_second: '*' },
    { schedule_year: '2027', schedule_month: '2', schedule_day: '29' },
    {
      schedule_hour: '3',
      schedule_start_date: '2027-02-01T04:00:00',
      schedule_end_date: '2027-02-02T02:00:00',
    },
    { schedule_year: '2026', schedule_start_date: '2027-02-01T00:00:00' },
  ])('is refused when no date satisfies it: %o', (fields) => {
    expect(() => planned(fields)).toThrow(refusal('job_schedule'))
  })

  it('grows its generation, so that a claim that read the old one fails', () => {
    expect(planned(daily, noon, { generation: 7 }).generation).toBe(8)
    expect(unplanned({ generation: 7 })).toEqual({ generation: 8 })
    expect(unplanned(undefined)).toEqual({ generation: 1 })
  })

  it('keeps what was claimed: a change at the slot does not start it twice', () => {
    const slot = at('2027-01-15T03:00Z')
    const claimed = { generation: 1, claimed: slot }
    expect(planned(daily, slot, claimed)).toEqual({ generation: 2, claimed: slot, next: later(slot, dayMs) })
    expect(planned(hourly, later(slot, 60_000), claimed).next).toBe(later(slot, 3_600_000))
    expect(unplanned(claimed)).toEqual({ generation: 2, claimed: slot })
  })

  it('keeps why its newest slot was skipped', () => {
    const skips = [skip(noon, 'overlap')]
    expect(planned(daily, noon, { generation: 1, claimed: noon, skips })).toMatchObject({ skips })
  })
})

describe('a schedule whose time is past', () => {
  it('is stored and recorded as missed, and never fires', () => {
    for (const [fields, slot] of [
      [once('2027-01-15T11:00:00'), '2027-01-15T11:00Z'],
      [{ schedule_year: '2020' }, '2020-01-01T00:00Z'],
      [{ ...daily, schedule_end_date: '2026-05-01T12:00:00' }, '2026-05-01T03:00Z'],
      [
        { ...hourly, schedule_start_date: '2026-05-01T00:20:00', schedule_end_date: '2026-05-01T12:00:00' },
        '2026-05-01T11:20Z',
      ],
    ] as const)
      expect(planned(fields)).toEqual({
        generation: 1,
        claimed: at(slot),
        skips: [skip(at(slot), 'missed')],
      })
  })

  it('has no slot to record when it is counted from now', () => {
    const over = { schedule_end_date: '2026-05-01T12:00:00' }
    expect(planned({ ...hourly, ...over })).toEqual({ generation: 1 })
    expect(planned({ ...continuous, ...over })).toEqual({ generation: 1 })
  })

  it('says nothing new when its slot was claimed: whole documents of finished jobs come back', () => {
    const slot = at('2027-01-15T11:00Z')
    expect(planned(once('2027-01-15T11:00:00'), noon, { generation: 1, claimed: slot })).toEqual({
      generation: 2,
      claimed: slot,
    })
  })

  it('fires all the same when it passed while the request was on its way', () => {
    expect(planned(once('2027-01-15T11:59:58')).next).toBe(at('2027-01-15T11:59:58Z'))
  })
})

describe('a claim', () => {
  const plan = planned(daily)
  const slot = at('2027-01-16T03:00Z')

  it('waits for the next slot, or for nothing', () => {
    expect(claim(daily, plan, noon)).toEqual({ do: 'wait', until: slot })
    expect(claim(daily, { generation: 1 }, noon)).toEqual({ do: 'wait', until: undefined })
  })

  it('starts the slot that is due, and moves on', () => {
    expect(claim(daily, plan, slot)).toEqual({
      do: 'start',
      slot,
      plan: { generation: 1, claimed: slot, next: later(slot, dayMs) },
      passed: { generation: 1, claimed: slot, next: later(slot, dayMs) },
    })
  })

  it('starts a date once', () => {
    const fields = once('2027-01-15T13:00:00')
    const moment = at('2027-01-15T13:00Z')
    expect(claim(fields, planned(fields), moment)).toEqual({
      do: 'start',
      slot: moment,
      plan: { generation: 1, claimed: moment },
      passed: { generation: 1, claimed: moment },
    })
  })

  it('skips a slot at which a run is still open', () => {
    expect(claim(daily, plan, slot, true)).toEqual({
      do: 'skip',
      slot,
      plan: { generation: 1, claimed: slot, next: later(slot, dayMs), skips: [skip(slot, 'overlap')] },
    })
  })

  it('after an outage starts the latest missed slot, and passes over the ones before it', () => {
    const now = at('2027-01-20T02:00Z')
    expect(claim(daily, plan, now)).toMatchObject({
      do: 'start',
      slot: at('2027-01-19T03:00Z'),
      plan: { next: at('2027-01-20T03:00Z') },
    })
    const from = planned(hourly)
    expect(claim(hourly, from, later(noon, 10.5 * 3_600_000))).toMatchObject({
      do: 'start',
      slot: later(noon, 10 * 3_600_000),
      plan: { next: later(noon, 11 * 3_600_000) },
    })
  })

  it('records a slot as missed that is more than a day old', () => {
    const weekly = { schedule_day_of_week: 'mon' }
    const monday = at('2027-01-18T00:00Z')
    expect(claim(weekly, planned(weekly), later(monday, dayMs))).toMatchObject({ do: 'start', slot: monday })
    expect(claim(weekly, planned(weekly), later(monday, dayMs + 1))).toEqual({
      do: 'skip',
      slot: monday,
      plan: {
        generation: 1,
        claimed: monday,
        next: later(monday, 7 * dayMs),
        skips: [skip(monday, 'missed')],
      },
    })
  })

  it('never reaches beyond the end date, however long the outage', () => {
    const end = { schedule_end_date: '2027-01-18T12:00:00' }
    for (const fields of [
      { ...daily, ...end },
      { ...hourly, ...end },
    ]) {
      const after = claim(fields, planned(fields), at('2027-03-01T00:00Z'))
      expect(after).toMatchObject({ do: 'skip' })
      const { slot: last, plan: over } = after as Extract<Claim, { do: 'skip' }>
      expect(last).toBeLessThanOrEqual(at('2027-01-18T12:00Z'))
      expect(last).toBeGreaterThan(at('2027-01-18T00:00Z'))
      expect(over).not.toHaveProperty('next')
    }
  })
})

describe('a continuous job', () => {
  const plan = planned(continuous)

  it('starts when the last run has ended, and not before', () => {
    expect(claim(continuous, plan, noon, true)).toEqual({ do: 'wait', until: undefined })
    expect(claim(continuous, plan, noon)).toMatchObject({ do: 'start', slot: noon })
  })

  it('starts at most once a second: runs that end at once must not fill the store', () => {
    const { plan: next } = claim(continuous, plan, noon) as { plan: Plan }
    expect(claim(continuous, next, later(noon, 999))).toEqual({ do: 'wait', until: later(noon, 1_000) })
    expect(claim(continuous, next, later(noon, 1_000))).toMatchObject({ do: 'start' })
  })

  it('goes on after an outage or a run of days: nothing was missed', () => {
    const now = later(noon, 3 * dayMs)
    expect(claim(continuous, plan, now)).toMatchObject({ do: 'start', slot: now })
  })

  it('ends with its end date', () => {
    const fields = { ...continuous, schedule_end_date: '2027-01-15T12:00:01' }
    const { plan: next } = claim(fields, planned(fields), noon) as { plan: Plan }
    const over = claim(fields, next, later(noon, 60_000))
    expect(over).toMatchObject({ do: 'skip', plan: { claimed: later(noon, 1_000) } })
    expect((over as { plan: Plan }).plan).not.toHaveProperty('next')
    expect((claim(fields, next, later(noon, 1_000)) as { plan: Plan }).plan).not.toHaveProperty('next')
  })
})

describe('a hostile schedule', () => {
  /** Each of them would take minutes if slots, seconds or weeks were gone through one by one. */
  const years = { generation: 1, next: at('1990-01-01T00:00Z') }

  it.each([
    [{ schedule_second: '*' }, '2027-01-15T12:00Z'],
    [{ schedule_second: '*', schedule_end_date: '2026-12-31T00:00:00' }, '2026-12-31T00:00Z'],
    [{ schedule_second: '*', schedule_week: '53' }, '2027-01-03T23:59:59Z'],
    [{ schedule_second: '*', schedule_month: '2', schedule_day: '29' }, '2024-02-29T23:59:59Z'],
    [{ schedule_interval: '1 seconds' }, '2027-01-15T12:00Z'],
  ])('finds its latest slot of forty years as fast as any: %o', (fields, expected) => {
    for (const firn of [{}, { timezone: 'Etc/UCT' }]) {
      const due = claimed(fields, firn, years, false, noon)
      expect(due).toMatchObject({ slot: at(expected) })
    }
  })
})

describe('a schedule, whatever the clock does', () => {
  const fields = fc.constantFrom<ScheduleFields>(
    daily,
    hourly,
    continuous,
    { ...hourly, schedule_start_date: '2027-01-10T00:20:00' },
    { ...hourly, schedule_end_date: '2027-01-18T00:00:00' },
    { schedule_minute: '*/20', schedule_end_date: '2027-01-18T00:00:00' },
    { schedule_day_of_week: 'mon,thu', schedule_hour: '2', schedule_minute: '30' },
    { schedule_week: '2,3', schedule_hour: '12' },
    once('2027-01-16T00:00:00'),
  )
  const zones = fc.constantFrom({}, { timezone: 'America/New_York' })
  /** Mostly forward, from seconds to days, now and then back. */
  const moves = fc.array(
    fc.record({
      ms: fc.oneof(fc.integer({ min: -3_600_000, max: 3_600_000 }), fc.integer({ min: 0, max: 2 * dayMs })),
      busy: fc.boolean(),
      edit: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    }),
    { maxLength: 40 },
  )

  it('claims each slot at most once, never early, never going back, and never past its end', () => {
    fc.assert(
      fc.property(fields, zones, moves, (schedule, firn, steps) => {
        let now: Instant = noon
        let plan = replan(schedule, firn, undefined, now)
        const slots = new Set<Instant>()
        for (const { ms, busy, edit } of steps) {
          now = later(now, ms)
          if (edit) plan = replan(schedule, firn, plan, now)
          const before = plan.claimed ?? -Infinity
          const due = claimed(schedule, firn, plan, busy, now)
          if (due.do === 'wait' || due.do === 'cancel') continue
          expect(slots.has(due.slot)).toBe(false)
          slots.add(due.slot)
          expect(due.slot).toBeLessThanOrEqual(now)
          expect(due.slot).toBeGreaterThan(before)
          expect(due.plan.claimed).toBe(due.slot)
          expect(due.plan.next ?? Infinity).toBeGreaterThan(due.slot)
          expect(due.plan.generation).toBe(plan.generation)
          if (due.do === 'start') expect(now - due.slot).toBeLessThanOrEqual(dayMs)
          else expect(due.plan.skips?.at(-1)).toMatchObject({ to: due.slot })
          const end = schedule.schedule_end_date
          if (end !== undefined && firn.timezone === undefined)
            expect(due.slot).toBeLessThanOrEqual(at(`${end}Z`))
          plan = due.plan
        }
      }),
      { numRuns: 400 },
    )
  })

  it('has nothing left to claim right after a claim', () => {
    fc.assert(
      fc.property(fields, fc.integer({ min: 0, max: 30 * dayMs }), (schedule, ms) => {
        const now = later(noon, ms)
        const due = claimed(schedule, {}, replan(schedule, {}, undefined, noon), false, now)
        if (due.do === 'start' || due.do === 'skip')
          expect(claimed(schedule, {}, due.plan, false, now).do).toBe('wait')
      }),
    )
  })

  it('claims, looked at often enough, exactly the slots that a walk through its ticks has', () => {
    const cron = fc.constantFrom<ScheduleFields>(
      daily,
      { schedule_minute: '*/20' },
      { schedule_hour: '1-5/2' },
    )
    fc.assert(
      fc.property(cron, zones, fc.integer({ min: 0, max: 400 }), (schedule, firn, day) => {
        const start = later(at('2026-02-01'), day * dayMs)
        let plan = replan(schedule, firn, undefined, start)
        const found: Instant[] = []
        const stepMs = 600_000
        for (let now = start; now < start + 2 * dayMs; now = later(now, stepMs)) {
          const due = claimed(schedule, firn, plan, false, now)
          if (due.do !== 'start') continue
          found.push(due.slot)
          plan = due.plan
        }
        const walked: Instant[] = []
        for (
          let next = replan(schedule, firn, undefined, start).next;
          next !== undefined && next <= start + 2 * dayMs - stepMs;
        ) {
          walked.push(next)
          next = replan(schedule, firn, { generation: 1, claimed: next }, later(next, 1)).next
        }
        expect(found).toEqual(walked)
      }),
      { numRuns: 60 },
    )
  })
})
