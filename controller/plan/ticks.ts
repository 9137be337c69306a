import { Cron } from 'croner'
import { instant, type Instant } from '../../core/clock.ts'
import { badField } from '../../core/fault.ts'

/**
 * The instants of a cron pattern. croner is asked, never armed: with a date it is a pure function, and its rules for
 * daylight saving are the ones documented in docs/scheduling.md.
 */
export interface Ticks {
  /** The first tick strictly after `from`, if any. */
  after(from: Instant): Instant | undefined
}

/** Compiled patterns are kept: planning asks the same few again and again. */
const compiled = new Map<string, Ticks>()
const compiledMax = 10_000

/**
 * Ticks of a pattern with seconds first (six fields) and perhaps a year last (seven). Day of month and day of week must both
 * hold. Throws Fault('bad_request') naming `field` for a pattern or a zone that is none.
 */
export function ticksOf(pattern: string, timezone: string, field: string): Ticks {
  const key = `${timezone}\n${pattern}`
  const known = compiled.get(key)
  if (known) return known
  const fields = pattern.trim().split(/\s+/).length
  if (fields < 5 || fields > 7) throw badField(field, 'must have five to seven fields')
  checkZone(timezone)
  let cron: Cron
  try {
    cron = new Cron(pattern, { paused: true, timezone, domAndDow: true })
  } catch (error) {
    throw badField(field, error instanceof Error ? error.message : 'is no cron pattern')
  }
  const ticks: Ticks = {
    after(from) {
      const next = cron.nextRun(new Date(from))
      return next === null ? undefined : instant(next.getTime())
    },
  }
  if (compiled.size >= compiledMax) compiled.clear()
  compiled.set(key, ticks)
  return ticks
}

/** Throws Fault('bad_request') unless `timezone` is a zone of the IANA database. */
export function checkZone(timezone: string): void {
  try {
    if (timezone === '') throw new RangeError('empty')
    new Intl.DateTimeFormat('en', { timeZone: timezone })
  } catch (error) {
    throw badField('firn.timezone', `${JSON.stringify(timezone)} is not a known time zone (${String(error)})`)
  }
}
