import type { Instant } from '../../core/clock.ts'
import { badField } from '../../core/fault.ts'
import type { ScheduleFields } from '../../core/job.ts'
import { instantOf } from './dates.ts'
import { durationIn } from './duration.ts'
import { patternOf } from './pattern.ts'
import { checkZone, ticksOf, type DayRule } from './ticks.ts'

/** When a schedule is due, whatever form it was written in. */
export type Trigger =
  /** Nothing was asked for: it runs once, when it is told to start. */
  | { readonly is: 'none' }
  | { readonly is: 'once'; readonly at: Instant }
  /** Every so often since `from`; without it, since the schedule was made. */
  | { readonly is: 'interval'; readonly everyMs: number; readonly from?: Instant; readonly until?: Instant }
  /** As soon as the last run has ended. */
  | { readonly is: 'continuous'; readonly from?: Instant; readonly until?: Instant }
  | {
      readonly is: 'cron'
      readonly pattern: string
      /** Freezer's fields must all match; of a cron pattern's two day fields, either. */
      readonly days: DayRule
      /** ISO weeks to which the ticks are held. */
      readonly weeks?: ReadonlySet<number>
      readonly timezone: string
      readonly from?: Instant
      readonly until?: Instant
    }

/** Where faults of a cron trigger are to be looked for. */
export const fieldOf = ({ days }: Extract<Trigger, { is: 'cron' }>): string =>
  days === 'either' ? 'firn.pattern' : 'job_schedule'

/** A schedule further apart than this could as well not exist. Milliseconds: 100 years. */
const intervalMaxMs = 100 * 366 * 86_400_000

/** Fields that may stand beside `firn.pattern`, which is a kind of trigger by itself. */
const boundFields: ReadonlySet<string> = new Set(['schedule_start_date', 'schedule_end_date'])

/**
 * Refuses every field that means nothing, also one that another takes precedence over: it would surprise when that one goes.
 * Fault('bad_request') names the field.
 */
export function checkFields(fields: ScheduleFields, timezone: string, cron?: string): void {
  checkZone(timezone)
  const { schedule_date: date, schedule_interval: interval } = fields
  if (cron !== undefined) {
    const other = Object.keys(fields).find((field) => !boundFields.has(field))
    if (other !== undefined) throw badField(other, 'cannot stand beside firn.pattern')
    ticksOf(cron, timezone, 'firn.pattern', 'either')
  }
  if (date !== undefined) instantOf(date, timezone, 'schedule_date')
  if (interval !== undefined) intervalOf(interval)
  boundsOf(fields, timezone)
  patternOf(fields)
}

/**
 * What the fields mean: a cron pattern beside them, else a date, else an interval, else cron-like fields, else nothing.
 * Fault('bad_request') names the field.
 */
export function triggerOf(fields: ScheduleFields, timezone: string, cron?: string): Trigger {
  checkZone(timezone)
  if (cron !== undefined)
    return { is: 'cron', pattern: cron, days: 'either', timezone, ...boundsOf(fields, timezone) }
  if (fields.schedule_date !== undefined)
    return { is: 'once', at: instantOf(fields.schedule_date, timezone, 'schedule_date') }
  const bounds = boundsOf(fields, timezone)
  if (fields.schedule_interval !== undefined) return { ...intervalOf(fields.schedule_interval), ...bounds }
  const pattern = patternOf(fields)
  return pattern ? { is: 'cron', ...pattern, days: 'both', timezone, ...bounds } : { is: 'none' }
}

function boundsOf(fields: ScheduleFields, timezone: string): { from?: Instant; until?: Instant } {
  const { schedule_start_date: start, schedule_end_date: end } = fields
  const from = start === undefined ? undefined : instantOf(start, timezone, 'schedule_start_date')
  const until = end === undefined ? undefined : instantOf(end, timezone, 'schedule_end_date')
  if (from !== undefined && until !== undefined && until < from)
    throw badField('schedule_end_date', 'is before schedule_start_date')
  return { ...(from === undefined ? {} : { from }), ...(until === undefined ? {} : { until }) }
}

function intervalOf(text: string): { is: 'continuous' } | { is: 'interval'; everyMs: number } {
  if (text === 'continuous') return { is: 'continuous' }
  const everyMs = durationIn(text)
  if (everyMs === undefined)
    throw badField('schedule_interval', 'must be "continuous" or a number like "5 minutes", above 0')
  if (everyMs > intervalMaxMs) throw badField('schedule_interval', 'is more than a hundred years')
  return { is: 'interval', everyMs }
}
