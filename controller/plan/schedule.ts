import { instant, later, type Instant } from '../../core/clock.ts'
import { badField } from '../../core/fault.ts'
import type { Plan, ScheduleFields } from '../../core/job.ts'
import { latestTick, nextTick } from './calendar.ts'
import { countOf, patternIn, timezoneOf, type Extensions } from './extensions.ts'
import { fieldOf, triggerOf, type Trigger } from './trigger.ts'

export { checkSchedule } from './fields.ts'

/** A missed slot is caught up only within this time. Milliseconds. */
const catchUpMaxMs = 24 * 3_600_000

/** As soon as the last run has ended, but not oftener than once a second, as Freezer's own scheduler does. Milliseconds. */
const continuousMs = 1_000

/** A date that passed while the request was on its way means now. Milliseconds. */
const onTheWayMs = 10_000

/** When a document's schedule is due: its trigger fields and the extensions beside them. Throws Fault('bad_request'). */
export const triggerIn = (fields: ScheduleFields, firn: Extensions | undefined): Trigger =>
  triggerOf(fields, timezoneOf(firn), patternIn(firn))

/** What a user's change says of a plan beyond the schedule itself. */
export interface Wishes {
  /** The next slot, instead of the schedule's own; the ticks after it follow. */
  readonly set?: Instant
  /** `firn.count` is new: counting begins again. */
  readonly recount?: boolean
}

/**
 * The plan of a schedule that was just made or changed: a new generation, counted from `now`. What was claimed stays claimed,
 * so that a change at the slot does not start it twice; a moment that is merely past is claimed and recorded as missed, so
 * that it never fires. Throws Fault('bad_request') for a schedule that no date can satisfy.
 */
export function replan(
  fields: ScheduleFields,
  firn: Extensions | undefined,
  plan: Plan | undefined,
  now: Instant,
  { set, recount = false }: Wishes = {},
): Plan {
  const trigger = movedTo(triggerIn(fields, firn), set)
  const count = countOf(firn)
  const left = count === undefined || recount ? count : (plan?.left ?? count)
  const fresh = { ...begun(plan), ...(left === undefined ? {} : { left }) }
  // Looked for even when another is set: what no date can satisfy is refused.
  const own = nextSlot(trigger, afterOf(trigger, now), now, plan?.claimed)
  const past = own === undefined ? pastSlot(trigger, now) : undefined
  if (left === 0) return fresh
  if (trigger.is === 'once' || set === undefined || set <= Math.max(now, plan?.claimed ?? now)) {
    const kept = trigger.is === 'once' && set !== undefined ? { set } : {}
    return { ...(own === undefined ? missed(fresh, past) : { ...fresh, next: own }), ...kept }
  }
  return { ...fresh, next: set, set }
}

/** From when on slots count: those of a cron pattern come strictly after the moment at which it was asked for. */
function afterOf(trigger: Trigger, now: Instant): Instant {
  if (trigger.is === 'once') return later(now, -onTheWayMs)
  return trigger.is === 'cron' && trigger.days === 'either' ? now : later(now, -1)
}

/** A date is moved by setting the next slot; of what comes again only the next slot is another. */
const movedTo = (trigger: Trigger, set: Instant | undefined): Trigger =>
  trigger.is === 'once' && set !== undefined ? { is: 'once', at: set } : trigger

function missed(plan: Plan, past: Instant | undefined): Plan {
  if (past === undefined || (plan.claimed !== undefined && past <= plan.claimed)) return plan
  return { ...plan, claimed: past, skipped: { slot: past, reason: 'missed' } }
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
      if (first === undefined) throw badField(fieldOf(trigger), 'no date satisfies this schedule')
      return first <= now ? latestTick(trigger, first, now) : undefined
    }
  }
}

/** The plan of what nobody has said a time for: once, now. */
export const onceNow = (plan: Plan, now: Instant): Plan => ({ ...plan, next: now })

/** What is kept of a plan when a new one is made. */
const begun = (plan: Plan | undefined): Plan => ({
  generation: (plan?.generation ?? 0) + 1,
  ...(plan?.claimed === undefined ? {} : { claimed: plan.claimed }),
  ...(plan?.skipped === undefined ? {} : { skipped: plan.skipped }),
})

/** The plan with nothing to come: stopped, or in a session. It remembers what would have come, and what was set. */
export const unplanned = (plan: Plan | undefined): Plan =>
  stopped(plan, { ...plan, next: plan?.next ?? plan?.held })

/** As `unplanned`, of a schedule that was changed as well: `fresh` is the plan that it would have. */
export const stopped = (
  plan: Plan | undefined,
  { left, set, next }: { [K in 'left' | 'set' | 'next']?: Plan[K] | undefined },
): Plan => ({
  ...begun(plan),
  ...(left === undefined ? {} : { left }),
  ...(set === undefined ? {} : { set }),
  ...(next === undefined ? {} : { held: next }),
})

export type Claim =
  /** Nothing is due yet. */
  | { readonly do: 'wait'; readonly until: Instant | undefined }
  /** This slot is due: start it, and store `plan`, together. `passed`: the plan if nothing can be started after all. */
  | { readonly do: 'start'; readonly slot: Instant; readonly plan: Plan; readonly passed: Plan }
  /** This slot was missed: store `plan`, which says why. */
  | { readonly do: 'skip'; readonly slot: Instant; readonly plan: Plan }

/**
 * What is due of a schedule. After an outage the latest missed slot is caught up, if it is not older than 24 h (nor, being
 * the latest, than one period); the ones before it are passed over. A slot at or before the last claimed one never comes
 * back, even when the clock steps. `busy`: a run of it is still open, so the slot is skipped.
 */
export function claimDue(
  fields: ScheduleFields,
  firn: Extensions | undefined,
  plan: Plan,
  busy: boolean,
  now: Instant,
): Claim {
  if (plan.next === undefined || plan.next > now) return { do: 'wait', until: plan.next }
  const trigger = triggerIn(fields, firn)
  if (trigger.is === 'continuous' && busy) return { do: 'wait', until: undefined }
  const slot = latestDue(trigger, plan.next, now)
  const passed = passedPlan(trigger, plan, slot, now)
  if (busy) return { do: 'skip', slot, plan: { ...passed, skipped: { slot, reason: 'overlap' } } }
  // A continuous job's slot is now, unless its end date was before.
  if (now - slot > (trigger.is === 'continuous' ? 0 : catchUpMaxMs))
    return { do: 'skip', slot, plan: { ...passed, skipped: { slot, reason: 'missed' } } }
  return { do: 'start', slot, plan: counted(passed), passed }
}

/** The plan after a slot. A date has no other, even where its slot was moved; what was set for once is over. */
function passedPlan(trigger: Trigger, plan: Plan, slot: Instant, now: Instant): Plan {
  const { generation, left, set } = plan
  const next = trigger.is === 'once' ? undefined : nextSlot(trigger, slot, now, slot)
  return {
    generation,
    claimed: slot,
    ...(next === undefined ? {} : { next }),
    ...(left === undefined ? {} : { left }),
    ...(trigger.is === 'once' && set !== undefined ? { set } : {}),
  }
}

/** The plan after a start: one less is left, and after the last there is no next. */
function counted(plan: Plan): Plan {
  if (plan.left === undefined) return plan
  const left = plan.left - 1
  const { next: _, ...over } = plan
  return left > 0 ? { ...plan, left } : { ...over, left: 0 }
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
