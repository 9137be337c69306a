import { Cron } from 'croner'
import { instant, later, type Instant } from '../../core/clock.ts'
import { badField } from '../../core/fault.ts'
import { localOf, utcOfLocal } from './dates.ts'

/**
 * The instants of a cron pattern. croner is asked, never armed: with a date it is a pure function.
 */
export interface Ticks {
  /** The first tick strictly after `from`, if any. */
  after(from: Instant): Instant | undefined
}

/**
 * What holds when day of month and day of week are both restricted: `both` (Freezer's fields) or `either` (a cron pattern as
 * people write it).
 */
export type DayRule = 'both' | 'either'

/** Compiled patterns are kept, the last used ones: planning asks the same few again and again. croner's takes 80 kB. */
const compiled = new Map<string, Ticks>()
const compiledMax = 500

/** croner knows them too, but takes any text without a blank for a date. */
const macros = new Set(['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly'])

/**
 * Ticks of a cron pattern: five fields, six with seconds first, seven with a year last, or a macro like `@daily`. Throws
 * Fault('bad_request') naming `field` for a pattern, and naming `firn.timezone` for a zone, that is none.
 */
export function ticksOf(pattern: string, timezone: string, field: string, days: DayRule): Ticks {
  const key = [timezone, days, pattern].join('\n')
  const known = compiled.get(key)
  if (known) {
    compiled.delete(key)
    compiled.set(key, known)
    return known
  }
  const ticks = compile(pattern.trim(), timezone, field, days)
  const [oldest] = compiled.keys()
  if (compiled.size >= compiledMax && oldest !== undefined) compiled.delete(oldest)
  compiled.set(key, ticks)
  return ticks
}

function compile(pattern: string, timezone: string, field: string, days: DayRule): Ticks {
  const parts = pattern.split(/\s+/)
  if ((parts.length < 5 || parts.length > 7) && !macros.has(pattern.toLowerCase()))
    throw badField(field, 'must have five to seven fields')
  checkZone(timezone)
  const fromEnd = daysBeforeLast(parts, field, days)
  let cron: Cron
  try {
    // `5/15`, from 5 on in steps of 15, is common and clear.
    const options = { paused: true, timezone, domAndDow: days === 'both', sloppyRanges: true }
    cron = new Cron((fromEnd?.parts ?? parts).map(lastWeekday).join(' '), options)
  } catch (error) {
    throw badField(field, error instanceof Error ? asWritten(error.message) : 'is no cron pattern')
  }
  const next = (from: Instant): Instant | undefined => {
    const found = cron.nextRun(new Date(from))
    return found === null ? undefined : instant(found.getTime())
  }
  return remembering(fromEnd ? (from) => nextFromEnd(next, from, fromEnd.days, timezone) : next)
}

/** croner tells of days and months as it counts them, from 0 on. */
const asWritten = (message: string): string =>
  message.replace(
    /(Invalid value for (?:day|month): )(-?\d+)$/,
    (_, said: string, value: string) => said + (Number(value) + 1),
  )

/** Between two ticks the answer is the same for every instant, and many jobs share a pattern. */
function remembering(next: (from: Instant) => Instant | undefined): Ticks {
  let known: { readonly from: Instant; readonly tick: Instant } | undefined
  return {
    after(from) {
      if (known && from >= known.from && from < known.tick) return known.tick
      const tick = next(from)
      if (tick !== undefined) known = { from, tick }
      return tick
    },
  }
}

/**
 * `L-3` in the day field, so many days before the last, which croner does not know: the days that this can be are asked for in
 * its place, and their ticks looked through.
 */
function daysBeforeLast(
  parts: readonly string[],
  field: string,
  rule: DayRule,
): { readonly parts: string[]; readonly days: number } | undefined {
  const place = parts.length === 5 ? 2 : 3
  const [, count] = /^L-(\d{1,2})$/i.exec(parts[place] ?? '') ?? []
  if (count === undefined) return undefined
  const days = Number(count)
  if (days < 1 || days > 30) throw badField(field, 'L-1 to L-30 are days before the last of a month')
  const weekday = parts[place + 2] ?? ''
  if (rule === 'either' && !/^[*?]$/.test(weekday))
    throw badField(field, 'a day before the last of a month cannot stand beside a day of the week')
  return { parts: parts.with(place, `${Math.max(1, 28 - days)}-${31 - days}`), days }
}

const dayMs = 86_400_000

/** How far such a day is looked for: 29 February is at most eight years off. Milliseconds. */
const fromEndMs = 12 * 366 * dayMs

/** The first of the ticks that is on the day so many days before the last of its month. */
function nextFromEnd(
  next: (from: Instant) => Instant | undefined,
  from: Instant,
  days: number,
  timezone: string,
): Instant | undefined {
  let tick = next(from)
  // A year that the pattern names may be far ahead.
  const end = (tick ?? 0) + fromEndMs
  while (tick !== undefined && tick <= end) {
    const day = Math.floor(localOf(tick, timezone) / dayMs)
    const date = new Date(day * dayMs)
    const last = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0) / dayMs
    if (day === last - days) return tick
    // Not through the other ticks of a wrong day: there may be one each second.
    tick = next(later(utcOfLocal((day + 1) * dayMs, timezone), -1))
  }
  return undefined
}

/** `L5`, as some write the last Friday, in croner's spelling. */
const lastWeekday = (part: string): string => part.replace(/^L(\d)$/i, '$1#L')

/** Zones that were found good: the question takes Intl longer than all the rest of a schedule. There are about 600 names. */
const goodZones = new Set<string>()
const goodZonesMax = 1_000

/** Throws Fault('bad_request') unless `timezone` is a zone of the IANA database. */
export function checkZone(timezone: string): void {
  if (goodZones.has(timezone)) return
  try {
    // Intl takes offsets like "+05:30" as well, and without any text the zone of the machine.
    if (!/^[A-Za-z]/.test(timezone)) throw new RangeError('not a name')
    new Intl.DateTimeFormat('en', { timeZone: timezone })
  } catch {
    throw badField('firn.timezone', `${JSON.stringify(timezone)} is not a known time zone`)
  }
  // Names count in any case of their letters, so there may be more of them.
  if (goodZones.size < goodZonesMax) goodZones.add(timezone)
}
