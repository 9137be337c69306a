import { instant, later, type Instant } from './clock.ts'
import type { Plan } from './job.ts'
import type { StartPolicies } from './policy.ts'
import { withSkip, type Skip, type SkipReason } from './skip.ts'
import { latestDue, nextSlot, skipOf, slotAfter, startOfSlot, type SlotRule } from './slots.ts'

/** A schedule and where it stands, in instants: all that a claim depends on beside `Load`. */
export interface Schedule {
  /** Of its job or session: what the spread of its starts is made of. */
  readonly id: string
  readonly plan: Plan
  readonly rule: SlotRule
  readonly policies: StartPolicies
  /** The end of the days on which nothing starts, when the slot falls into such. */
  readonly excludedUntil: (slot: Instant) => Instant | undefined
}

/** What else decides about a slot that is due. */
export interface Load {
  /** Slots of which runs are open; more than decide need not be counted. */
  readonly open: number
  /** Slots that failed one after the other, up to the newest that ended, since it was resumed. */
  readonly failures: number
  /** Nothing may start before then: a session's `hold_off`. */
  readonly heldOffUntil?: Instant
}

export type Claim =
  /** Nothing is to be done before then; without a time: before something else happens. */
  | { readonly do: 'wait'; readonly until: Instant | undefined }
  /** This slot is due: start it, and store `plan`, together. `passed`: the plan before the start is counted. */
  | { readonly do: 'start'; readonly slot: Instant; readonly plan: Plan; readonly passed: Plan }
  /** This slot does not start: store `plan`, which says why. */
  | { readonly do: 'skip'; readonly slot: Instant; readonly plan: Plan }
  /** This slot waits for the open runs, which are to be cancelled. Look again at `until`. */
  | { readonly do: 'cancel'; readonly slot: Instant; readonly until: Instant | undefined }
  /** Too many failures: the schedule is to be stopped. `plan`: as after a slot that is skipped. */
  | { readonly do: 'pause'; readonly slot: Instant; readonly plan: Plan }

/** A missed slot is caught up only within this time. Milliseconds. */
const catchUpMaxMs = 24 * 3_600_000

/** How late a start may be that is not to be caught up: what a change of leaders takes, and more. Milliseconds. */
const promptMs = 60_000

/** With `overlap: allow`, more open slots than this are no overlap any more, but a queue without an end. */
export const openMost = 10

/** What is known of a schedule that is being looked at. */
interface Subject extends Schedule {
  readonly now: Instant
}

/**
 * What is due of a schedule: the same answer for the same arguments, whoever asks. A slot at or before the last claimed one
 * never comes back, even when the clock steps; no slot is claimed before its time, and each that falls due is either
 * started or told of in the plan.
 */
export function claimOf(schedule: Schedule, load: Load, now: Instant): Claim {
  const { plan, rule } = schedule
  if (plan.next === undefined || plan.next > now) return { do: 'wait', until: plan.next }
  const subject = { ...schedule, now }
  if (rule.is === 'continuous') return claimContinuous(subject, plan.next, load)
  const due = dueIn(subject, plan.next)
  if (!due) return { do: 'wait', until: startOf(subject, plan.next) }
  const { slot } = due
  const refusal = refusalOf(subject, slot, load)
  if (refusal) return skipped(subject, due, refusal)
  if (isFailing(subject, load)) return paused(subject, due)
  if (load.open === 0) return started(subject, due)
  return overlapping(subject, due, load)
}

/** A slot that is to be decided on, the newest that is due, and those before that are passed over. */
interface Due {
  readonly slot: Instant
  readonly latest: Instant
  readonly over?: { readonly from: Instant; readonly to: Instant }
}

const startOf = ({ id, rule, policies }: Subject, slot: Instant): Instant =>
  startOfSlot(rule, id, policies.jitterMs, slot)

