import { badField } from '../../core/fault.ts'
import type { ScheduleFields } from '../../core/job.ts'

interface Unit {
  readonly field: keyof ScheduleFields
  /** What it is when it is not set and a larger unit is the smallest one set. */
  readonly minimum: '0' | '1' | '*'
  readonly low: number
  readonly high: number
  readonly names?: readonly string[]
}

const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']

/** Smallest first. */
const units = [
  { field: 'schedule_second', minimum: '0', low: 0, high: 59 },
  { field: 'schedule_minute', minimum: '0', low: 0, high: 59 },
  { field: 'schedule_hour', minimum: '0', low: 0, high: 23 },
  { field: 'schedule_day_of_week', minimum: '*', low: 0, high: 6, names: weekdays },
  { field: 'schedule_week', minimum: '*', low: 1, high: 53 },
  { field: 'schedule_day', minimum: '1', low: 1, high: 31 },
  { field: 'schedule_month', minimum: '1', low: 1, high: 12 },
  { field: 'schedule_year', minimum: '*', low: 1970, high: 9999 },
] as const satisfies readonly Unit[]

/** A cron pattern of seven fields, and the ISO weeks to which its ticks are held. */
export interface Pattern {
  readonly pattern: string
  readonly weeks?: ReadonlySet<number>
}

/**
 * Freezer's cron-like fields as a pattern; undefined when none is set. Unset fields below the smallest one set take their
 * minimum, those above it are any. Throws Fault('bad_request') naming the field.
 */
export function patternOf(fields: ScheduleFields): Pattern | undefined {
  const smallest = units.findIndex(({ field }) => fields[field] !== undefined)
  if (smallest < 0) return undefined
  const text = units.map(({ field, minimum }, index) => {
    const set = fields[field]?.trim().toLowerCase()
    return set ?? (index < smallest ? minimum : '*')
  })
  const [second = '', minute = '', hour = '', weekday = '', week = '', day = '', month = '', year = ''] = text
  const weeks = partsOf(units[4], week)
  const pattern = [
    listOf(units[0], second),
    listOf(units[1], minute),
    listOf(units[2], hour),
    ...daysOf(day, listOf(units[6], month), weekday),
    listOf(units[7], year),
  ].join(' ')
  return weeks === '*' ? { pattern } : { pattern, weeks: new Set(weeks.flatMap(valuesOf)) }
}

const ordinals = { '1st': '#1', '2nd': '#2', '3rd': '#3', '4th': '#4', '5th': '#5', last: '#L' }

/** Day of month, month, day of week: an "nth weekday" of Freezer's day field belongs to the last. */
function daysOf(day: string, month: string, weekday: string): [string, string, string] {
  const [, ordinal, name] = /^(1st|2nd|3rd|4th|5th|last) +(\w+)$/.exec(day) ?? []
  if (ordinal === undefined || name === undefined)
    return [day === 'last' ? 'L' : listOf(units[5], day), month, listOf(units[3], weekday, 1)]
  if (!weekdays.includes(name)) throw badField('schedule_day', `"${name}" is not a weekday like mon`)
  if (listOf(units[3], weekday) !== '*')
    throw badField('schedule_day', 'cannot name a weekday beside schedule_day_of_week')
  return ['*', month, `${weekdays.indexOf(name) + 1}${ordinals[ordinal as keyof typeof ordinals]}`]
}

interface Part {
  readonly first: number
  readonly last: number
  readonly by: number
}

function valuesOf({ first, last, by }: Part): number[] {
  return Array.from({ length: Math.floor((last - first) / by) + 1 }, (_, index) => first + index * by)
}

/** A list in cron's form. `shift`: Freezer counts weekdays from Monday = 0, cron from Monday = 1. */
function listOf(unit: Unit, text: string, shift = 0): string {
  const parts = partsOf(unit, text)
  if (parts === '*') return '*'
  return parts
    .map(({ first, last, by }) => {
      if (first === last) return `${first + shift}`
      return `${first + shift}-${last + shift}${by === 1 ? '' : `/${by}`}`
    })
    .join(',')
}

/** Lists, ranges and steps, each checked against the unit's own bounds. `*`: every value. */
function partsOf(unit: Unit, text: string): '*' | Part[] {
  const parts = text.split(',').map((part) => partOf(unit, part.trim()))
  return parts.some(({ first, last, by }) => first === unit.low && last === unit.high && by === 1)
    ? '*'
    : parts
}

function partOf({ field, low, high, names = [] }: Unit, part: string): Part {
  const [, any, from = '', to, step] = /^(?:(\*)|(\w+)(?:-(\w+))?)(?:\/(\d{1,4}))?$/.exec(part) ?? []
  const number = (word: string): number => {
    if (names.includes(word)) return names.indexOf(word)
    return /^\d{1,4}$/.test(word) ? Number(word) : Number.NaN
  }
  const first = any ? low : number(from)
  const end = any || (to === undefined && step !== undefined) ? high : number(to ?? from)
  const by = Number(step ?? 1)
  if (!(first >= low && end <= high && first <= end))
    throw badField(field, `"${part}" is not within ${low} to ${high}`)
  if (by < 1 || by > high - low + 1)
    throw badField(field, `"${part}" steps by more than there is, or not at all`)
  // What the steps leave of the end: a range of one value is that value.
  return { first, last: first + Math.floor((end - first) / by) * by, by }
}
