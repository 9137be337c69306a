// Ticks once more, by another way: every minute of some days, as Intl shows it on the wall, is held against the fields.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { instant, isoOf, type Instant } from '../../core/clock.ts'
import { ticksOf } from './ticks.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const zones = [
  'America/New_York',
  'Europe/Berlin',
  'Australia/Lord_Howe', // half an hour
  'Antarctica/Troll', // two hours
  'America/Santiago', // at midnight
  'Africa/Cairo', // at midnight, and at the end of a month
  'Atlantic/Azores',
  'Asia/Kolkata',
  'UTC',
]

/** A field of a pattern, and what it means. */
interface Field {
  readonly text: string
  readonly fits: (value: number) => boolean
  readonly is: 'any' | 'one' | 'more'
}

const any: Field = { text: '*', fits: () => true, is: 'any' }
const one = (value: number): Field => ({ text: `${value}`, fits: (other) => other === value, is: 'one' })
const list = (values: readonly number[]): Field => ({
  text: values.join(),
  fits: (value) => values.includes(value),
  is: 'more',
})
const range = (from: number, to: number): Field => ({
  text: `${from}-${to}`,
  fits: (value) => from <= value && value <= to,
  is: 'more',
})
const steps = (from: number, to: number, by: number): Field => ({
  text: `${from}-${to}/${by}`,
  fits: (value) => from <= value && value <= to && (value - from) % by === 0,
  is: 'more',
})

const fieldIn = (min: number, max: number): fc.Arbitrary<Field> => {
  const value = fc.integer({ min, max })
  const pair = fc.tuple(value, value).filter(([a, b]) => a < b)
  return fc.oneof(
    { weight: 2, arbitrary: value.map(one) },
    fc.constant(any),
    fc.uniqueArray(value, { minLength: 2, maxLength: 4 }).map(list),
    pair.map(([a, b]) => range(a, b)),
    fc.tuple(pair, fc.integer({ min: 1, max: 7 })).map(([[a, b], by]) => steps(a, b, Math.min(by, b - a))),
    fc
      .integer({ min: 2, max: 9 })
      .map((by) => ({ ...steps(min, max, Math.min(by, max)), text: `*/${Math.min(by, max)}` })),
  )
}

/** Mostly none, so that something is due near the night that it is about. */
const dayField = (min: number, max: number): fc.Arbitrary<Field> =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(any) }, fieldIn(min, max))

const patterns = fc.record({
  minute: fieldIn(0, 59),
  hour: fc.oneof({ weight: 2, arbitrary: fc.integer({ min: 0, max: 3 }).map(one) }, fieldIn(0, 23)),
  day: dayField(1, 31),
  month: fc.oneof({ weight: 6, arbitrary: fc.constant(any) }, fieldIn(1, 12)),
  weekday: dayField(0, 6),
})
type Pattern = typeof patterns extends fc.Arbitrary<infer P> ? P : never

/** A minute of a wall clock, as the number that it would be in UTC. */
interface Minute {
  readonly at: Instant
  readonly local: number
}

const formats = new Map(
  zones.map((zone) => [
    zone,
    new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' }),
  ]),
)
const localOf = (zone: string, at: number): number =>
  Date.parse(`${formats.get(zone)!.format(at).replace(' ', 'T')}Z`)

/** Noon, UTC, of the days on which the clocks of a zone are changed, and of one on which they are not. */
function nightsOf(zone: string): number[] {
  const nights = [Date.UTC(2027, 5, 15, 12)]
  for (let at = Date.UTC(2026, 0, 1, 12); at < Date.UTC(2028, 0, 1); at += 24 * hourMs)
    if (localOf(zone, at) - localOf(zone, at - 24 * hourMs) !== 24 * hourMs) nights.push(at)
  return nights
}

const minutesOf = (zone: string, noon: number): Minute[] =>
  Array.from({ length: 36 * 60 }, (_, index) => {
    const at = instant(noon + (index - 30 * 60) * minuteMs)
    return { at, local: localOf(zone, at) }
  })

const nights = zones.flatMap((zone) => nightsOf(zone).map((noon) => ({ zone, noon })))
const known = new Map<string, Minute[]>()

function daysFit({ day, month, weekday }: Pattern, local: number): boolean {
  const date = new Date(local)
  if (!month.fits(date.getUTCMonth() + 1)) return false
  const [fitsDay, fitsWeekday] = [day.fits(date.getUTCDate()), weekday.fits(date.getUTCDay())]
  return day.text === '*' || weekday.text === '*' ? fitsDay && fitsWeekday : fitsDay || fitsWeekday
}

/** So many ticks of a night are compared: those of every minute take long to find. */
const most = 200

const fits = (pattern: Pattern, local: number): boolean => {
  const date = new Date(local)
  return (
    pattern.minute.fits(date.getUTCMinutes()) &&
    pattern.hour.fits(date.getUTCHours()) &&
    daysFit(pattern, local)
  )
}

/** A fixed time comes once a day: where it is told twice the first time, where it is left out right after. */
function expectedOf(pattern: Pattern, minutes: readonly Minute[]): Instant[] {
  const isFixed = pattern.minute.is === 'one' && pattern.hour.is === 'one'
  const told = new Set<number>()
  return minutes.flatMap(({ at, local }, index) => {
    const before = minutes[index - 1]?.local ?? local - minuteMs
    const isAgain = told.has(local)
    told.add(local)
    if (!isFixed) return fits(pattern, local) ? [at] : []
    for (let leapt = before + minuteMs; leapt < local; leapt += minuteMs)
      if (fits(pattern, leapt)) return [at]
    return fits(pattern, local) && !isAgain ? [at] : []
  })
}

describe('ticks', () => {
  it('are the minutes at which the clock on the wall shows what the pattern says', () => {
    fc.assert(
      fc.property(patterns, fc.constantFrom(...nights), (pattern, { zone, noon }) => {
        const name = `${zone} ${noon}`
        const minutes = known.get(name) ?? minutesOf(zone, noon)
        known.set(name, minutes)
        const text = [pattern.minute, pattern.hour, pattern.day, pattern.month, pattern.weekday]
          .map((field) => field.text)
          .join(' ')
        const ticks = ticksOf(text, zone, 'pattern', 'either')
        // The first hours only show what was told before.
        const begin = minutes[4 * 60]!.at
        const all = expectedOf(pattern, minutes).filter((at) => at >= begin)
        const expected = all.slice(0, most).map(isoOf)
        const end = all.length > most ? all[most - 1]! : minutes.at(-1)!.at
        const found: string[] = []
        let next = ticks.after(instant(begin - 1))
        for (; next !== undefined && next <= end; next = ticks.after(next)) found.push(isoOf(next))
        expect(found, `${text} in ${zone}`).toEqual(expected)
      }),
      { numRuns: 200 },
    )
  })
})
