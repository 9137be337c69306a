import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { at, noon } from '../../test/support/builders.ts'
import { isoOf, later, type Instant } from '../../core/clock.ts'
import type { ScheduleFields } from '../../core/job.ts'
import { nextTick } from './calendar.ts'
import { checkSchedule, cronFields } from './fields.ts'
import { triggerOf } from './trigger.ts'

const refusal = (field: string) => expect.objectContaining({ code: 'bad_request', detail: { field } })

/** The next ticks of cron-like fields after a moment, as texts. */
function ticks(fields: ScheduleFields, from: string, count: number, zone = 'UTC'): string[] {
  const trigger = triggerOf(fields, zone)
  if (trigger.is !== 'cron') throw new Error(`it is ${trigger.is}`)
  const found: string[] = []
  let last: Instant | undefined = at(from)
  while (found.length < count && (last = nextTick(trigger, last)) !== undefined)
    found.push(isoOf(last).replace(':00.000Z', 'Z'))
  return found
}

describe('the kind of a schedule', () => {
  const date = { schedule_date: '2027-03-01T00:00:00' }
  const interval = { schedule_interval: '5 minutes' }
  const cron = { schedule_hour: '3' }

  it('is its date, else its interval, else its cron-like fields, else none', () => {
    expect(triggerOf({ ...date, ...interval, ...cron }, 'UTC').is).toBe('once')
    expect(triggerOf({ ...interval, ...cron }, 'UTC').is).toBe('interval')
    expect(triggerOf(cron, 'UTC').is).toBe('cron')
    expect(triggerOf({}, 'UTC')).toEqual({ is: 'none' })
    expect(triggerOf({ schedule_start_date: '2027-03-01T00:00:00' }, 'UTC')).toEqual({ is: 'none' })
  })

  it('has the bounds of its start and end dates, in its zone', () => {
    const bounds = { schedule_start_date: '2027-03-01T00:00:00', schedule_end_date: '2027-04-01T00:00:00Z' }
    expect(triggerOf({ ...interval, ...bounds }, 'Europe/Berlin')).toEqual({
      is: 'interval',
      everyMs: 300_000,
      from: at('2027-02-28T23:00Z'),
      until: at('2027-04-01T00:00Z'),
    })
  })
})

describe('an interval', () => {
  it.each([
    ['1 seconds', 1_000],
    ['5 minutes', 300_000],
    ['2 hours', 7_200_000],
    ['5  days', 432_000_000],
    ['1 weeks', 604_800_000],
  ])('"%s" is so many milliseconds', (text, everyMs) => {
    expect(triggerOf({ schedule_interval: text }, 'UTC')).toEqual({ is: 'interval', everyMs })
  })

  it('"continuous" is as soon as the last run has ended', () => {
    expect(triggerOf({ schedule_interval: 'continuous' }, 'UTC')).toEqual({ is: 'continuous' })
  })

  it.each([
    '0 minutes',
    '5 minute',
    '5minutes',
    '-5 days',
    '1.5 hours',
    'continuous ',
    '5 years',
    '9'.repeat(250) + ' days',
    '36601 days',
  ])('"%s" is refused', (text) => {
    expect(() => triggerOf({ schedule_interval: text }, 'UTC')).toThrow(refusal('schedule_interval'))
  })
})

