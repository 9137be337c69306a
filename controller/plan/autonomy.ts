import type { Client, Line } from '../../core/catalogue.ts'
import { instant, later, type Instant } from '../../core/clock.ts'
import {
  autonomyMs,
  mayActUntil,
  newestOf,
  unnoticedMs,
  type Decided,
  type PlannedSchedule,
  type SlotList,
  type Span,
} from '../../core/autonomy.ts'
import type { Job, Plan } from '../../core/job.ts'
import { isEnrolled } from '../../core/select.ts'
import { withSkip, type Skip } from '../../core/skip.ts'
import type { Load, Scheduled } from './claim.ts'
import { utcOfLocal } from './dates.ts'
import { timezoneOf } from './extensions.ts'
import { policiesOf, type Policies } from './policies.ts'
import { triggerIn } from './schedule.ts'
import { latestDue, nextSlot, skipOf, slotAfter } from './slots.ts'
import type { Trigger } from './trigger.ts'

/** Instants in one plan: those of a cron pattern cost a look each. */
const listMax = 100

/** An agent that is back has this long to tell what it did before its slots are decided on without it. Milliseconds. */
const settlingMs = 5 * 60_000

const dayMs = 86_400_000

/** Jobs whose own client can go on with them: one client, a schedule of its own, actions that are known before. */
const isOfOneAgent = ({ client, selector, session, function: call, firn }: Job): boolean =>
  client !== undefined && !selector && session === undefined && !call && firn?.['autonomy'] !== false

/** Whether a job is one that its agent is told of. */
export const isPlanned = (job: Job): boolean =>
  isOfOneAgent(job) && job.wanted === 'active' && job.plan.next !== undefined

/**
 * Until when nobody but the job's agent may decide on its slots: it cannot be reached and may be going on by itself, or is back
 * and has not told what it did. Undefined: they are the servers'.
 */
export function heldUntil(job: Job, client: Client | undefined, now: Instant): Instant | undefined {
  if (!client || !isEnrolled(client) || !isOfOneAgent(job)) return undefined
  const { line } = client
  if (line.is === 'never' || !line.alone) return undefined
  const until =
    line.is === 'down' ? mayActUntil(line.since) : line.settling ? later(line.since, settlingMs) : now
  return until > now ? until : undefined
}

/**
 * Whether the job's agent may still go by what the job was before it was stopped or changed: it cannot be reached, and may not
 * have heard of that.
 */
export function mayBeBehind(job: Job, client: Client | undefined, now: Instant): boolean {
  const line = client?.line
  if (line?.is !== 'down' || heldUntil({ ...job, firn: {} }, client, now) === undefined) return false
  return job.changedAt !== undefined && job.changedAt > (behindSince(line) ?? line.since) && job.version > 1
}

/** Since when changes of jobs may not have come to the agent of a client whose line was this; undefined: all have. */
export function behindSince(line: Line): Instant | undefined {
  if (line.is === 'never') return undefined
  return line.behind ?? (line.is === 'down' ? later(line.since, -unnoticedMs) : undefined)
}

/** What an agent is told of a job's schedule, in instants. Undefined: nothing that it could go on with. */
export function plannedSchedule(
  of: Scheduled,
  load: Pick<Load, 'failures'>,
  now: Instant,
  listed: (trigger: Trigger, from: Instant) => readonly Instant[] = instantsFrom,
): PlannedSchedule | undefined {
  const { next, claimed, left } = of.plan
  const trigger = triggerIn(of.schedule, of.firn)
  if (next === undefined || trigger.is === 'none') return undefined
  const { exclusions, ...policies } = policiesOf(of.firn)
  return {
    next,
    ...(claimed === undefined ? {} : { claimed }),
    ...(left === undefined ? {} : { left }),
    failures: load.failures,
    slots: listOf(trigger, next, listed),
    policies,
    excluded: spansOf(exclusions, timezoneOf(of.firn), now),
  }
}

function listOf(
  trigger: Exclude<Trigger, { is: 'none' }>,
  next: Instant,
  listed: (trigger: Trigger, from: Instant) => readonly Instant[],
): SlotList {
  if (trigger.is === 'interval' || trigger.is === 'continuous') return trigger
  return { is: 'listed', at: trigger.is === 'once' ? [next] : listed(trigger, next) }
}

/** A slot and those that follow it, for as long as an agent may go on. */
export function instantsFrom(trigger: Trigger, from: Instant): Instant[] {
  const at: Instant[] = []
  for (let slot: Instant | undefined = from; slot !== undefined && slot <= from + autonomyMs;) {
    at.push(slot)
    slot = at.length < listMax ? slotAfter(trigger, slot) : undefined
  }
  return at
}

/** The days of the next week on which nothing starts. */
function spansOf(exclusions: Policies['exclusions'], zone: string, now: Instant): Span[] {
  return exclusions
    .map(({ first, last }) => ({
      from: utcOfLocal(first * dayMs, zone),
      to: utcOfLocal((last + 1) * dayMs, zone),
    }))
    .filter(({ from, to }) => to > now && from < now + autonomyMs + dayMs)
}

