// When schedules of the campaign are due, by arithmetic and by croner alone: nothing of the product computes it.
import { Cron } from 'croner'

/** What a schedule was asked to be. Instants in milliseconds of Unix time. */
export type Rule =
  | { readonly is: 'grid'; readonly from: number; readonly everyMs: number }
  /** Six fields, seconds first, or five, in UTC. */
  | { readonly is: 'cron'; readonly pattern: string; readonly from?: number }
  | { readonly is: 'once'; readonly at: number }
  /** As soon as the last run has ended: whatever instant. */
  | { readonly is: 'continuous' }

/** The slots of a rule in [from, to), oldest first; none of a continuous one, which names none before it is due. */
export function slotsOf(rule: Rule, from: number, to: number): number[] {
  switch (rule.is) {
    case 'continuous':
      return []
    case 'once':
      return from <= rule.at && rule.at < to ? [rule.at] : []
    case 'grid': {
      const first = Math.max(0, Math.ceil((from - rule.from) / rule.everyMs))
      const slots: number[] = []
      for (let at = rule.from + first * rule.everyMs; at < to; at += rule.everyMs) slots.push(at)
      return slots
    }
    case 'cron': {
      const cron = new Cron(rule.pattern, { timezone: 'UTC', paused: true })
      const slots: number[] = []
      const begin = Math.max(from, rule.from ?? from)
      // The next one after the second before, so that `from` itself may be one.
      for (let at = cron.nextRun(new Date(begin - 1)); at && at.getTime() < to; at = cron.nextRun(at))
        slots.push(at.getTime())
      return slots
    }
  }
}

/** Whether a rule has a slot at an instant. */
export const hasSlot = (rule: Rule, at: number): boolean =>
  rule.is === 'continuous' || slotsOf(rule, at, at + 1).includes(at)
