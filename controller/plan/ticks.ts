import { Cron } from 'croner'
import { instant, type Instant } from '../../core/clock.ts'
import { badField } from '../../core/fault.ts'

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
  let cron: Cron
  try {
    // `5/15`, from 5 on in steps of 15, is common and clear.
    const options = { paused: true, timezone, domAndDow: days === 'both', sloppyRanges: true }
    cron = new Cron(parts.map(lastWeekday).join(' '), options)
  } catch (error) {
    throw badField(field, error instanceof Error ? error.message : 'is no cron pattern')
  }
  // Between two ticks the answer is the same for every instant, and many jobs share a pattern.
  let known: { readonly from: Instant; readonly next: Instant } | undefined
  return {
    after(from) {
      if (known && from >= known.from && from < known.next) return known.next
      const found = cron.nextRun(new Date(from))
      if (found === null) return undefined
      const next = instant(found.getTime())
      known = { from, next }
      return next
    },
  }
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
