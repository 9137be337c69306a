import type { Instant } from '../../core/clock.ts'
import { badField } from '../../core/fault.ts'
import {
  catchUpMost,
  catchUps,
  exclusionsMost,
  failuresMost,
  overlaps,
  type StartPolicies,
} from '../../core/policy.ts'
import { localOf } from './dates.ts'
import { durationIn } from './duration.ts'
import type { Extensions } from './extensions.ts'

/** How a schedule behaves where slots and runs do not come one after the other, and the days on which it rests. */
export interface Policies extends StartPolicies {
  /** Days on which nothing starts, as numbers of local days since 1970. */
  readonly exclusions: readonly DayRange[]
}

interface DayRange {
  readonly first: number
  readonly last: number
}

/** Missed slots that `catch_up: all` starts when nothing else is said. */
const catchUpDefault = 10

const dayMs = 86_400_000
const jitterMostMs = 7 * dayMs
const deadlineMostMs = 366 * dayMs

/** What `firn` says of them, and the defaults. Throws Fault('bad_request') naming the field. */
export function policiesOf(firn: Extensions | undefined): Policies {
  const deadline = spanIn(firn, 'start_deadline', deadlineMostMs)
  const failures = wholeIn(firn, 'pause_after_failures', failuresMost)
  return {
    catchUp: wordIn(firn, 'catch_up', catchUps),
    catchUpMax: wholeIn(firn, 'catch_up_max', catchUpMost) ?? catchUpDefault,
    overlap: wordIn(firn, 'overlap', overlaps),
    jitterMs: spanIn(firn, 'jitter', jitterMostMs) ?? 0,
    ...(deadline === undefined ? {} : { startDeadlineMs: deadline }),
    exclusions: exclusionsIn(firn),
    ...(failures === undefined ? {} : { pauseAfterFailures: failures }),
  }
}

/** One of the words, the first one by default. */
function wordIn<W extends string>(firn: Extensions | undefined, key: string, words: readonly [W, ...W[]]): W {
  const value = firn?.[key]
  if (value === undefined) return words[0]
  const word = words.find((known) => known === value)
  if (word === undefined) throw badField(`firn.${key}`, `must be one of ${words.join(', ')}`)
  return word
}

function wholeIn(firn: Extensions | undefined, key: string, most: number): number | undefined {
  const value = firn?.[key]
  if (value === undefined) return undefined
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1 || value > most)
    throw badField(`firn.${key}`, `must be a whole number from 1 to ${most}`)
  return value
}

function spanIn(firn: Extensions | undefined, key: string, mostMs: number): number | undefined {
  const value = firn?.[key]
  if (value === undefined) return undefined
  const ms = typeof value === 'string' ? durationIn(value) : undefined
  if (ms === undefined) throw badField(`firn.${key}`, 'must be a time like "5 minutes", above 0')
  if (ms > mostMs) throw badField(`firn.${key}`, `must be at most ${mostMs / dayMs} days`)
  return ms
}

function exclusionsIn(firn: Extensions | undefined): DayRange[] {
  const value = firn?.['exclusions']
  if (value === undefined) return []
  if (!Array.isArray(value)) throw badField('firn.exclusions', 'must be a list of dates')
  if (value.length > exclusionsMost)
    throw badField('firn.exclusions', `has more than ${exclusionsMost} entries`)
  return value.map((text: unknown, index) => dayRangeOf(text, `firn.exclusions.${index}`))
}

/** `2027-12-24`, or `2027-12-24/2027-12-31`: both days belong to it. */
function dayRangeOf(text: unknown, field: string): DayRange {
  const days = typeof text === 'string' ? text.split('/').map(dayOf) : []
  const [first, last = first] = days
  if (first === undefined || last === undefined || days.length > 2 || days.includes(undefined))
    throw badField(field, 'must be a date like 2027-12-24, or two of them: 2027-12-24/2027-12-31')
  if (last < first) throw badField(field, 'ends before it begins')
  return { first, last }
}

function dayOf(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return undefined
  const at = Date.parse(`${text}T00:00:00Z`)
  // A calendar that has no such day moves it.
  return Number.isNaN(at) || new Date(at).toISOString().slice(0, 10) !== text ? undefined : at / dayMs
}

/** The last local day of the exclusion that a slot falls into, if it does: as a number of days since 1970. */
export function excludedUntil(
  { exclusions }: Pick<Policies, 'exclusions'>,
  slot: Instant,
  timezone: string,
): number | undefined {
  if (exclusions.length === 0) return undefined
  const day = Math.floor(localOf(slot, timezone) / dayMs)
  return exclusions.find(({ first, last }) => first <= day && day <= last)?.last
}
