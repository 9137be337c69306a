import { later, type Instant } from '../../core/clock.ts'
import { badField } from '../../core/fault.ts'
import type { Plan, ScheduleFields } from '../../core/job.ts'
import { ticksOf } from './ticks.ts'
import { triggerOf, type Trigger } from './trigger.ts'

export { checkSchedule } from './fields.ts'

/** A missed slot is caught up only within this time. Milliseconds. */
const catchUpMaxMs = 24 * 3_600_000

/** ISO weeks recur within 28 years; a pattern that has no tick by then has none. */
const weekTriesMax = 366 * 28

/** `firn.timezone` of a document's extensions; UTC when unset. */
export function timezoneOf(firn: Readonly<Record<string, unknown>> | undefined): string {
  const timezone = firn?.['timezone']
  if (timezone === undefined) return 'UTC'
  if (typeof timezone !== 'string') throw badField('firn.timezone', 'must be a string')
  return timezone
}

/**
 * The plan of a schedule that was just made or changed: a new generation, counted from `now`. What was claimed stays claimed,
 * so that a change at the slot does not start it twice. Throws Fault('bad_request') for a schedule that no date can satisfy.
 */
export function replan(
  fields: ScheduleFields,
  firn: Readonly<Record<string, unknown>> | undefined,
  plan: Plan | undefined,
  now: Instant,
): Plan {
  const trigger = triggerOf(fields, timezoneOf(firn))
  if (trigger.is === 'cron' && nextTick(trigger, later(trigger.from ?? now, -1)) === undefined)
    throw badField('job_schedule', 'no date satisfies this schedule')
  const next = nextSlot(trigger, later(now, -1), now, plan?.claimed)
  return {
    generation: (plan?.generation ?? 0) + 1,
    ...(next === undefined ? {} : { next }),
    ...(plan?.claimed === undefined ? {} : { claimed: plan.claimed }),
  }
}

/** The plan with nothing to come: stopped, or in a session. */
export const unplanned = (plan: Plan | undefined): Plan => ({
  generation: (plan?.generation ?? 0) + 1,
  ...(plan?.claimed === undefined ? {} : { claimed: plan.claimed }),
})

export type Claim =
  /** Nothing is due yet. */
  | { readonly do: 'wait'; readonly until: Instant | undefined }
  /** This slot is due: start it, and store `plan`, together. */
  | { readonly do: 'start'; readonly slot: Instant; readonly plan: Plan }
  /** This slot was missed: store `plan`, which says why. */
  | { readonly do: 'skip'; readonly slot: Instant; readonly plan: Plan }

/**
 * What is due of a schedule. After an outage the latest missed slot is caught up, if it lies within one period and 24 h;
 * the ones before it are passed over. A slot at or before the last claimed one never comes back, even when the clock steps.
 * `busy`: a run of it is still open, so the slot is skipped.
 */
export function claimDue(
  fields: ScheduleFields,
  firn: Readonly<Record<string, unknown>> | undefined,
  plan: Plan,
  busy: boolean,
  now: Instant,
): Claim {
  if (plan.next === undefined || plan.next > now) return { do: 'wait', until: plan.next }
  const trigger = triggerOf(fields, timezoneOf(firn))
  if (trigger.is === 'continuous' && busy) return { do: 'wait', until: undefined }
  const slot = latestDue(trigger, plan.next, now)
  const next = nextSlot(trigger, slot, now, slot)
  const moved: Plan = { generation: plan.generation, claimed: slot, ...(next === undefined ? {} : { next }) }
  const period = next === undefined ? catchUpMaxMs : next - slot
  if (busy) return { do: 'skip', slot, plan: { ...moved, skipped: { slot, reason: 'overlap' } } }
  if (now - slot > Math.min(catchUpMaxMs, period))
    return { do: 'skip', slot, plan: { ...moved, skipped: { slot, reason: 'missed' } } }
  return { do: 'start', slot, plan: moved }
}

/** The newest slot that is due, from the oldest one on. */
function latestDue(trigger: Trigger, oldest: Instant, now: Instant): Instant {
  switch (trigger.is) {
    case 'interval':
      return later(oldest, Math.floor((now - oldest) / trigger.everyMs) * trigger.everyMs)
    case 'cron': {
      let slot =
        oldest < now - catchUpMaxMs ? (nextTick(trigger, later(now, -catchUpMaxMs)) ?? oldest) : oldest
      if (slot > now) return oldest
      for (
        let next = nextTick(trigger, slot);
        next !== undefined && next <= now;
        next = nextTick(trigger, slot)
      )
        slot = next
      return slot
    }
    case 'none':
    case 'once':
    case 'continuous':
      return oldest
  }
}

/** The first slot after `after` that was not claimed. */
function nextSlot(
  trigger: Trigger,
  after: Instant,
  now: Instant,
  claimed: Instant | undefined,
): Instant | undefined {
  const from = claimed !== undefined && claimed > after ? claimed : after
  switch (trigger.is) {
    case 'none':
      return undefined
    case 'once':
      return claimed !== undefined && claimed >= trigger.at ? undefined : trigger.at
    case 'continuous':
      return within(trigger, later(Math.max(from, now, trigger.from ?? 0) as Instant, 1))
    case 'interval': {
      const first = trigger.from ?? claimed ?? later(now, trigger.everyMs)
      const steps = from < first ? 0 : Math.floor((from - first) / trigger.everyMs) + 1
      return within(trigger, later(first, steps * trigger.everyMs))
    }
    case 'cron':
      return nextTick(
        trigger,
        trigger.from !== undefined && trigger.from > from ? later(trigger.from, -1) : from,
      )
  }
}

const within = (trigger: { readonly until?: Instant }, slot: Instant): Instant | undefined =>
  trigger.until !== undefined && slot > trigger.until ? undefined : slot

function nextTick(trigger: Extract<Trigger, { is: 'cron' }>, after: Instant): Instant | undefined {
  const ticks = ticksOf(trigger.pattern, trigger.timezone, 'job_schedule')
  let tick = ticks.after(after)
  for (let tries = 0; tick !== undefined && trigger.weeks && !trigger.weeks.has(isoWeek(tick)); tries++) {
    if (tries > weekTriesMax) return undefined
    tick = ticks.after(later(tick, 0))
  }
  return tick === undefined ? undefined : within(trigger, tick)
}

/** ISO 8601 week of the UTC date: the week that holds the year's first Thursday is 1. */
function isoWeek(at: Instant): number {
  const date = new Date(at)
  const day = (date.getUTCDay() + 6) % 7
  const thursday = Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate() - day + 3)
  const firstOfYear = Date.UTC(new Date(thursday).getUTCFullYear(), 0, 1)
  return Math.floor((thursday - firstOfYear) / (7 * 86_400_000)) + 1
}
