import { instant, later, type Instant } from '../../core/clock.ts'
import { localOf, utcOfLocal } from './dates.ts'
import { ticksOf } from './ticks.ts'
import { fieldOf, type Trigger } from './trigger.ts'

export type CronTrigger = Extract<Trigger, { is: 'cron' }>

const dayMs = 86_400_000

/**
 * How long a tick in one of the weeks is looked for, from the first tick on. Milliseconds: 60 years. A day of the calendar
 * meets a week and a weekday again within 40, also across a year like 2100 that has no 29 February.
 */
const horizonMs = 60 * 366 * dayMs

/** The first tick after `after`, within the trigger's bounds and weeks. */
export function nextTick(trigger: CronTrigger, after: Instant): Instant | undefined {
  const { from, until } = trigger
  const ticks = ticksOf(trigger.pattern, trigger.timezone, fieldOf(trigger), trigger.days)
  let tick = ticks.after(from !== undefined && from > after ? later(from, -1) : after)
  const end = Math.min(until ?? Infinity, (tick ?? 0) + horizonMs)
  // Each try leaps to the next of the weeks: ticks of every second in the wrong week cost as little as daily ones.
  while (tick !== undefined && tick <= end && trigger.weeks && !inWeeks(trigger, trigger.weeks, tick))
    tick = ticks.after(later(nextWeek(trigger, trigger.weeks, tick), -1))
  return tick === undefined || tick > end ? undefined : tick
}

/** The last tick that is not after `now`; `known`, a tick not after `now`, when there is no later one. */
export function latestTick(trigger: CronTrigger, known: Instant, now: Instant): Instant {
  // Halving finds it in thirty questions; going from tick to tick could take millions. Ticks are whole seconds apart.
  let [low, high] = [known, now]
  while (high - low >= 1_000) {
    const middle = instant(Math.floor((low + high) / 2))
    const tick = nextTick(trigger, middle)
    if (tick !== undefined && tick <= now) low = tick
    else high = middle
  }
  const last = nextTick(trigger, low)
  return last !== undefined && last <= now ? last : low
}

const inWeeks = (trigger: CronTrigger, weeks: ReadonlySet<number>, tick: Instant): boolean =>
  weeks.has(isoWeek(localOf(tick, trigger.timezone)))

/** The local midnight at which the next of the weeks begins, later than the week of `tick`. */
function nextWeek(trigger: CronTrigger, weeks: ReadonlySet<number>, tick: Instant): Instant {
  let monday = mondayOf(localOf(tick, trigger.timezone)) + 7 * dayMs
  while (!weeks.has(isoWeek(monday))) monday += 7 * dayMs
  return utcOfLocal(monday, trigger.timezone)
}

/** The Monday, 00:00, of the week of a local time. Local times are milliseconds as if the zone were UTC. */
function mondayOf(local: number): number {
  const day = Math.floor(local / dayMs)
  return (day - ((((day + 3) % 7) + 7) % 7)) * dayMs // day 0 was a Thursday
}

/** ISO 8601 week of a local time: the week that holds the year's first Thursday is 1. */
function isoWeek(local: number): number {
  const thursday = mondayOf(local) + 3 * dayMs
  const firstOfYear = Date.UTC(new Date(thursday).getUTCFullYear(), 0, 1)
  return Math.floor((thursday - firstOfYear) / (7 * dayMs)) + 1
}