describe('cron-like fields', () => {
  it('below the smallest one set take their minimum, those above it are any', () => {
    const from = '2027-01-15T12:00Z'
    expect(ticks({ schedule_hour: '3' }, from, 2)).toEqual(['2027-01-16T03:00Z', '2027-01-17T03:00Z'])
    expect(ticks({ schedule_minute: '30' }, from, 2)).toEqual(['2027-01-15T12:30Z', '2027-01-15T13:30Z'])
    expect(ticks({ schedule_day: '10' }, from, 2)).toEqual(['2027-02-10T00:00Z', '2027-03-10T00:00Z'])
    expect(ticks({ schedule_month: '6' }, from, 2)).toEqual(['2027-06-01T00:00Z', '2028-06-01T00:00Z'])
    expect(ticks({ schedule_year: '2029' }, from, 2)).toEqual(['2029-01-01T00:00Z'])
    expect(ticks({ schedule_day_of_week: 'mon' }, from, 2)).toEqual([
      '2027-01-18T00:00Z',
      '2027-01-25T00:00Z',
    ])
    expect(ticks({ schedule_second: '*/30' }, from, 1)).toEqual(['2027-01-15T12:00:30.000Z'])
  })

  it('count weekdays from Monday = 0', () => {
    expect(ticks({ schedule_day_of_week: '0' }, '2027-01-15T12:00Z', 1)).toEqual(['2027-01-18T00:00Z'])
    expect(ticks({ schedule_day_of_week: '6' }, '2027-01-15T12:00Z', 1)).toEqual(['2027-01-17T00:00Z'])
    const names = ticks({ schedule_day_of_week: 'mon,wed,fri' }, '2027-01-16T00:00Z', 3)
    expect(names).toEqual(['2027-01-18T00:00Z', '2027-01-20T00:00Z', '2027-01-22T00:00Z'])
    expect(ticks({ schedule_day_of_week: 'SAT-sun' }, '2027-01-16T12:00Z', 2)).toEqual([
      '2027-01-17T00:00Z',
      '2027-01-23T00:00Z',
    ])
  })

  it('must all hold: a day and a weekday together are one day', () => {
    expect(ticks({ schedule_day: '13', schedule_day_of_week: 'fri' }, '2027-01-15T12:00Z', 1)).toEqual([
      '2027-08-13T00:00Z',
    ])
  })

  it('take lists, ranges and steps', () => {
    const hours = (text: string) =>
      ticks({ schedule_hour: text }, '2026-12-31T23:30Z', 24)
        .filter((tick) => tick < '2027-01-02')
        .map((tick) => Number(tick.slice(11, 13)))
    expect(hours('1-6,9-12')).toEqual([1, 2, 3, 4, 5, 6, 9, 10, 11, 12])
    expect(hours('*/8')).toEqual([0, 8, 16])
    expect(hours('20/2')).toEqual([20, 22])
    expect(hours('4-9/3, 2')).toEqual([2, 4, 7])
    expect(hours('*/24')).toEqual([0])
    expect(hours('0-23')).toHaveLength(24)
  })

  it('know the last day of the month, and the second Friday', () => {
    expect(ticks({ schedule_day: 'last' }, '2027-01-15T12:00Z', 2)).toEqual([
      '2027-01-31T00:00Z',
      '2027-02-28T00:00Z',
    ])
    expect(ticks({ schedule_day: '2nd fri' }, '2027-01-15T12:00Z', 1)).toEqual(['2027-02-12T00:00Z'])
    expect(ticks({ schedule_day: 'last  SUN', schedule_hour: '4' }, '2027-01-15T12:00Z', 1)).toEqual([
      '2027-01-31T04:00Z',
    ])
    expect(ticks({ schedule_day: '5th mon' }, '2027-01-15T12:00Z', 1)).toEqual(['2027-03-29T00:00Z'])
  })

  it('are in the zone of the schedule', () => {
    expect(ticks({ schedule_hour: '3' }, '2027-01-15T12:00Z', 1, 'Asia/Tokyo')).toEqual(['2027-01-15T18:00Z'])
  })

  it.each([
    [{ schedule_hour: 'banana' }, 'schedule_hour'],
    [{ schedule_hour: '24' }, 'schedule_hour'],
    [{ schedule_hour: '-1' }, 'schedule_hour'],
    [{ schedule_hour: '5-2' }, 'schedule_hour'],
    [{ schedule_hour: '1,,2' }, 'schedule_hour'],
    [{ schedule_hour: ' ' }, 'schedule_hour'],
    [{ schedule_minute: '*/0' }, 'schedule_minute'],
    [{ schedule_minute: '*/90' }, 'schedule_minute'],
    [{ schedule_second: '60' }, 'schedule_second'],
    [{ schedule_day: '0' }, 'schedule_day'],
    [{ schedule_day: '32' }, 'schedule_day'],
    [{ schedule_day: '6th fri' }, 'schedule_day'],
    [{ schedule_day: '2nd day' }, 'schedule_day'],
    [{ schedule_day: '2nd fri', schedule_day_of_week: 'mon' }, 'schedule_day'],
    [{ schedule_day_of_week: '7' }, 'schedule_day_of_week'],
    [{ schedule_day_of_week: 'monday' }, 'schedule_day_of_week'],
    [{ schedule_day_of_week: 'fri-mon' }, 'schedule_day_of_week'],
    [{ schedule_week: '54' }, 'schedule_week'],
    [{ schedule_week: '0' }, 'schedule_week'],
    [{ schedule_month: '13' }, 'schedule_month'],
    [{ schedule_year: '1969' }, 'schedule_year'],
    [{ schedule_year: '20270' }, 'schedule_year'],
    [{ schedule_year: '27' }, 'schedule_year'],
  ])('%o are refused by name', (fields, field) => {
    expect(() => triggerOf(fields, 'UTC')).toThrow(refusal(field))
  })
})

