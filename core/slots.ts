import { instant, later, type Instant } from './clock.ts'
import type { Skip, SkipReason } from './skip.ts'

/** Instants that something else knows. */
export interface Ticks {
  /** The first one after `after`. */
  next(after: Instant): Instant | undefined
  /** The last one that is not after `now`; `known`, a tick not after `now`, when there is no later one. */
  latest(known: Instant, now: Instant): Instant
}

/** When a schedule is due, in instants: what a server makes of a rule, and what an agent is told. */
export type SlotRule =
  | { readonly is: 'none' }
  | { readonly is: 'once'; readonly at: Instant }
  /** Every so often since `from`; without it, since the schedule was made. */
  | { readonly is: 'interval'; readonly everyMs: number; readonly from?: Instant; readonly until?: Instant }
  /** As soon as the last run has ended. */
  | { readonly is: 'continuous'; readonly from?: Instant; readonly until?: Instant }
  | { readonly is: 'ticks'; readonly ticks: Ticks }

/** As soon as the last run has ended, but not oftener than once a second, as Freezer's own scheduler does. Milliseconds. */
const continuousMs = 1_000

/**
 * Ticks are counted one by one, at up to 0.3 ms each, until here: an outage may have passed over millions of
 * each of thousands of schedules.
 */
const countedMax = 100

/** The newest slot that is due, from the oldest one on. */
export function latestDue(rule: SlotRule, oldest: Instant, now: Instant): Instant {
  switch (rule.is) {
    case 'interval': {
      const end = Math.max(oldest, Math.min(now, rule.until ?? now))
      return later(oldest, Math.floor((end - oldest) / rule.everyMs) * rule.everyMs)
    }
    case 'ticks':
      return rule.ticks.latest(oldest, now)
    case 'continuous':
      return rule.until !== undefined && now > rule.until ? oldest : now
    case 'none':
    case 'once':
      return oldest
  }
}

/** The first slot after `after` that was not claimed. */
export function nextSlot(
  rule: SlotRule,
  after: Instant,
  now: Instant,
  claimed: Instant | undefined,
): Instant | undefined {
  const from = claimed !== undefined && claimed > after ? claimed : after
  switch (rule.is) {
    case 'none':
      return undefined
    case 'once':
      return rule.at > from ? rule.at : undefined
    case 'continuous':
      return within(rule, continuousFrom(rule, now, claimed))
    case 'interval': {
      const first = rule.from ?? claimed ?? later(now, rule.everyMs)
      const steps = from < first ? 0 : Math.floor((from - first) / rule.everyMs) + 1
      return within(rule, later(first, steps * rule.everyMs))
    }
    case 'ticks':
      return rule.ticks.next(from)
  }
}

/** The slot that comes right after another one. */
export const slotAfter = (rule: SlotRule, slot: Instant): Instant | undefined =>
  rule.is === 'once' ? undefined : nextSlot(rule, slot, slot, slot)

const continuousFrom = (rule: { from?: Instant }, now: Instant, claimed: Instant | undefined): Instant =>
  instant(Math.max(now, rule.from ?? now, claimed === undefined ? now : claimed + continuousMs))

const within = (rule: { readonly until?: Instant }, slot: Instant): Instant | undefined =>
  rule.until !== undefined && slot > rule.until ? undefined : slot

/** The slots from one to another, both of which are slots, as an entry of the history. */
export function skipOf(rule: SlotRule, from: Instant, to: Instant, reason: SkipReason): Skip {
  if (rule.is === 'interval') return { from, to, count: Math.floor((to - from) / rule.everyMs) + 1, reason }
  let count = 1
  let slot: Instant | undefined = from
  while (slot !== undefined && slot < to && count < countedMax) {
    slot = slotAfter(rule, slot)
    count++
  }
  return { from, to, count, ...(slot !== undefined && slot < to ? { more: true as const } : {}), reason }
}

/**
 * When a slot's start is due: after a part of `jitterMs` that is the same whenever and wherever it is asked for, and below
 * the next slot.
 */
export function startOfSlot(rule: SlotRule, id: string, jitterMs: number, slot: Instant): Instant {
  if (jitterMs === 0 || rule.is === 'continuous') return slot
  const next = slotAfter(rule, slot)
  const span = next === undefined ? jitterMs : Math.min(jitterMs, next - slot)
  return later(slot, Math.floor(fractionOf(`${id} ${slot}`) * span))
}

/** A number from 0 up to 1, spread evenly: FNV-1a, and a last round that mixes its low bits into the high ones. */
function fractionOf(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++)
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b) >>> 0
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35) >>> 0
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32
}