/** Undefined: no slot's start is due, though the first slot itself may be. */
function dueIn(subject: Subject, oldest: Instant): Due | undefined {
  const { rule, now, policies } = subject
  const newest = latestDue(rule, oldest, now)
  const isReady = startOf(subject, newest) <= now
  if (!isReady && newest === oldest) return undefined
  const latest = isReady ? newest : latestDue(rule, oldest, later(newest, -1))
  const slot = policies.catchUp === 'all' ? oldestOf(subject, oldest, latest) : latest
  if (slot === oldest) return { slot, latest }
  return { slot, latest, over: { from: oldest, to: latestDue(rule, oldest, later(slot, -1)) } }
}

/** The oldest of the newest slots that are all caught up. */
function oldestOf({ rule, policies }: Subject, oldest: Instant, latest: Instant): Instant {
  let slot: Instant | undefined = oldest
  for (let count = 1; slot !== undefined && slot < latest && count < policies.catchUpMax; count++)
    slot = slotAfter(rule, slot)
  if (slot === undefined || slot >= latest) return oldest
  let kept = latest
  for (let count = 1; count < policies.catchUpMax; count++) kept = latestDue(rule, oldest, later(kept, -1))
  return kept
}

/** Why a slot cannot start, whatever runs. */
function refusalOf(subject: Subject, slot: Instant, { heldOffUntil }: Load): SkipReason | undefined {
  const { policies, now } = subject
  if (subject.excludedUntil(slot) !== undefined) return 'excluded'
  const late = now - startOf(subject, slot)
  if (policies.catchUp === 'none' && late > promptMs) return 'missed'
  if (late > allowedMs(subject, slot))
    return policies.startDeadlineMs === undefined ? 'missed' : 'start_deadline'
  return heldOffUntil !== undefined && heldOffUntil > now ? 'hold_off' : undefined
}

/** How late the start of a slot may be. */
function allowedMs({ policies, rule }: Subject, slot: Instant): number {
  if (policies.startDeadlineMs !== undefined) return policies.startDeadlineMs
  const next = policies.catchUp === 'all' ? undefined : slotAfter(rule, slot)
  return next === undefined ? catchUpMaxMs : Math.min(next - slot, catchUpMaxMs)
}

const isFailing = ({ policies }: Subject, { failures }: Load): boolean =>
  policies.pauseAfterFailures !== undefined && failures >= policies.pauseAfterFailures

function overlapping(subject: Subject, due: Due, { open }: Load): Claim {
  const { overlap, catchUp } = subject.policies
  if (overlap === 'allow' && open < openMost) return started(subject, due)
  const isBacklog = catchUp === 'all' && due.slot < due.latest
  if (!isBacklog && (overlap === 'skip' || overlap === 'allow')) return skipped(subject, due, 'overlap')
  if (due.over) return makingWay(subject, due, due.over)
  const until = waitEnd(subject, due)
  return overlap === 'cancel' ? { do: 'cancel', slot: due.slot, until } : { do: 'wait', until }
}

/** Only the newest waits: those before it are over. */
function makingWay(subject: Subject, { slot }: Due, { from, to }: { from: Instant; to: Instant }): Claim {
  const { plan, rule, policies } = subject
  const reason = policies.overlap === 'skip' || policies.overlap === 'allow' ? 'missed' : 'overlap'
  const skips = adding(plan, plan.skips, skipOf(rule, from, to, reason))
  return { do: 'skip', slot: to, plan: { ...kept(plan, rule), claimed: to, next: slot, skips } }
}

/** When a slot that waits is looked at again: it has waited too long, or the next one comes. */
function waitEnd(subject: Subject, { slot, latest }: Due): Instant {
  const next = slotAfter(subject.rule, latest)
  const expired = startOf(subject, slot) + allowedMs(subject, slot) + 1
  return instant(Math.min(expired, next === undefined ? Infinity : startOf(subject, next)))
}

function started(subject: Subject, due: Due): Claim {
  const passed = passedPlan(subject, due)
  return { do: 'start', slot: due.slot, plan: counted(subject, passed), passed }
}