describe('the week of a schedule', () => {
  it('is the ISO week: the first holds the first Thursday', () => {
    expect(ticks({ schedule_week: '1' }, '2026-06-01T00:00Z', 8)).toEqual(
      // 4 January is always in it; here it begins on a Monday, and without a weekday every day of it counts.
      ['04', '05', '06', '07', '08', '09', '10']
        .map((day) => `2027-01-${day}T00:00Z`)
        .concat('2028-01-03T00:00Z'),
    )
    expect(ticks({ schedule_week: '53', schedule_day_of_week: 'thu' }, '2027-01-15T12:00Z', 2)).toEqual([
      '2032-12-30T00:00Z',
      '2037-12-31T00:00Z',
    ])
  })

  it('is the week on the calendar of the zone', () => {
    // Monday, 01:00 in Auckland is still Sunday of the week before in UTC.
    const fields = { schedule_week: '10', schedule_day_of_week: 'mon', schedule_hour: '1' }
    expect(ticks(fields, '2027-01-15T12:00Z', 1, 'Pacific/Auckland')).toEqual(['2027-03-07T12:00Z'])
  })

  it('is found at once, however often it ticks outside of it', () => {
    expect(ticks({ schedule_week: '20', schedule_second: '*' }, '2027-06-01T00:00Z', 1)).toEqual([
      '2028-05-15T00:00Z',
    ])
  })

  it('agrees with a walk through the calendar', () => {
    const fields = fc.record({
      schedule_week: fc.constantFrom('1', '9', '26-28', '52,53', '*/13'),
      schedule_month: fc.constantFrom('*', '1', '2,12', '6-7'),
      schedule_day_of_week: fc.constantFrom('*', 'mon', 'sat,sun', '3'),
    })
    const starts = fc.integer({ min: 0, max: 9_000 }).map((day) => later(at('2020-01-01'), day * 86_400_000))
    fc.assert(
      fc.property(fields, starts, (wanted, start) => {
        const trigger = triggerOf(wanted, 'UTC')
        if (trigger.is !== 'cron') throw new Error('not reached')
        expect(nextTick(trigger, start)).toBe(walk(wanted, start))
      }),
      { numRuns: 200 },
    )
  })
})

