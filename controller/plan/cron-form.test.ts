import { describe, expect, it } from 'vitest'
import { aJob, at, noon } from '../../test/support/builders.ts'
import { isoOf, later, type Instant } from '../../core/clock.ts'
import type { JsonObject } from '../../core/action.ts'
import type { Job, ScheduleFields } from '../../core/job.ts'
import { checkCron, cronFormOf, firstSlot, nextShown, standingOf } from './cron-form.ts'
import { ticksOf } from './ticks.ts'

const formOf = (schedule: ScheduleFields, firn?: JsonObject) =>
  cronFormOf({ schedule, ...(firn ? { firn } : {}) })
const patternOf = (schedule: ScheduleFields, firn?: JsonObject) => {
  const form = formOf(schedule, firn)
  return form?.is === 'recurring' ? form.pattern : undefined
}
const refusal = expect.objectContaining({ code: 'bad_request', detail: { field: 'pattern' } })

describe('what one time or five cron fields express', () => {
  it('is a date, in whatever zone', () => {
    const date = { schedule_date: '2027-03-01T00:00:00' }
    expect(formOf(date)).toEqual({ is: 'once', at: at('2027-03-01T00:00Z') })
    expect(formOf(date, { timezone: 'Europe/Berlin' })).toEqual({ is: 'once', at: at('2027-02-28T23:00Z') })
  })

  it('is a pattern of five fields or a macro', () => {
    expect(patternOf({}, { pattern: ' 30 2 * * * ' })).toBe('30 2 * * *')
    expect(patternOf({ schedule_start_date: '2027-03-01T00:00:00' }, { pattern: '@daily' })).toBe('@daily')
    expect(patternOf({}, { pattern: '0 0 * * wed', timezone: 'Etc/UTC' })).toBe('0 0 * * wed')
  })

  it.each<[ScheduleFields, string]>([
    [{ schedule_hour: '3' }, '0 3 * * *'],
    [{ schedule_minute: '*/20' }, '0-40/20 * * * *'],
    [{ schedule_day_of_week: 'mon,thu', schedule_hour: '2', schedule_minute: '30' }, '30 2 * * 1,4'],
    [{ schedule_month: '2', schedule_day: 'last' }, '0 0 L 2 *'],
    [{ schedule_day: '2nd fri' }, '0 0 * * 5#2'],
    [{ schedule_day: 'last fri' }, '0 0 * * 5#L'],
  ])('is Freezer’s fields %j', (schedule, pattern) => {
    expect(patternOf(schedule)).toBe(pattern)
    checkCron(pattern, noon)
  })

  it.each<[ScheduleFields, JsonObject]>([
    [{}, {}],
    [{ schedule_interval: '5 minutes' }, {}],
    [{ schedule_second: '30' }, {}],
    [{ schedule_second: '*' }, {}],
    [{ schedule_year: '2027' }, {}],
    [{ schedule_week: '3' }, {}],
    [{ schedule_day: '13', schedule_day_of_week: 'fri' }, {}],
    [{ schedule_hour: '3' }, { timezone: 'Europe/Berlin' }],
    [{ schedule_hour: '3', schedule_end_date: '2028-01-01T00:00:00' }, {}],
    [{ schedule_end_date: '2028-01-01T00:00:00' }, { pattern: '@daily' }],
    [{}, { pattern: '0 30 2 * * *' }],
    [{}, { pattern: '0 0 ? * *' }],
    [{}, { pattern: '0 0 15W * *' }],
    [{}, { pattern: '@daily', timezone: 'Asia/Tokyo' }],
  ])('is not %j with %j', (schedule, firn) => {
    expect(formOf(schedule, firn)).toBeUndefined()
  })
})

