import type { Instant } from '../../core/clock.ts'
import type { Order } from '../../core/link.ts'
import type { Reason, Report, StepReport } from '../../core/run.ts'
import { nextStep, type Next } from '../../core/steps.ts'
import type { KeptOrder } from '../ports/journal.ts'
import type { HeldAttempt } from './journal-state.ts'

export const interrupted: Reason = { code: 'interrupted', text: 'the agent stopped under it' }

/** How often the steps of a run were tried and how they ended, this attempt included. */
export function standing(
  order: Pick<Order, 'before' | 'tasks'> | Pick<KeptOrder, 'before' | 'tasks'>,
  own: readonly StepReport[],
): Order['before'][number][] {
  return order.tasks.map((_, index) => {
    const before = order.before[index] ?? { tries: 0 }
    const done = own.find((report) => report.step === index)
    return done ? { tries: before.tries + 1, result: done.result } : before
  })
}

export const nextOf = (order: Pick<KeptOrder, 'before' | 'tasks'>, own: readonly StepReport[]): Next =>
  nextStep(order.tasks, standing(order, own))

/**
 * How an attempt ended of which an earlier process left no outcome. A step that may have been begun is lost: whoever cut it
 * off cannot say how far it came. An attempt that never began uses up no try of anything.
 */
export function outcomeAfterCrash(held: HeldAttempt, at: Instant): Report {
  const { run, attempt, order, steps, begunAt } = held
  if (!order) throw new Error('an attempt without an order has its outcome')
  const report = (end: Report['end'], all: readonly StepReport[]): Report => ({
    ...{ run, attempt, client: order.client, steps: all, end, at },
  })
  const last = steps.at(-1)
  if (held.retry) return report('retry', steps)
  if (last?.result === 'aborted') return report('aborted', steps)
  if (last?.result === 'lost') return report('interrupted', steps)
  const next = nextOf(order, steps)
  if (next.do === 'end') return report('ended', steps)
  if (begunAt === undefined) return report('interrupted', steps)
  return report('interrupted', [...steps, lostStep(next.step, last?.endedAt ?? begunAt, at)])
}

export const lostStep = (step: number, startedAt: Instant, endedAt: Instant): StepReport => ({
  ...{ step, result: 'lost', reason: interrupted, itemErrors: [], itemErrorCount: 0, startedAt, endedAt },
})

/** The report of an attempt that was stopped before it began. */
export const unbegun = (
  order: Pick<Order, 'run' | 'attempt' | 'client'>,
  end: 'aborted' | 'interrupted',
  at: Instant,
): Report => ({ run: order.run, attempt: order.attempt, client: order.client, steps: [], end, at })