const skipped = (subject: Subject, due: Due, reason: SkipReason): Claim => ({
  do: 'skip',
  slot: due.slot,
  plan: notStarted(subject.plan, passedPlan(subject, due), due.slot, reason),
})

function paused(subject: Subject, due: Due): Claim {
  const { plan } = subject
  const passed = notStarted(plan, passedPlan(subject, due), due.slot, 'failures')
  return { do: 'pause', slot: due.slot, plan: passed }
}

/** The plan after a slot that has become no run after all: `passed` is what a claim gave for it, of the plan `before`. */
export const notStarted = (before: Plan, passed: Plan, slot: Instant, reason: SkipReason): Plan => ({
  ...passed,
  skips: adding(before, passed.skips, { from: slot, to: slot, count: 1, reason }),
})

/** An entry joins the last one where no slot was started since that. */
function adding({ claimed }: Plan, skips: readonly Skip[] | undefined, skip: Skip): Skip[] {
  const last = skips?.at(-1)
  return withSkip(skips, skip, last !== undefined && (claimed === undefined || last.to >= claimed))
}

/** The plan after a slot. A date has no other, even where its slot was moved; what was set for once is over. */
function passedPlan({ plan, rule, now }: Subject, { slot, over }: Due): Plan {
  const next = rule.is === 'once' ? undefined : nextSlot(rule, slot, now, slot)
  const skips = over ? adding(plan, plan.skips, skipOf(rule, over.from, over.to, 'missed')) : plan.skips
  return {
    ...kept(plan, rule),
    claimed: slot,
    ...(next === undefined ? {} : { next }),
    ...(skips ? { skips } : {}),
  }
}

/** What a plan keeps whatever becomes of a slot. */
const kept = (plan: Plan, rule: SlotRule): Plan => ({
  generation: plan.generation,
  ...(plan.left === undefined ? {} : { left: plan.left }),
  ...(plan.since === undefined ? {} : { since: plan.since }),
  ...(rule.is === 'once' && plan.set !== undefined ? { set: plan.set } : {}),
})

/** The plan after a start: one less is left, and after the last there is no next; slots that are due already are told of. */
function counted({ rule, now }: Subject, plan: Plan): Plan {
  if (plan.left === undefined) return plan
  const left = plan.left - 1
  if (left > 0) return { ...plan, left }
  const { next, ...over } = plan
  if (next === undefined || next > now || rule.is === 'continuous') return { ...over, left: 0 }
  const skip = skipOf(rule, next, latestDue(rule, next, now), 'count_over')
  return { ...over, left: 0, skips: withSkip(plan.skips, skip, false) }
}

/**
 * A slot of a continuous schedule is the moment at which nothing runs any more, so that it never overlaps, is never late and
 * is not spread. Days that are excluded are passed over as one slot.
 */
function claimContinuous(subject: Subject, next: Instant, { open, failures, heldOffUntil }: Load): Claim {
  const { rule, now } = subject
  if (open > 0) return { do: 'wait', until: undefined }
  const slot = latestDue(rule, next, now)
  const due = { slot, latest: slot }
  const excludedTo = subject.excludedUntil(slot)
  // Its end date was before: the outage took longer.
  if (slot < now) return skipped(subject, due, 'missed')
  if (excludedTo !== undefined) return leaping(subject, due, excludedTo)
  if (heldOffUntil !== undefined && heldOffUntil > now) return { do: 'wait', until: heldOffUntil }
  return isFailing(subject, { open, failures }) ? paused(subject, due) : started(subject, due)
}

/** Goes on at `end`, if the schedule is not over then. */
function leaping(subject: Subject, due: Due, end: Instant): Claim {
  const { plan } = subject
  const { next: _, ...passed } = notStarted(plan, passedPlan(subject, due), due.slot, 'excluded')
  const next = nextSlot(subject.rule, end, end, due.slot)
  return { do: 'skip', slot: due.slot, plan: { ...passed, ...(next === undefined ? {} : { next }) } }
}
