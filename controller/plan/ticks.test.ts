import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { at, noon } from '../../test/support/builders.ts'
import { isoOf, type Instant } from '../../core/clock.ts'
import { checkZone, ticksOf } from './ticks.ts'

/** The next ticks of a pattern after `from`, as texts; shorter when it has no more. */
function ticks(
  pattern: string,
  zone: string,
  from: string,
  count: number,
  days = 'either' as 'both' | 'either',
) {
  const found: string[] = []
  let last: Instant | undefined = at(from)
  const all = ticksOf(pattern, zone, 'pattern', days)
  while (found.length < count && (last = all.after(last)) !== undefined)
    found.push(isoOf(last).replace(':00.000Z', 'Z'))
  return found
}

const refusal = (field: string) => expect.objectContaining({ code: 'bad_request', detail: { field } })
const newYork = 'America/New_York'

describe('a cron pattern, where clocks are put forward', () => {
  it.each([
    [
      'a fixed time in the gap runs once, right after it',
      '0 2 * * *',
      newYork,
      '2026-03-07T12:00Z',
      ['2026-03-08T07:00Z', '2026-03-09T06:00Z'],
    ],
    [
      'a step leaves the missing hour out',
      '0 */2 * * *',
      newYork,
      '2026-03-08T04:00Z',
      ['2026-03-08T05:00Z', '2026-03-08T08:00Z', '2026-03-08T10:00Z'],
    ],
    [
      'a list leaves the missing hour out',
      '30 1,2,3 * * *',
      newYork,
      '2026-03-08T05:00Z',
      ['2026-03-08T06:30Z', '2026-03-08T07:30Z', '2026-03-09T05:30Z'],
    ],
    [
      'every minute of the missing hour is left out',
      '* 2 * * *',
      newYork,
      '2026-03-08T06:58Z',
      ['2026-03-09T06:00Z', '2026-03-09T06:01Z'],
    ],
    [
      'the rule is the same in Europe',
      '30 2 * * *',
      'Europe/Berlin',
      '2026-03-28T12:00Z',
      ['2026-03-29T01:00Z', '2026-03-30T00:30Z'],
    ],
    [
      'the gap may be half an hour',
      '15 2 * * *',
      'Australia/Lord_Howe',
      '2026-10-03T00:00Z',
      ['2026-10-03T15:30Z', '2026-10-04T15:15Z'],
    ],
  ])('%s', (_rule, pattern, zone, from, expected) => {
    expect(ticks(pattern, zone, from, expected.length)).toEqual(expected)
  })
})

describe('a cron pattern, where clocks are put back', () => {
  it.each([
    [
      'half-hours follow real time',
      '*/30 * * * *',
      newYork,
      '2026-11-01T04:50Z',
      [
        '2026-11-01T05:00Z',
        '2026-11-01T05:30Z',
        '2026-11-01T06:00Z',
        '2026-11-01T06:30Z',
        '2026-11-01T07:00Z',
      ],
    ],
    [
      'hours follow real time',
      '0 * * * *',
      newYork,
      '2026-11-01T04:30Z',
      ['2026-11-01T05:00Z', '2026-11-01T06:00Z', '2026-11-01T07:00Z'],
    ],
    [
      'steps within the hour run in both passes',
      '*/20 1 * * *',
      newYork,
      '2026-11-01T04:30Z',
      ['2026-11-01T05:00Z', '2026-11-01T05:20Z', '2026-11-01T05:40Z', '2026-11-01T06:00Z'],
    ],
    [
      'a fixed time runs in the first pass only',
      '30 1 * * *',
      newYork,
      '2026-11-01T05:45Z',
      ['2026-11-02T06:30Z'],
    ],
    [
      'the rule is the same in Europe',
      '30 2 * * *',
      'Europe/Berlin',
      '2026-10-24T12:00Z',
      ['2026-10-25T00:30Z', '2026-10-26T01:30Z'],
    ],
  ])('%s', (_rule, pattern, zone, from, expected) => {
    expect(ticks(pattern, zone, from, expected.length)).toEqual(expected)
  })
})

