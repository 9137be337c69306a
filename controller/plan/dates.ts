import { instant, type Instant } from '../../core/clock.ts'
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
  const ms = Math.trunc(Number(`0.${fraction || '0'}`) * 1_000)
  if (zone === 'Z') return instant(local + ms)
  if (zone !== undefined) return instant(local + ms - offsetMs(zone, field))
  return instant(localToUtc(local, timezone) + ms)
}

function offsetMs(zone: string, field: string): number {
  const hours = Number(zone.slice(1, 3))
  const minutes = Number(zone.slice(-2))
  if (hours > 14 || minutes > 59) throw badField(field, `${zone} is not an offset`)
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000
}

/** A local time of a zone as UTC. In a gap: the first instant after it; told twice: the first time. */
function localToUtc(local: number, timezone: string): number {
  if (timezone === 'UTC') return local
  const guesses = [
    local - zoneOffset(local - 86_400_000, timezone),
    local - zoneOffset(local + 86_400_000, timezone),
  ]
  const exact = guesses.filter((guess) => guess + zoneOffset(guess, timezone) === local)
  if (exact.length > 0) return Math.min(...exact)
  return firstAfterGap(Math.min(...guesses), Math.max(...guesses), timezone)
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

const formats = new Map<string, Intl.DateTimeFormat>()

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
    formats.set(timezone, format)
  }
  const part: Record<string, number> = {}
  for (const { type, value } of format.formatToParts(at)) part[type] = Number(value)
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(at / 1_000) * 1_000
}
