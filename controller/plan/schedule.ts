import { instant, later, type Instant } from '../../core/clock.ts'
import { badField, isFault } from '../../core/fault.ts'
import type { Job, Plan, ScheduleFields } from '../../core/job.ts'
import { withSkip, type Skip, type SkipReason } from '../../core/skip.ts'
import { latestTick, nextTick } from './calendar.ts'
import { countOf, patternIn, timezoneOf, type Extensions } from './extensions.ts'
import { checkSchedule } from './fields.ts'
import { latestDue, nextSlot, skipOf, slotAfter } from './slots.ts'
import { fieldOf, triggerOf, type Trigger } from './trigger.ts'

export { checkSchedule }

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

/** Whether such a schedule may be stored: nothing would be refused of it. */
export function isSatisfiable(fields: ScheduleFields, firn: Extensions | undefined, now: Instant): boolean {
  try {
    replan(checkSchedule({ ...fields }, firn), firn, undefined, now)
    return true
  } catch (error) {
    if (isFault(error, 'bad_request')) return false
    throw error
  }
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
  const skip = { from: past, to: past, count: 1, reason: 'missed' } as const
  return { ...plan, claimed: past, skips: withSkip(plan.skips, skip, false) }
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
  ...(plan?.skips === undefined ? {} : { skips: plan.skips }),
  ...(plan?.since === undefined ? {} : { since: plan.since }),
  ...(plan?.making === undefined ? {} : { making: plan.making }),
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

/**
 * The slots of a schedule that fell due and were not claimed, before it is changed or now that it stands still: they will not
 * start any more. Those of a stopped schedule are `paused`. Undefined when there are none.
 */
export function unstarted(
  { plan, schedule, firn, wanted }: Pick<Job, 'plan' | 'schedule' | 'firn' | 'wanted'>,
  now: Instant,
): Skip | undefined {
  const isHeld = plan.next === undefined && wanted !== 'active'
  const first = isHeld ? plan.held : plan.next
  if (first === undefined || first > now || plan.left === 0) return undefined
  try {
    const trigger = triggerIn(schedule, firn)
    if (trigger.is === 'continuous') return undefined
    // Those up to the last claimed one were told of before.
    const { claimed } = plan
    const from = claimed !== undefined && claimed >= first ? slotAfter(trigger, claimed) : first
    if (from === undefined || from > now) return undefined
    return skipOf(trigger, from, latestDue(trigger, from, now), isHeld ? 'paused' : 'changed')
  } catch (error) {
    // Stored by a version that could read it (its time zone is gone, say): nothing can be said of it.
    if (isFault(error)) return undefined
    throw error
  }
}

/** The plan, which also tells of these slots: they count as claimed, so that no clock that is behind has them start after all. */
export const withSkipped = (plan: Plan, skip: Skip | undefined): Plan =>
  skip
    ? {
        ...plan,
        claimed: instant(Math.max(skip.to, plan.claimed ?? skip.to)),
        skips: withSkip(plan.skips, skip, false),
      }
    : plan

/** The plan with no run to be made any more. `why`: some were not made. */
export function madeAll({ making, ...plan }: Plan, why?: SkipReason): Plan {
  if (making === undefined || why === undefined) return plan
  const skip = { from: making.slot, to: making.slot, count: 1, reason: why }
  return { ...plan, skips: withSkip(plan.skips, skip, false) }
}
