import type { Instant } from '../../core/clock.ts'
import { badField } from '../../core/fault.ts'
import type { ScheduleFields } from '../../core/job.ts'
import { instantOf } from './dates.ts'
import { checkZone } from './ticks.ts'

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
      /** ISO weeks to which the ticks are held. */
      readonly weeks?: ReadonlySet<number>
      readonly timezone: string
      readonly from?: Instant
      readonly until?: Instant
    }

const unitMs: Record<string, number> = {
  weeks: 7 * 86_400_000,
  days: 86_400_000,
  hours: 3_600_000,
  minutes: 60_000,
  seconds: 1_000,
}

/** A schedule further apart than this could as well not exist. Milliseconds: 100 years. */
const intervalMaxMs = 100 * 366 * 86_400_000

/** What the fields mean: a date, else an interval, else cron-like fields, else nothing. Fault('bad_request') names the field. */
export function triggerOf(fields: ScheduleFields, timezone: string): Trigger {
  checkZone(timezone)
  if (fields.schedule_date !== undefined)
    return { is: 'once', at: instantOf(fields.schedule_date, timezone, 'schedule_date') }
  const bounds = boundsOf(fields, timezone)
  if (fields.schedule_interval !== undefined) return { ...intervalOf(fields.schedule_interval), ...bounds }
  const { pattern, weeks } = patternOf(fields)
  if (pattern === undefined) return { is: 'none' }
  return { is: 'cron', pattern, timezone, ...bounds, ...(weeks ? { weeks } : {}) }
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
  const [, count, unit] = /^(\d+) +(weeks|days|hours|minutes|seconds)$/.exec(text) ?? []
  const everyMs = Number(count) * (unitMs[unit ?? ''] ?? Number.NaN)
  if (!(everyMs > 0))
    throw badField('schedule_interval', 'must be "continuous" or a number like "5 minutes", above 0')
  if (everyMs > intervalMaxMs) throw badField('schedule_interval', 'is more than a hundred years')
  return { is: 'interval', everyMs }
}

/** Smallest unit first: a field that is not set takes its minimum below the smallest one set, and "any" above it. */
const units = [
  ['schedule_second', '0', 0, 59],
  ['schedule_minute', '0', 0, 59],
  ['schedule_hour', '0', 0, 23],
  ['schedule_day_of_week', '*', 0, 6],
  ['schedule_week', '*', 1, 53],
  ['schedule_day', '1', 1, 31],
  ['schedule_month', '1', 1, 12],
  ['schedule_year', '*', 1970, 9999],
] as const

const ordinals: Record<string, string> = {
  '1st': '#1',
  '2nd': '#2',
  '3rd': '#3',
  '4th': '#4',
  '5th': '#5',
  last: '#L',
}
const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']

function patternOf(fields: ScheduleFields): { pattern?: string; weeks?: Set<number> } {
  const set = units.map(([name]) => fields[name] !== undefined)
  if (!set.includes(true)) return {}
  const smallest = set.indexOf(true)
  const text = (name: (typeof units)[number][0]): string => {
    const index = units.findIndex(([known]) => known === name)
    const [, minimum] = units[index] ?? ['', '*']
    // A day fixed by its week or its weekday is not held to the first of the month as well.
    const byWeek = name === 'schedule_day' && (set[3] || set[4])
    return fields[name]?.trim().toLowerCase() ?? (index < smallest && !byWeek ? minimum : '*')
  }
  const values = (name: (typeof units)[number][0], names: readonly string[] = []): string => {
    const [, , low, high] = units.find(([known]) => known === name) ?? ['', '', 0, 0]
    return listOf(text(name), low, high, name, names)
  }
  let day = text('schedule_day')
  let weekday =
    text('schedule_day_of_week') === '*' ? '*' : weekdaysOf(values('schedule_day_of_week', weekdays))
  const nth = /^(1st|2nd|3rd|4th|5th|last) (mon|tue|wed|thu|fri|sat|sun)$/.exec(day)
  if (nth) {
    if (weekday !== '*') throw badField('schedule_day', 'cannot name a weekday beside schedule_day_of_week')
    ;[day, weekday] = ['*', `${weekdays.indexOf(nth[2] ?? '') + 1}${ordinals[nth[1] ?? ''] ?? ''}`]
  } else day = day === 'last' ? 'L' : values('schedule_day')
  const week = values('schedule_week')
  const pattern = [
    values('schedule_second'),
    values('schedule_minute'),
    values('schedule_hour'),
    day,
    values('schedule_month'),
    weekday,
    values('schedule_year'),
  ].join(' ')
  return week === '*' ? { pattern } : { pattern, weeks: new Set(week.split(',').map(Number)) }
}

/** Freezer counts weekdays from Monday = 0, cron from Monday = 1. */
const weekdaysOf = (list: string): string =>
  list
    .split(',')
    .map((day) => Number(day) + 1)
    .join(',')

/** Lists, ranges and steps written out, so that every part is checked against the unit's own bounds. `*` stays. */
function listOf(text: string, low: number, high: number, field: string, names: readonly string[]): string {
  if (text === '*') return '*'
  const found = new Set<number>()
  for (const part of text.split(',')) {
    const [, any, from, to, step] = /^(?:(\*)|(\w+)(?:-(\w+))?)(?:\/(\d+))?$/.exec(part.trim()) ?? []
    const number = (word: string): number => (names.includes(word) ? names.indexOf(word) : wholeNumber(word))
    const first = any ? low : number(from ?? '')
    const last = any ? high : to !== undefined ? number(to) : step !== undefined ? high : first
    const by = step === undefined ? 1 : Number(step)
    if (!(first >= low && last <= high && first <= last && by > 0))
      throw badField(field, `"${part}" is not within ${low} to ${high}`)
    for (let value = first; value <= last; value += by) found.add(value)
  }
  return [...found].sort((a, b) => a - b).join(',')
}

const wholeNumber = (word: string): number => (/^\d{1,4}$/.test(word) ? Number(word) : Number.NaN)
