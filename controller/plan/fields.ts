import type { ScheduleFields } from '../../core/job.ts'
import { badField } from '../../core/fault.ts'
import { autonomyOf, countOf, patternIn, timezoneOf, type Extensions } from './extensions.ts'
import { policiesOf } from './policies.ts'
import { checkFields, triggerOf } from './trigger.ts'

/** The trigger fields of Freezer's schedule, in the order in which a pattern is built from the cron-like ones. */
export const cronFields = [
  'schedule_year',
  'schedule_month',
  'schedule_day',
  'schedule_week',
  'schedule_day_of_week',
  'schedule_hour',
  'schedule_minute',
  'schedule_second',
] as const

export const triggerFields = [
  'schedule_date',
  'schedule_interval',
  'schedule_start_date',
  'schedule_end_date',
  ...cronFields,
] as const satisfies readonly (keyof ScheduleFields)[]

/**
 * The trigger fields of a schedule document, checked with the extensions of the same document (`firn.timezone`, `firn.pattern`,
 * `firn.count`, the policies) so that nothing refused later can be stored. Empty and null fields are as good as absent. Throws
 * Fault('bad_request') naming the field.
 */
export function checkSchedule(
  document: Readonly<Record<string, unknown>>,
  firn?: Extensions,
): ScheduleFields {
  const fields: { -readonly [K in keyof ScheduleFields]: ScheduleFields[K] } = {}
  for (const name of triggerFields) {
    const value = document[name]
    if (value === undefined || value === null || value === '') continue
    if (typeof value !== 'string') throw badField(name, 'must be a string')
    if (value.length > 255) throw badField(name, 'must have at most 255 characters')
    fields[name] = value
  }
  checkFields(fields, timezoneOf(firn), patternIn(firn))
  checkCount(fields, firn)
  policiesOf(firn)
  autonomyOf(firn)
  return fields
}

function checkCount(fields: ScheduleFields, firn: Extensions | undefined): void {
  const count = countOf(firn)
  if (count === undefined) return
  const { is } = triggerOf(fields, timezoneOf(firn), patternIn(firn))
  if (is === 'none') throw badField('firn.count', 'counts the firings of a schedule, and there is none')
  if (is === 'once' && count > 1) throw badField('firn.count', 'a date fires once')
}
