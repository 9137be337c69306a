import { claimOf, type Claim, type Load, type Schedule } from '../../core/claim.ts'
import type { Instant } from '../../core/clock.ts'
import type { Job } from '../../core/job.ts'
import { utcOfLocal } from './dates.ts'
import { timezoneOf } from './extensions.ts'
import { excludedUntil, policiesOf } from './policies.ts'
import { stopped, triggerIn } from './schedule.ts'
import { ruleOf } from './slots.ts'

export { notStarted, type Claim, type Load } from '../../core/claim.ts'

/** A schedule and where it stands: a job's, or a session's. */
export type Scheduled = Pick<Job, 'schedule' | 'firn' | 'plan'> & { readonly id: string }

/** The same in instants. Throws Fault('bad_request') for a schedule that this version cannot read. */
export function scheduleOf({ id, schedule, firn, plan }: Scheduled): Schedule {
  const policies = policiesOf(firn)
  const zone = timezoneOf(firn)
  return {
    ...{ id, plan, policies },
    rule: ruleOf(triggerIn(schedule, firn)),
    excludedUntil: (slot) => {
      const day = excludedUntil(policies, slot, zone)
      return day === undefined ? undefined : utcOfLocal((day + 1) * 86_400_000, zone)
    },
  }
}

/**
 * What is due of a schedule, as `claimOf` has it; of one that fails too often, the plan that stops it. Throws
 * Fault('bad_request') for a schedule that this version cannot read.
 */
export function claimDue(of: Scheduled, load: Load, now: Instant): Claim {
  // Most looks are early ones: they need not read the schedule.
  if (of.plan.next === undefined || of.plan.next > now) return { do: 'wait', until: of.plan.next }
  const claim = claimOf(scheduleOf(of), load, now)
  return claim.do === 'pause' ? { ...claim, plan: stopped(claim.plan, claim.plan) } : claim
}