/** The first midnight of a matching day, looked for day by day for twelve years. */
function walk(
  fields: { schedule_week: string; schedule_month: string; schedule_day_of_week: string },
  start: Instant,
): number | undefined {
  const names = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']
  const holds = (text: string, value: number, low: number): boolean =>
    text.split(',').some((part) => {
      const [range = '', step] = part.split('/')
      if (range === '*') return step === undefined || (value - low) % Number(step) === 0
      const [first = 0, last = first] = range
        .split('-')
        .map((word) => (names.includes(word) ? names.indexOf(word) : Number(word)))
      return value >= first && value <= last
    })
  const weekOf = (date: Date): number => {
    const thursday = new Date(date.getTime() + (3 - ((date.getUTCDay() + 6) % 7)) * 86_400_000)
    let week = 1
    for (
      let day = thursday.getTime() - 7 * 86_400_000;
      new Date(day).getUTCFullYear() === thursday.getUTCFullYear();
      day -= 7 * 86_400_000
    )
      week++
    return week
  }
  for (let days = 1; days < 366 * 12; days++) {
    const date = new Date(Math.floor(start / 86_400_000) * 86_400_000 + days * 86_400_000)
    if (!holds(fields.schedule_month, date.getUTCMonth() + 1, 1)) continue
    if (!holds(fields.schedule_day_of_week, (date.getUTCDay() + 6) % 7, 0)) continue
    if (holds(fields.schedule_week, weekOf(date), 1)) return date.getTime()
  }
  return undefined
}

describe('a schedule document', () => {
  it('keeps its trigger fields and leaves the others alone', () => {
    expect(
      checkSchedule({ schedule_hour: '3', status: 'completed', schedule_date: null, schedule_interval: '' }),
    ).toEqual({
      schedule_hour: '3',
    })
  })

  it('is checked whole: also what another field takes precedence over', () => {
    const date = { schedule_date: '2027-03-01T00:00:00' }
    expect(() => checkSchedule({ ...date, schedule_hour: 'banana' })).toThrow(refusal('schedule_hour'))
    expect(() => checkSchedule({ ...date, schedule_interval: 'often' })).toThrow(refusal('schedule_interval'))
    expect(() => checkSchedule({ ...date, schedule_end_date: 'never' })).toThrow(refusal('schedule_end_date'))
    expect(() => checkSchedule({ schedule_date: '2030-02-31T00:00:00' })).toThrow(refusal('schedule_date'))
  })

  it('must not end before it starts', () => {
    const bounds = { schedule_start_date: '2027-03-02T00:00:00', schedule_end_date: '2027-03-01T00:00:00' }
    expect(() => checkSchedule(bounds)).toThrow(refusal('schedule_end_date'))
    expect(checkSchedule({ ...bounds, schedule_end_date: bounds.schedule_start_date })).toBeDefined()
  })

  it('takes text only, of a bounded length, in a known zone', () => {
    expect(() => checkSchedule({ schedule_hour: 3 })).toThrow(refusal('schedule_hour'))
    expect(() => checkSchedule({ schedule_hour: '1,'.repeat(200) })).toThrow(refusal('schedule_hour'))
    expect(() => checkSchedule({}, { timezone: 'Mars/Olympus' })).toThrow(refusal('firn.timezone'))
  })

  it('that was accepted has a next slot or none; whatever else it says is refused by a field that it has', () => {
    const text = fc.oneof(
      fc.constantFrom(
        '*',
        '*/5',
        '1-3',
        'last',
        '2nd fri',
        '0',
        '31',
        '53',
        'mon',
        '5/2',
        '0-59/7',
        '1,2, 3',
        'x',
        '',
      ),
      fc.string({ maxLength: 6 }),
    )
    const documents = fc.dictionary(fc.constantFrom(...cronFields), text, { maxKeys: 5 })
    fc.assert(
      fc.property(documents, fc.constantFrom('UTC', 'Europe/Berlin'), (document, zone) => {
        let fields: ScheduleFields
        try {
          fields = checkSchedule(document, { timezone: zone })
        } catch (error) {
          const { detail } = error as { detail: { field: string } }
          expect(Object.keys(document)).toContain(detail.field)
          return
        }
        const trigger = triggerOf(fields, zone)
        if (trigger.is === 'cron') expect(nextTick(trigger, noon) ?? Infinity).toBeGreaterThan(noon)
        else expect(trigger.is).toBe('none')
      }),
      { numRuns: 1_000 },
    )
  })
})
