import { instant, later, type Instant } from '../../core/clock.ts'
import type { Skip, SkipReason } from '../../core/skip.ts'
import { latestTick, nextTick } from './calendar.ts'
import type { Trigger } from './trigger.ts'

/** As soon as the last run has ended, but not oftener than once a second, as Freezer's own scheduler does. Milliseconds. */
const continuousMs = 1_000

/**
 * Slots of a cron pattern are counted one by one, at up to 0.3 ms each, until here: an outage may have passed over millions of
 * each of thousands of schedules.
 */
const countedMax = 100

/** The newest slot that is due, from the oldest one on. */
export function latestDue(trigger: Trigger, oldest: Instant, now: Instant): Instant {
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
export function nextSlot(
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

/** The slot that comes right after another one. */
export const slotAfter = (trigger: Trigger, slot: Instant): Instant | undefined =>
  trigger.is === 'once' ? undefined : nextSlot(trigger, slot, slot, slot)

const continuousFrom = (trigger: { from?: Instant }, now: Instant, claimed: Instant | undefined): Instant =>
  instant(Math.max(now, trigger.from ?? now, claimed === undefined ? now : claimed + continuousMs))

const within = (trigger: { readonly until?: Instant }, slot: Instant): Instant | undefined =>
  trigger.until !== undefined && slot > trigger.until ? undefined : slot

/** The slots from one to another, both of which are slots, as an entry of the history. */
export function skipOf(trigger: Trigger, from: Instant, to: Instant, reason: SkipReason): Skip {
  if (trigger.is === 'interval')
    return { from, to, count: Math.floor((to - from) / trigger.everyMs) + 1, reason }
  let count = 1
  let slot: Instant | undefined = from
  while (slot !== undefined && slot < to && count < countedMax) {
    slot = slotAfter(trigger, slot)
    count++
  }
  return { from, to, count, ...(slot !== undefined && slot < to ? { more: true as const } : {}), reason }
}

/**
 * When a slot's start is due: after a part of `jitterMs` that is the same whenever and wherever it is asked for, and below
 * the next slot.
 */
export function startOfSlot(trigger: Trigger, id: string, jitterMs: number, slot: Instant): Instant {
  if (jitterMs === 0 || trigger.is === 'continuous') return slot
  const next = slotAfter(trigger, slot)
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