describe('a cron pattern in the calendar', () => {
  it.each([
    [
      'months without a 31st are left out',
      '0 0 31 * *',
      '2026-01-31T00:00:30Z',
      ['2026-03-31T00:00Z', '2026-05-31T00:00Z', '2026-07-31T00:00Z', '2026-08-31T00:00Z'],
    ],
    ['February has no 30th', '0 0 30 * *', '2026-01-30T00:00Z', ['2026-03-30T00:00Z', '2026-04-30T00:00Z']],
    [
      '29 February comes in leap years',
      '0 0 29 2 *',
      '2026-03-01T00:00Z',
      ['2028-02-29T00:00Z', '2032-02-29T00:00Z'],
    ],
    [
      'one of two restricted days is enough',
      '0 0 1 * 1',
      '2026-11-25T00:00Z',
      ['2026-11-30T00:00Z', '2026-12-01T00:00Z', '2026-12-07T00:00Z'],
    ],
    ['7 is Sunday', '0 0 * * 7', '2026-11-20T00:00Z', ['2026-11-22T00:00Z']],
    [
      'a range may end in 7',
      '0 0 * * 5-7',
      '2026-11-19T12:00Z',
      ['2026-11-20T00:00Z', '2026-11-21T00:00Z', '2026-11-22T00:00Z', '2026-11-27T00:00Z'],
    ],
    [
      'months and weekdays have names in any case',
      '0 0 * jan MON',
      '2026-11-20T00:00Z',
      ['2027-01-04T00:00Z'],
    ],
    [
      'a tick is strictly later than the moment asked for',
      '0 0 * * *',
      '2026-01-01T00:00Z',
      ['2026-01-02T00:00Z'],
    ],
    [
      'fractions of a second do not hide a tick',
      '0 0 * * *',
      '2025-12-31T23:59:59.500Z',
      ['2026-01-01T00:00Z'],
    ],
    [
      'steps go through ranges',
      '0-30/10 * * * *',
      '2026-01-01T00:00Z',
      ['2026-01-01T00:10Z', '2026-01-01T00:20Z', '2026-01-01T00:30Z', '2026-01-01T01:00Z'],
    ],
    [
      'a step from a number goes to the end',
      '5/15 * * * *',
      '2026-01-01T00:00Z',
      ['2026-01-01T00:05Z', '2026-01-01T00:20Z', '2026-01-01T00:35Z', '2026-01-01T00:50Z'],
    ],
    [
      'L is the last day of the month',
      '0 0 L * *',
      '2026-02-01T00:00Z',
      ['2026-02-28T00:00Z', '2026-03-31T00:00Z'],
    ],
    [
      'W, the nearest working day, stays in its month',
      '0 0 1W * *',
      '2026-07-31T00:00Z',
      ['2026-08-03T00:00Z'],
    ],
    [
      '1#2 is the second Monday',
      '0 0 * * 1#2',
      '2026-11-01T00:00Z',
      ['2026-11-09T00:00Z', '2026-12-14T00:00Z'],
    ],
    ['the last Friday: 5L', '0 0 * * 5L', '2026-11-01T00:00Z', ['2026-11-27T00:00Z']],
    ['the last Friday: 5#L', '0 0 * * 5#L', '2026-11-01T00:00Z', ['2026-11-27T00:00Z']],
    ['the last Friday: L5', '0 0 * * L5', '2026-11-01T00:00Z', ['2026-11-27T00:00Z']],
    ['+ asks for both days', '0 0 29 2 +MON', '2026-01-01T00:00Z', ['2044-02-29T00:00Z']],
    ['? is any day', '0 0 ? * MON', '2026-11-20T00:00Z', ['2026-11-23T00:00Z']],
    [
      'six fields begin with seconds',
      '*/10 * * * * *',
      '2026-01-01T00:00:05Z',
      ['2026-01-01T00:00:10.000Z', '2026-01-01T00:00:20.000Z'],
    ],
    ['a fixed second', '30 0 12 * * *', '2026-01-01T00:00Z', ['2026-01-01T12:00:30.000Z']],
    ['blanks do not matter', '  0   0 * *  * ', '2026-01-01T00:00Z', ['2026-01-02T00:00Z']],
    ['@hourly', '@hourly', '2026-11-20T10:30Z', ['2026-11-20T11:00Z']],
    ['@daily', '@daily', '2026-11-20T10:30Z', ['2026-11-21T00:00Z']],
    ['@weekly', '@weekly', '2026-11-20T10:30Z', ['2026-11-22T00:00Z']],
    ['@annually', '@annually', '2026-11-20T10:30Z', ['2027-01-01T00:00Z']],
  ])('%s', (_rule, pattern, from, expected) => {
    expect(ticks(pattern, 'UTC', from, expected.length)).toEqual(expected)
  })

  it('ends with its last year', () => {
    expect(ticks('0 0 0 1 1 * 2030', 'UTC', '2026-01-01T00:00Z', 2)).toEqual(['2030-01-01T00:00Z'])
    expect(ticks('0 0 0 1 1 * 2020', 'UTC', '2026-01-01T00:00Z', 1)).toEqual([])
  })

  it('needs both days where Freezer does', () => {
    expect(ticks('0 0 1 * 1', 'UTC', '2026-11-25T00:00Z', 2, 'both')).toEqual([
      '2027-02-01T00:00Z',
      '2027-03-01T00:00Z',
    ])
  })
})

