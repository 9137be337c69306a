import { instant, later, type Instant } from '../../core/clock.ts'
import { badField } from '../../core/fault.ts'
import type { Plan, ScheduleFields } from '../../core/job.ts'
import { latestTick, nextTick } from './calendar.ts'
import { triggerOf, type Trigger } from './trigger.ts'

export { checkSchedule } from './fields.ts'

/** A missed slot is caught up only within this time. Milliseconds. */
const catchUpMaxMs = 24 * 3_600_000

/** As soon as the last run has ended, but not oftener than once a second, as Freezer's own scheduler does. Milliseconds. */
const continuousMs = 1_000

/** A date that passed while the request was on its way means now. Milliseconds. */
const onTheWayMs = 10_000

/** `firn.timezone` of a document's extensions; UTC when unset. */
export function timezoneOf(firn: Readonly<Record<string, unknown>> | undefined): string {
  const timezone = firn?.['timezone']
  if (timezone === undefined) return 'UTC'
  if (typeof timezone !== 'string') throw badField('firn.timezone', 'must be a string')
  return timezone
}

/**
 * The plan of a schedule that was just made or changed: a new generation, counted from `now`. What was claimed stays claimed,
 * so that a change at the slot does not start it twice; a moment that is merely past is claimed and recorded as missed, so
 * that it never fires. Throws Fault('bad_request') for a schedule that no date can satisfy.
 */
export function replan(
  fields: ScheduleFields,
  firn: Readonly<Record<string, unknown>> | undefined,
  plan: Plan | undefined,
  now: Instant,
): Plan {
  const trigger = triggerOf(fields, timezoneOf(firn))
  const after = later(now, trigger.is === 'once' ? -onTheWayMs : -1)
  const next = nextSlot(trigger, after, now, plan?.claimed)
  const fresh = unplanned(plan)
  if (next !== undefined) return { ...fresh, next }
  const past = pastSlot(trigger, now)
  if (past === undefined || (plan?.claimed !== undefined && past <= plan.claimed)) return fresh
  return { ...fresh, claimed: past, skipped: { slot: past, reason: 'missed' } }
}

/** The last slot before `now`, if there is one. Throws for a cron trigger that has none at any time. */
function pastSlot(trigger: Trigger, now: Instant): Instant | undefined {
  switch (trigger.is) {
    case 'none':
    case 'continuous':
      return undefined
    case 'once':
      return trigger.at
    case 'interval':
      return trigger.from === undefined ? undefined : latestDue(trigger, trigger.from, now)
    case 'cron': {
      const first = nextTick(trigger, instant(0))
      if (first === undefined) throw badField('job_schedule', 'no date satisfies this schedule')
      return first <= now ? latestTick(trigger, first, now) : undefined
    }
  }
}

/** The plan with nothing to come: stopped, or in a session. */
export const unplanned = (plan: Plan | undefined): Plan => ({
  generation: (plan?.generation ?? 0) + 1,
  ...(plan?.claimed === undefined ? {} : { claimed: plan.claimed }),
  ...(plan?.skipped === undefined ? {} : { skipped: plan.skipped }),
})

export type Claim =
  /** Nothing is due yet. */
  | { readonly do: 'wait'; readonly until: Instant | undefined }
  /** This slot is due: start it, and store `plan`, together. */
  | { readonly do: 'start'; readonly slot: Instant; readonly plan: Plan }
  /** This slot was missed: store `plan`, which says why. */
  | { readonly do: 'skip'; readonly slot: Instant; readonly plan: Plan }

/**
 * What is due of a schedule. After an outage the latest missed slot is caught up, if it is not older than 24 h (nor, being
 * the latest, than one period); the ones before it are passed over. A slot at or before the last claimed one never comes
 * back, even when the clock steps. `busy`: a run of it is still open, so the slot is skipped.
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
  if (busy) return { do: 'skip', slot, plan: { ...moved, skipped: { slot, reason: 'overlap' } } }
  // A continuous job's slot is now, unless its end date was before.
  if (now - slot > (trigger.is === 'continuous' ? 0 : catchUpMaxMs))
    return { do: 'skip', slot, plan: { ...moved, skipped: { slot, reason: 'missed' } } }
  return { do: 'start', slot, plan: moved }
}

/** The newest slot that is due, from the oldest one on. */
function latestDue(trigger: Trigger, oldest: Instant, now: Instant): Instant {
  switch (trigger.is) {
    case 'interval': {
      const end = Math.max(oldest, Math.min(now, trigger.until ?? now))
      return later(oldest, Math.floor((end - oldest) / trigger.everyMs) * trigger.everyMs)
    }
    case 'cron':
      return latestTick(trigger, oldest, now)
    case 'continuous':
      return trigger.until !== undefined && now > trigger.until ? oldest : now
    case 'none':
    case 'once':
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
      return trigger.at > from ? trigger.at : undefined
    case 'continuous':
      return within(trigger, continuousFrom(trigger, now, claimed))
    case 'interval': {
      const first = trigger.from ?? claimed ?? later(now, trigger.everyMs)
      const steps = from < first ? 0 : Math.floor((from - first) / trigger.everyMs) + 1
      return within(trigger, later(first, steps * trigger.everyMs))
    }
    case 'cron':
      return nextTick(trigger, from)
  }
}

const continuousFrom = (trigger: { from?: Instant }, now: Instant, claimed: Instant | undefined): Instant =>
  instant(Math.max(now, trigger.from ?? now, claimed === undefined ? now : claimed + continuousMs))

const within = (trigger: { readonly until?: Instant }, slot: Instant): Instant | undefined =>
  trigger.until !== undefined && slot > trigger.until ? undefined : slot
