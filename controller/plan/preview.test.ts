import { describe, expect, it } from 'vitest'
import { at, noon } from '../../test/support/builders.ts'
import type { JsonObject } from '../../core/action.ts'
import { isoOf, later } from '../../core/clock.ts'
import type { ScheduleFields } from '../../core/job.ts'
import { previewOf, type Span } from './preview.ts'
import { replan } from './schedule.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const hourly: ScheduleFields = { schedule_minute: '0' }

const preview = (schedule: ScheduleFields, firn: JsonObject, span: Partial<Span> = {}) => {
  const plan = replan(schedule, firn, undefined, later(noon, 1))
  const whole = { from: noon, to: later(noon, 4 * hourMs), limit: 50, runMs: 0, ...span }
  return previewOf({ id: 'j1', schedule, firn, plan }, whole)
}
const told = (schedule: ScheduleFields, firn: JsonObject, span?: Partial<Span>) =>
  preview(schedule, firn, span).slots.map(
    ({ slot, startsAt, reason, overlaps }) =>
      `${isoOf(slot).slice(11, 16)} ${reason ?? isoOf(startsAt ?? slot).slice(11, 16)}${overlaps ? ' overlaps' : ''}`,
  )

describe('a preview', () => {
  it('tells the slots from one instant up to another', () => {
    expect(told(hourly, {})).toEqual(['13:00 13:00', '14:00 14:00', '15:00 15:00'])
    expect(told(hourly, {}, { from: later(noon, 2 * hourMs) })).toEqual(['14:00 14:00', '15:00 15:00'])
    expect(told({}, {})).toEqual([])
    expect(told({ schedule_date: '2027-01-15T13:30:00' }, {})).toEqual(['13:30 13:30'])
    expect(told({ schedule_date: '2027-01-15T13:30:00' }, {}, { from: later(noon, 2 * hourMs) })).toEqual([])
    expect(told({ schedule_interval: '90 minutes' }, {})).toEqual(['13:30 13:30', '15:00 15:00'])
  })

  it('says that there are more than it was asked for', () => {
    expect(preview(hourly, {}, { limit: 2 })).toMatchObject({ more: true })
    expect(preview(hourly, {}, { limit: 3 })).toMatchObject({ more: false })
  })

  it('has starts by jitter, and days that are excluded', () => {
    const [first] = preview(hourly, { jitter: '30 minutes' }).slots
    expect(first?.startsAt).toBeGreaterThan(first?.slot ?? Infinity)
    expect(told(hourly, { exclusions: ['2027-01-15'] })).toEqual([
      '13:00 excluded',
      '14:00 excluded',
      '15:00 excluded',
    ])
  })

  it('expects runs to take as long as they do, and what overlaps to go as the policy says', () => {
    const span = { runMs: 1.4 * hourMs }
    expect(told(hourly, {}, span)).toEqual(['13:00 13:00', '14:00 overlap overlaps', '15:00 15:00'])
    expect(told(hourly, { overlap: 'queue' }, span)).toEqual([
      '13:00 13:00',
      '14:00 14:24 overlaps',
      '15:00 15:48 overlaps',
    ])
    expect(told(hourly, { overlap: 'cancel' }, span)).toEqual(['13:00 13:00', '14:00 14:00', '15:00 15:00'])
    expect(told(hourly, { overlap: 'allow' }, span)).toEqual([
      '13:00 13:00',
      '14:00 14:00 overlaps',
      '15:00 15:00 overlaps',
    ])
  })

  it('lets a continuous schedule go on after each run', () => {
    const going = { schedule_interval: 'continuous' }
    expect(told(going, {}, { from: later(noon, 1), runMs: hourMs })).toHaveLength(4)
    expect(preview(going, {}, { limit: 5 })).toMatchObject({ more: true })
  })

  it('ends with the count', () => {
    expect(told(hourly, { count: 2 })).toEqual(['13:00 13:00', '14:00 14:00'])
    const later2 = { from: later(noon, 2 * hourMs) }
    expect(told(hourly, { count: 2 }, later2)).toEqual(['14:00 14:00'])
    expect(told(hourly, { count: 1 }, later2)).toEqual([])
    expect(() => told(hourly, { count: 1000 }, { from: later(noon, 9 * dayMs) })).toThrow(
      expect.objectContaining({ code: 'bad_request', detail: { field: 'from' } }),
    )
  })

  it('marks what daylight saving does', () => {
    const zone = { timezone: 'Europe/Berlin' }
    const nights = (schedule: ScheduleFields, from: string) =>
      preview(schedule, zone, { from: at(from), to: later(at(from), dayMs) }).slots.map(({ local, dst }) =>
        `${local} ${dst ?? ''}`.trim(),
      )
    const nightly = { pattern: '30 2 * * *' }
    const plan = replan({}, { ...zone, ...nightly }, undefined, noon)
    const spring = previewOf(
      { id: 'j1', schedule: {}, firn: { ...zone, ...nightly }, plan },
      { from: at('2027-03-28T00:00Z'), to: at('2027-03-29T12:00Z'), limit: 9, runMs: 0 },
    )
    expect(spring.slots.map(({ local, dst }) => [local, dst])).toEqual([
      ['2027-03-28T03:00:00+02:00', 'forward'],
      ['2027-03-29T02:30:00+02:00', undefined],
    ])
    expect(nights({ schedule_minute: '30' }, '2027-10-30T23:00Z').slice(0, 4)).toEqual([
      '2027-10-31T01:30:00+02:00',
      '2027-10-31T02:30:00+02:00 first',
      '2027-10-31T02:30:00+01:00 second',
      '2027-10-31T03:30:00+01:00',
    ])
  })
})
