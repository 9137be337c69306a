import type { Instant } from '../../core/clock.ts'
import type { Skip, SkipReason } from '../../core/skip.ts'
import * as core from '../../core/slots.ts'
import { latestTick, nextTick } from './calendar.ts'
import type { Trigger } from './trigger.ts'

/** A trigger in instants: its cron pattern is asked where it is needed. */
export function ruleOf(trigger: Trigger): core.SlotRule {
  if (trigger.is !== 'cron') return trigger
  const ticks: core.Ticks = {
    next: (after) => nextTick(trigger, after),
    latest: (known, now) => latestTick(trigger, known, now),
  }
  return { is: 'ticks', ticks }
}

/** The newest slot that is due, from the oldest one on. */
export const latestDue = (trigger: Trigger, oldest: Instant, now: Instant): Instant =>
  core.latestDue(ruleOf(trigger), oldest, now)

/** The first slot after `after` that was not claimed. */
export const nextSlot = (
  trigger: Trigger,
  after: Instant,
  now: Instant,
  claimed: Instant | undefined,
): Instant | undefined => core.nextSlot(ruleOf(trigger), after, now, claimed)

/** The slot that comes right after another one. */
export const slotAfter = (trigger: Trigger, slot: Instant): Instant | undefined =>
  core.slotAfter(ruleOf(trigger), slot)

/** The slots from one to another, both of which are slots, as an entry of the history. */
export const skipOf = (trigger: Trigger, from: Instant, to: Instant, reason: SkipReason): Skip =>
  core.skipOf(ruleOf(trigger), from, to, reason)