/** What an agent said of a job, and which of its runs are news. */
export interface Told extends Pick<Decided, 'generation' | 'upTo' | 'skips'> {
  /** Slots of all the runs, in order. */
  readonly runs: readonly Instant[]
  /** Slots of those that were not stored before. */
  readonly fresh: readonly Instant[]
}

/**
 * The plan after an agent has told what it did. Of the schedule that it went by all its slots are passed over, each as a run or
 * with a reason; one that was changed meanwhile only has its count of firings corrected. Telling the same again changes nothing.
 */
export function planAfterTold(of: Scheduled, told: Told, now: Instant): Plan {
  const { plan } = of
  const { next } = plan
  // What is yet to be claimed is counted then.
  const counted =
    plan.generation === told.generation ? told.fresh : told.fresh.filter((slot) => slot < (next ?? Infinity))
  const left = plan.left === undefined ? undefined : Math.max(0, plan.left - counted.length)
  const before = next === undefined ? told.fresh : told.fresh.filter((slot) => slot < next)
  // A continuous schedule's next slot may be later than those of the agent.
  const claimed = plan.generation === told.generation ? newestOf(plan.claimed, told.upTo) : plan.claimed
  const kept = {
    ...plan,
    ...(claimed === undefined ? {} : { claimed }),
    ...(left === undefined ? {} : { left }),
    ...skipsIn(withoutRuns(of, before)),
  }
  const passed = plan.generation === told.generation && next !== undefined && next <= told.upTo
  return ended(passed ? passedOver(of, kept, next, told, now) : kept)
}

function ended(plan: Plan): Plan {
  if (plan.left !== 0) return plan
  const { next: _, set: __, ...over } = plan
  return over
}

const skipsIn = (skips: readonly Skip[] | undefined): Pick<Plan, 'skips'> => (skips ? { skips } : {})

function passedOver(of: Scheduled, plan: Plan, next: Instant, told: Told, now: Instant): Plan {
  const trigger = triggerIn(of.schedule, of.firn)
  const { upTo } = told
  const skips = gaps(trigger, next, told).reduce(
    (all: readonly Skip[] | undefined, skip) => withSkip(all, skip, false),
    plan.skips,
  )
  const after = trigger.is === 'once' ? undefined : nextSlot(trigger, upTo, now, upTo)
  const { next: _, set, ...rest } = plan
  return {
    ...rest,
    claimed: instant(Math.max(upTo, plan.claimed ?? upTo)),
    ...(trigger.is === 'once' && set !== undefined ? { set } : {}),
    ...(after === undefined ? {} : { next: after }),
    ...skipsIn(skips),
  }
}

/** The slots that became no run, with what the agent says of them; of others it had no say, for no server was there. */
function gaps(trigger: Trigger, next: Instant, { runs, upTo, skips }: Told): Skip[] {
  // Slots of a continuous schedule come into being as they are claimed.
  if (trigger.is === 'continuous') return [...skips]
  const found: Skip[] = []
  let from: Instant | undefined = next
  for (const run of [...runs.filter((slot) => slot >= next), later(upTo, 1)]) {
    if (from !== undefined && from < run && from <= upTo)
      found.push(...explained(trigger, from, latestDue(trigger, from, later(run, -1)), skips))
    from = run > upTo ? undefined : slotAfter(trigger, run)
  }
  return found
}

function explained(trigger: Trigger, first: Instant, last: Instant, skips: readonly Skip[]): Skip[] {
  const found: Skip[] = []
  let from: Instant | undefined = first
  for (const skip of skips) {
    if (from === undefined || skip.to < from || skip.from > last) continue
    if (skip.from > from)
      found.push(skipOf(trigger, from, latestDue(trigger, from, later(skip.from, -1)), 'missed'))
    found.push(skip)
    from = slotAfter(trigger, skip.to)
  }
  if (from !== undefined && from <= last) found.push(skipOf(trigger, from, last, 'missed'))
  return found
}

/** A run wins over what was said of its slot: the entry is parted there. */
function withoutRuns(of: Scheduled, slots: readonly Instant[]): readonly Skip[] | undefined {
  let { skips } = of.plan
  for (const slot of slots) skips = skips?.flatMap((skip) => parted(of, skip, slot))
  return skips
}

function parted(of: Scheduled, skip: Skip, slot: Instant): Skip[] {
  const { from, to, count, reason } = skip
  if (slot < from || slot > to) return [skip]
  if (from === to) return []
  const trigger = triggerIn(of.schedule, of.firn)
  const before = slot > from ? latestDue(trigger, from, later(slot, -1)) : undefined
  const after = slot < to ? slotAfter(trigger, slot) : undefined
  // Of another schedule than the present one only the number is known to be less.
  if ((before ?? from) < from || (after ?? to) > to) return [{ ...skip, count: Math.max(1, count - 1) }]
  return [
    ...(before === undefined ? [] : [skipOf(trigger, from, before, reason)]),
    ...(after === undefined ? [] : [skipOf(trigger, after, to, reason)]),
  ]
}
