import { instant, later, type Instant } from '../../core/clock.ts'
import { badField } from '../../core/fault.ts'
import type { Plan } from '../../core/job.ts'
import type { SkipReason } from '../../core/skip.ts'
import { claimDue, type Claim, type Scheduled } from './claim.ts'
import { foldOf, wallText } from './dates.ts'
import { timezoneOf } from './extensions.ts'
import { triggerIn } from './schedule.ts'
import { latestDue, skipOf, slotAfter } from './slots.ts'

/** What is expected of a slot. */
export interface ExpectedSlot {
  readonly slot: Instant
  /** The slot on the wall clock of the schedule's zone, with its offset. */
  readonly local: string
  /** When it would start, by jitter and by what it waits for; absent where it would not. */
  readonly startsAt?: Instant
  /** Why it would not start. */
  readonly reason?: SkipReason
  /** The run before it is expected to be open still. */
  readonly overlaps: boolean
  /** What daylight saving does to it. */
  readonly dst?: 'forward' | 'first' | 'second'
}

export interface Span {
  readonly from: Instant
  /** Exclusive. */
  readonly to: Instant
  /** At most so many. */
  readonly limit: number
  /** How long a run is expected to take. Milliseconds. */
  readonly runMs: number
  /** Of a session: nothing starts before the one, nor within the other after a start. Milliseconds. */
  readonly holdOff?: { readonly until?: Instant; readonly ms: number }
}

/**
 * What would become of the slots between two instants, if servers were always there and each run took as long as expected:
 * decided by `claimDue`, as it will be when they come. Throws Fault('bad_request') where that cannot be told.
 */
export function previewOf(of: Scheduled, span: Span): { slots: ExpectedSlot[]; more: boolean } {
  const found: ExpectedSlot[] = []
  const zone = timezoneOf(of.firn)
  let plan = planAt(of, span.from)
  let now = plan.next
  let busyUntil = -Infinity
  let heldOffUntil = span.holdOff?.until
  // A slot takes few looks; more would be an error here, which must not turn round for ever.
  for (let looks = 0; looks < span.limit * 10 + 10 && now !== undefined; looks++) {
    if (plan.next === undefined || plan.next >= span.to || found.length > span.limit) break
    const isOpen = now < busyUntil
    const held = heldOffUntil === undefined ? {} : { heldOffUntil }
    const claim = claimDue({ ...of, plan }, { open: isOpen ? 1 : 0, failures: 0, ...held }, now)
    if (claim.do === 'wait') now = wakeOf(claim, isOpen ? busyUntil : undefined)
    else if (claim.do === 'cancel') busyUntil = now
    else {
      const overlaps = plan.next < busyUntil
      found.push(...expectedOf(claim, now, zone).map((slot) => ({ ...slot, overlaps })))
      if (claim.do === 'start') {
        busyUntil = now + span.runMs
        if (span.holdOff) heldOffUntil = later(now, span.holdOff.ms)
      }
      const { skips: _, ...bare } = claim.plan
      plan = bare
    }
    if (now !== undefined && plan.next !== undefined && plan.next > now) now = plan.next
  }
  const inside = found.filter(({ slot }) => slot < span.to)
  return { slots: inside.slice(0, span.limit), more: inside.length > span.limit }
}

/** When something happens next: the slot's own time, or the end of the run. */
function wakeOf({ until }: Extract<Claim, { do: 'wait' }>, end: number | undefined): Instant | undefined {
  if (until === undefined && end === undefined) return undefined
  return instant(Math.min(until ?? Infinity, end ?? Infinity))
}

/** The slot that was decided on, and one that it has passed over. */
function expectedOf(
  claim: Extract<Claim, { plan: Plan }>,
  now: Instant,
  zone: string,
): Omit<ExpectedSlot, 'overlaps'>[] {
  const { slot } = claim
  const skips = claim.plan.skips ?? []
  const over = skips.filter(({ from }) => from < slot)
  const own = claim.do === 'start' ? undefined : skips.at(-1)?.reason
  return [
    ...over.map(({ from, reason }) => ({ ...timesOf(from, zone), reason })),
    ...(claim.do === 'start' || over.length === 0
      ? [{ ...timesOf(slot, zone), ...(own === undefined ? { startsAt: now } : { reason: own }) }]
      : []),
  ]
}

function timesOf(slot: Instant, zone: string): Pick<ExpectedSlot, 'slot' | 'local' | 'dst'> {
  const dst = foldOf(slot, zone)
  return { slot, local: wallText(slot, zone), ...(dst === undefined ? {} : { dst }) }
}

/** The plan as it will be then, when all slots before have started. */
function planAt({ schedule, firn, plan }: Scheduled, from: Instant): Plan {
  const { skips: _, ...bare } = plan
  if (bare.next === undefined || bare.next >= from) return bare
  const trigger = triggerIn(schedule, firn)
  if (trigger.is === 'continuous') return { ...bare, next: from }
  const last = latestDue(trigger, bare.next, later(from, -1))
  const { next: first, ...over } = bare
  const next = trigger.is === 'none' ? undefined : slotAfter(trigger, last)
  const ahead = { ...over, claimed: last, ...(next === undefined ? {} : { next }) }
  if (bare.left === undefined) return ahead
  const { count, more } = skipOf(trigger, first, last, 'count_over')
  if (more) throw badField('from', `is more than ${count} slots ahead of a schedule that counts them`)
  const left = bare.left - count
  return left > 0 ? { ...ahead, left } : { generation: bare.generation, left: 0 }
}