describe('a cron pattern is refused', () => {
  it.each([
    '',
    ' ',
    '2030-01-01T00:00:00',
    '@reboot',
    '@every 5m',
    'CRON_TZ=America/New_York 0 6 * * *',
    '* * * *',
    '* * * * * * * *',
    '0 0 0 * *',
    '0 0 32 * *',
    '0 0 * 0 *',
    '0 0 * 13 *',
    '0 0 * * 8',
    '60 * * * *',
    '0 24 * * *',
    'a b c d e',
    '1,,2 * * * *',
    '1- * * * *',
    '-5 * * * *',
    '*/0 * * * *',
    '1/0 * * * *',
    '1.5 * * * *',
    '0 0 * * 5#6',
    '0 0 1-0 * *',
    '*/90 * * * *',
    '0 22-2 * * *',
  ])('"%s"', (pattern) => {
    expect(() => ticksOf(pattern, 'UTC', 'pattern', 'either')).toThrow(refusal('pattern'))
  })

  it('or answered, whatever text it is', () => {
    const words = fc.constantFrom(
      '*',
      '0',
      '5',
      '31',
      '2',
      '*/7',
      '1-5',
      'L',
      'mon',
      '5#2',
      '59',
      '99',
      '-',
      '',
      '?',
      'x',
    )
    fc.assert(
      fc.property(fc.array(words, { maxLength: 8 }), (parts) => {
        try {
          const next = ticksOf(parts.join(' '), 'UTC', 'pattern', 'either').after(noon)
          if (next !== undefined) expect(next).toBeGreaterThan(noon)
        } catch (error) {
          expect(error).toEqual(refusal('pattern'))
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('a time zone', () => {
  it('is one of the IANA database', () => {
    for (const zone of ['UTC', 'Europe/Berlin', 'Pacific/Apia']) expect(() => checkZone(zone)).not.toThrow()
  })

  it.each(['', ' ', 'Mars/Olympus', '+05:30', 'Europe/Berlin ', '../etc'])('is not "%s"', (zone) => {
    expect(() => ticksOf('* * * * *', zone, 'pattern', 'either')).toThrow(refusal('firn.timezone'))
  })
})

describe('compiled patterns', () => {
  it('answer the same after they were dropped for newer ones', () => {
    const first = ticks('0 3 * * *', 'UTC', '2026-01-01T00:00Z', 1)
    for (let minute = 0; minute < 60; minute++)
      for (let hour = 0; hour < 10; hour++) ticks(`${minute} ${hour} * * *`, 'UTC', '2026-01-01T00:00Z', 1)
    expect(ticks('0 3 * * *', 'UTC', '2026-01-01T00:00Z', 1)).toEqual(first)
  })
})