describe('a pattern of Qinling’s dialect', () => {
  const next = (pattern: string, from: Instant, count: number): string[] => {
    const found: string[] = []
    let last: Instant | undefined = from
    while (
      found.length < count &&
      (last = ticksOf(pattern, 'UTC', 'pattern', 'either').after(last)) !== undefined
    )
      found.push(isoOf(last).slice(0, 16))
    return found
  }

  it.each([
    ['* * * * *', ['2027-01-15T12:01', '2027-01-15T12:02']],
    ['*/5 * * * *', ['2027-01-15T12:05', '2027-01-15T12:10']],
    ['10-50/10 * * * *', ['2027-01-15T12:10', '2027-01-15T12:20']],
    ['5/15 * * * *', ['2027-01-15T12:05', '2027-01-15T12:20']],
    ['1,15 0 * * *', ['2027-01-16T00:01', '2027-01-16T00:15']],
    ['0 0 * * MON-FRI', ['2027-01-18T00:00', '2027-01-19T00:00']],
    ['0 0 * jan,FEB Wed', ['2027-01-20T00:00', '2027-01-27T00:00']],
    ['0 0 * * 0', ['2027-01-17T00:00']],
    ['0 0 * * 7', ['2027-01-17T00:00']],
    [
      '0 0 13 * 5',
      ['2027-01-22T00:00', '2027-01-29T00:00', '2027-02-05T00:00', '2027-02-12T00:00', '2027-02-13T00:00'],
    ],
    ['0 0 31 * *', ['2027-01-31T00:00', '2027-03-31T00:00']],
    ['0 0 29 2 *', ['2028-02-29T00:00', '2032-02-29T00:00']],
    ['0 0 L * *', ['2027-01-31T00:00', '2027-02-28T00:00']],
    ['0 0 * * 5#3', ['2027-02-19T00:00']],
    ['0 0 * * L5', ['2027-01-29T00:00']],
    ['@hourly', ['2027-01-15T13:00']],
    ['@daily', ['2027-01-16T00:00']],
    ['@midnight', ['2027-01-16T00:00']],
    ['@weekly', ['2027-01-17T00:00']],
    ['@monthly', ['2027-02-01T00:00']],
    ['@yearly', ['2028-01-01T00:00']],
    ['@annually', ['2028-01-01T00:00']],
  ])('%s', (pattern, expected) => {
    expect(() => checkCron(pattern, noon)).not.toThrow()
    expect(next(pattern, noon, expected.length)).toEqual(expected)
  })

  it.each([
    ...['', ' ', 'x', 'a b c d e', '@reboot', '@every 5m', '* * * *', '* * * * * *', '* * * * * * *'],
    ...['60 * * * *', '* 24 * * *', '* * 0 * *', '* * 32 * *', '* * * 13 *', '* * * * 8', '*/0 * * * *'],
    ...['5-1 * * * *', '0 22-2 * * *', '0 0 ? * *', '0 0 15W * *', '0 0 LW * *', 'H * * * *', '0 0 * * +5'],
    ...[
      '1,,2 * * * *',
      '1- * * * *',
      '1.5 * * * *',
      '-1 * * * *',
      '2027-01-01T00:00:00',
      '2027-01-01 00:00:00',
    ],
    ...['/5 * * * *', '1,/5 * * * *', '0 /6 * * *'],
    ...['0 0 31 2 *', '0 0 30 2 *', 'CRON_TZ=UTC * * * * *', '* * * * \u0665', '*\u0000 * * * *'],
  ])('%j is refused', (pattern) => {
    expect(() => checkCron(pattern, noon)).toThrow(refusal)
  })
})

describe('how a job stands', () => {
  const dated: ScheduleFields = { schedule_date: '2027-01-16T00:00:00' }
  const moment = at('2027-01-16T00:00Z')
  const job = (over: Partial<Job>) =>
    aJob({ schedule: dated, plan: { generation: 1, next: moment }, ...over })

  it.each<[string, Partial<Job>]>([
    ['running', {}],
    ['cancelled', { wanted: 'cancelled', plan: { generation: 2, held: moment } }],
    ['paused', { wanted: 'stopped', plan: { generation: 2, held: moment } }],
    ['paused', { session: 's1' as never, plan: { generation: 2 } }],
    ['done', { plan: { generation: 1, claimed: moment } }],
    ['done', { wanted: 'stopped', plan: { generation: 1, claimed: moment } }],
    ['done', { plan: { generation: 1, claimed: noon, set: noon } }],
    ['paused', { wanted: 'stopped', plan: { generation: 1, claimed: moment, set: later(moment, 1) } }],
    ['done', { schedule: {}, firn: { pattern: '@daily', count: 1 }, plan: { generation: 1, left: 0 } }],
    ['done', { schedule: {}, firn: { pattern: '@daily' }, plan: { generation: 1 } }],
    ['paused', { schedule: {}, firn: { pattern: '@daily' }, wanted: 'stopped', plan: { generation: 1 } }],
  ])('%s: %j', (standing, over) => {
    expect(standingOf(job(over))).toBe(standing)
  })

  it('shows when it fires next, would if it ran, has last, or was to at first', () => {
    const next = later(moment, 1)
    expect(nextShown(job({ plan: { generation: 1, next, held: noon } }))).toBe(next)
    expect(nextShown(job({ plan: { generation: 1, held: next, claimed: noon } }))).toBe(next)
    expect(nextShown(job({ plan: { generation: 1, claimed: noon } }))).toBe(noon)
    expect(nextShown(job({ plan: { generation: 1 } }))).toBe(moment)
  })

  it('tells the first slot from the schedule, as far as that has one', () => {
    expect(firstSlot(aJob({ schedule: { schedule_hour: '3' } }))).toBe(at('2027-01-16T03:00Z'))
    expect(firstSlot(aJob({ schedule: { schedule_year: '2020' } }))).toBe(noon)
    expect(firstSlot(aJob({ schedule: {} }))).toBe(noon)
  })
})
