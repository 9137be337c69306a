import type { Instant } from './clock.ts'

/** Why a slot that fell due did not become a run. docs/scheduling.md tells each. */
export const skipReasons = [
  'changed',
  'count_over',
  'excluded',
  'failures',
  'hold_off',
  'leader_lost',
  'missed',
  'no_client',
  'no_member',
  'overlap',
  'paused',
  'refused',
  'start_deadline',
] as const

export type SkipReason = (typeof skipReasons)[number]

/** Slots of one schedule, one after the other, that did not become runs, all for the same reason. */
export interface Skip {
  readonly from: Instant
  readonly to: Instant
  readonly count: number
  /** There were more of them than were counted. */
  readonly more?: true
  readonly reason: SkipReason
}

/**
 * How many entries a schedule remembers, the newest ones. They take some 70 characters each, and are written with each of
 * its slots.
 */
export const skipsMax = 50

/** With one more. `joins`: nothing came between it and the last entry, so that one entry can tell of both. */
export function withSkip(skips: readonly Skip[] | undefined, skip: Skip, joins: boolean): Skip[] {
  const known = skips ?? []
  const last = known.at(-1)
  if (joins && last?.reason === skip.reason) {
    const more = last.more ?? skip.more
    const both = { ...last, to: skip.to, count: last.count + skip.count, ...(more ? { more } : {}) }
    return [...known.slice(0, -1), both]
  }
  return [...known, skip].slice(-skipsMax)
}
