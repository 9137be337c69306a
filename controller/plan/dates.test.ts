import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { at, noon } from '../../test/support/builders.ts'
import { instant } from '../../core/clock.ts'
import { instantOf, localOf, utcOfLocal } from './dates.ts'

const read = (text: string, zone = 'UTC') => instantOf(text, zone, 'schedule_date')
const refusal = expect.objectContaining({ code: 'bad_request', detail: { field: 'schedule_date' } })

describe('a date of Freezer', () => {
  it('without an offset is meant in the zone of the schedule', () => {
    expect(read('2027-01-31T02:00:00')).toBe(at('2027-01-31T02:00:00Z'))
    expect(read('2027-01-31T02:00:00', 'Europe/Berlin')).toBe(at('2027-01-31T01:00:00Z'))
    expect(read('2027-07-31T02:00:00', 'America/New_York')).toBe(at('2027-07-31T06:00:00Z'))
  })

  it('means the same in every zone once it has an offset', () => {
    for (const text of ['2027-01-31T02:00:00Z', '2027-01-31T04:30:00+02:30', '2027-01-30T20:00:00-0600'])
      expect(read(text, 'Asia/Kolkata'), text).toBe(at('2027-01-31T02:00:00Z'))
  })

  it('may have a fraction of a second, of which milliseconds are kept', () => {
    expect(read('2027-01-31T02:00:00.5Z')).toBe(at('2027-01-31T02:00:00.500Z'))
    expect(read('2027-01-31T02:00:00.123999')).toBe(at('2027-01-31T02:00:00.123Z'))
    expect(read('2027-01-31T02:00:00.019', 'Europe/Berlin')).toBe(at('2027-01-31T01:00:00.019Z'))
  })

  it('gives back each instant that was written as one', () => {
    fc.assert(
      fc.property(fc.date({ min: new Date(0), max: new Date('2199-12-31'), noInvalidDate: true }), (date) => {
        expect(read(date.toISOString())).toBe(date.getTime())
      }),
    )
  })

  it.each([
    '2027-02-29T00:00:00',
    '2027-04-31T00:00:00',
    '2027-13-01T00:00:00',
    '2027-00-10T00:00:00',
    '2027-01-00T00:00:00',
    '2027-01-01T24:00:00',
    '2027-01-01T00:60:00',
    '2027-01-01T00:00:60',
    '0050-01-01T00:00:00',
    '2027-01-01T00:00:00+15:00',
    '2027-01-01T00:00:00+01:60',
  ])('is refused when no calendar has it: %s', (text) => {
    expect(() => read(text)).toThrow(refusal)
  })

  it.each(['2027-01-01', '2027-01-01 00:00:00', '2027-1-1T00:00:00', '2027-01-01T00:00:00 ', 'tomorrow', ''])(
    'is refused in another form: "%s"',
    (text) => {
      expect(() => read(text)).toThrow(refusal)
    },
  )

  it('has a 29 February in leap years', () => {
    expect(read('2028-02-29T00:00:00')).toBe(at('2028-02-29T00:00:00Z'))
  })
})

describe('a local time that clocks skip', () => {
  it.each([
    ['2027-03-14T02:30:00', 'America/New_York', '2027-03-14T07:00:00Z'],
    ['2027-03-28T02:00:00', 'Europe/Berlin', '2027-03-28T01:00:00Z'],
    ['2026-10-04T02:15:00', 'Australia/Lord_Howe', '2026-10-03T15:30:00Z'],
    // A whole day that Samoa never had.
    ['2011-12-30T12:00:00', 'Pacific/Apia', '2011-12-30T10:00:00Z'],
  ])('is the first instant after the gap: %s in %s', (text, zone, expected) => {
    expect(read(text, zone)).toBe(at(expected))
  })
})

describe('a local time that clocks show twice', () => {
  it.each([
    ['2026-11-01T01:30:00', 'America/New_York', '2026-11-01T05:30:00Z'],
    ['2026-10-25T02:30:00', 'Europe/Berlin', '2026-10-25T00:30:00Z'],
  ])('is the first of the two: %s in %s', (text, zone, expected) => {
    expect(read(text, zone)).toBe(at(expected))
  })
})

describe('the clock on the wall', () => {
  it('and the instant behind it are the same in UTC', () => {
    expect(localOf(noon, 'UTC')).toBe(noon)
    expect(utcOfLocal(noon, 'UTC')).toBe(noon)
  })

  it('shows no later instant first: going there and back never leads past the start', () => {
    const zones = fc.constantFrom('Europe/Berlin', 'America/New_York', 'Asia/Kathmandu', 'Pacific/Apia')
    const seconds = fc.integer({ min: at('2000-01-01') / 1_000, max: at('2040-01-01') / 1_000 })
    fc.assert(
      fc.property(zones, seconds, (zone, second) => {
        const start = instant(second * 1_000)
        const local = localOf(start, zone)
        const found = utcOfLocal(local, zone)
        expect(localOf(found, zone)).toBe(local)
        expect(found).toBeLessThanOrEqual(start)
      }),
    )
  })

  it('is told in any number of spellings of a zone', () => {
    const spelt = (n: number) =>
      'europe/berlin'.replace(/[a-z]/g, (letter, place: number) =>
        (n >> place) & 1 ? letter.toUpperCase() : letter,
      )
    for (let n = 0; n < 1_100; n++) expect(localOf(noon, spelt(n)) - noon).toBe(3_600_000)
  })
})
