import { instant, later, type Instant } from '../../core/clock.ts'
import { badField } from '../../core/fault.ts'

const form = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(Z|[+-]\d\d:?\d\d)?$/

/**
 * The instant of Freezer's DATE: `YYYY-MM-DDThh:mm:ss`, perhaps a fraction, perhaps `Z` or an offset; without one the time is
 * meant in `timezone`. Throws Fault('bad_request') for another form and for days that no calendar has.
 */
export function instantOf(text: string, timezone: string, field: string): Instant {
  const match = form.exec(text)
  if (!match)
    throw badField(field, 'must be a date like 2027-01-31T02:00:00, with Z or an offset if you like')
  const [, year, month, day, hour, minute, second, fraction = '', zone] = match
  const numbers = [year, month, day, hour, minute, second].map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const [y, mo, d, h, mi, s] = numbers
  const local = Date.UTC(y, mo - 1, d, h, mi, s)
  const back = new Date(local)
  if (back.getUTCMonth() !== mo - 1 || back.getUTCDate() !== d || h > 23 || mi > 59 || s > 59 || y < 1970)
    throw badField(field, `${text} is not a date that exists`)
  const ms = Number(fraction.slice(0, 3).padEnd(3, '0'))
  if (zone === 'Z') return instant(local + ms)
  if (zone !== undefined) return instant(local + ms - offsetMs(zone, field))
  return later(utcOfLocal(local, timezone), ms)
}

function offsetMs(zone: string, field: string): number {
  const hours = Number(zone.slice(1, 3))
  const minutes = Number(zone.slice(-2))
  if (hours > 14 || minutes > 59) throw badField(field, `${zone} is not an offset`)
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000
}

/** The clock on the wall of a zone: milliseconds as if the zone were UTC. */
export const localOf = (at: Instant, timezone: string): number =>
  timezone === 'UTC' ? at : at + zoneOffset(at, timezone)

/** A local time of a zone as UTC. In a gap: the first instant after it; told twice: the first time. */
export function utcOfLocal(local: number, timezone: string): Instant {
  if (timezone === 'UTC') return instant(local)
  const guesses = [
    local - zoneOffset(local - 86_400_000, timezone),
    local - zoneOffset(local + 86_400_000, timezone),
  ]
  const exact = guesses.filter((guess) => guess + zoneOffset(guess, timezone) === local)
  if (exact.length > 0) return instant(Math.min(...exact))
  return instant(firstAfterGap(Math.min(...guesses), Math.max(...guesses), timezone))
}

/** The moment between the two at which the zone's offset changes. */
function firstAfterGap(low: number, high: number, timezone: string): number {
  const before = zoneOffset(low, timezone)
  let [from, to] = [low, high]
  while (to - from > 1) {
    const middle = Math.floor((from + to) / 2)
    if (zoneOffset(middle, timezone) === before) from = middle
    else to = middle
  }
  return to
}

/** Formats are dear to make. There are some 450 zones, but the same name can be spelt in many cases. */
const formats = new Map<string, Intl.DateTimeFormat>()
const formatsMax = 1_000

function zoneOffset(at: number, timezone: string): number {
  let format = formats.get(timezone)
  if (!format) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: timezone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
    if (formats.size >= formatsMax) formats.clear()
    formats.set(timezone, format)
  }
  const part: Record<string, number> = {}
  for (const { type, value } of format.formatToParts(at)) part[type] = Number(value)
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(at / 1_000) * 1_000
}

/**
 * What daylight saving does at an instant. `forward`: the clock has just been put forward, and what it leapt over comes here.
 * `first`, `second`: this time of the day comes twice. Undefined: nothing.
 */
export function foldOf(at: Instant, timezone: string): 'forward' | 'first' | 'second' | undefined {
  if (timezone === 'UTC') return undefined
  const local = localOf(at, timezone)
  if (local - localOf(later(at, -1_000), timezone) > 1_000) return 'forward'
  const first = utcOfLocal(local, timezone)
  if (first < at) return 'second'
  const change = zoneOffset(at, timezone) - zoneOffset(at + dayMs, timezone)
  return change > 0 && localOf(later(at, change), timezone) === local ? 'first' : undefined
}

const dayMs = 86_400_000

/** An instant as the clock on the wall of a zone shows it, with the zone's offset: `2027-01-15T13:00:00+01:00`. */
export function wallText(at: Instant, timezone: string): string {
  const local = localOf(at, timezone)
  const minutes = Math.round((local - at) / 60_000)
  const offset = new Date(Math.abs(minutes) * 60_000).toISOString().slice(11, 16)
  return `${new Date(local).toISOString().slice(0, 19)}${minutes < 0 ? '-' : '+'}${offset}`
}
