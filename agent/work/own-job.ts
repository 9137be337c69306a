import { excludedIn, newestOf, ruleOfList, type JobPlan } from '../../core/autonomy.ts'
import { claimOf, notStarted, type Claim, type Schedule } from '../../core/claim.ts'
import { instant, later, type Instant } from '../../core/clock.ts'
import type { Plan } from '../../core/job.ts'
import type { Report } from '../../core/run.ts'
import type { Skip } from '../../core/skip.ts'
import { latestDue, nextSlot, skipOf } from '../../core/slots.ts'

/** A job as its agent was told to go on with it, and where the agent stands in that. */
export class OwnJob {
  readonly told: JobPlan
  readonly #schedule: Omit<Schedule, 'plan'>
  #plan: Plan
  #failures: number
  /** It has decided on slots that no server has noted. */
  #isAhead = false

  /** `untold`: slots of runs that it has started and that no server can have counted. */
  constructor(told: JobPlan, untold: readonly Instant[]) {
    const { schedule, job: id, generation } = told
    const { next, claimed, left, slots, policies, excluded } = schedule
    this.told = told
    this.#schedule = {
      id,
      policies,
      rule: ruleOfList(slots),
      excludedUntil: (at) => excludedIn(excluded, at),
    }
    this.#failures = schedule.failures
    this.#plan = {
      ...{ generation, next },
      ...(claimed === undefined ? {} : { claimed }),
      ...(left === undefined ? {} : { left: left - untold.length }),
    }
    const ahead = newestOf(...untold)
    if (ahead !== undefined) this.#passTo(ahead)
    this.#endWithCount()
  }

  /** The newest slot that it has decided on, when no server has noted that. */
  get aheadTo(): Instant | undefined {
    return this.#isAhead ? this.#plan.claimed : undefined
  }

  get skips(): readonly Skip[] {
    return this.#plan.skips ?? []
  }

  /**
   * From here on it is the agent that decides. What falls due up to `since` is left to the servers, who may have started it
   * without a word coming through: so it counts as started, and the count is never exceeded.
   */
  begin(since: Instant): void {
    const { next, left } = this.#plan
    if (next === undefined || next > since) return
    const { rule } = this.#schedule
    if (left !== undefined) {
      const { count, more } = skipOf(rule, next, latestDue(rule, next, since), 'missed')
      // As often as it could have been, where a slot is the end of the run before.
      const most = rule.is === 'continuous' || more ? left : count
      this.#plan = { ...this.#plan, left: left - most }
    }
    this.#passTo(since)
    this.#endWithCount()
  }

  /** What is due now. `open`: slots of which runs are open here. */
  claim(open: number, now: Instant): Claim {
    return claimOf({ ...this.#schedule, plan: this.#plan }, { open, failures: this.#failures }, now)
  }

  /** It was done as claimed. A schedule that fails too often ends here. */
  done(claim: Extract<Claim, { readonly plan: Plan }>): void {
    const { next, ...over } = claim.plan
    this.#plan = next === undefined || claim.do === 'pause' ? over : claim.plan
    this.#isAhead = true
  }

  /** The node itself has refused to start it. */
  refused(claim: Extract<Claim, { readonly do: 'start' }>): void {
    this.#plan = notStarted(this.#plan, claim.passed, claim.slot, 'refused')
    this.#isAhead = true
  }

  /** A run of it has ended, for good. */
  ended(report: Report): void {
    const failed = report.steps.some(({ result }) => result === 'failed' || result === 'lost')
    this.#failures = failed ? this.#failures + 1 : 0
  }

  /** Servers have noted what it decided, up to a slot. */
  noted(upTo: Instant): void {
    const { skips, ...rest } = this.#plan
    const left = (skips ?? []).filter(({ to }) => to > upTo)
    this.#plan = left.length > 0 ? { ...rest, skips: left } : rest
    if ((this.#plan.claimed ?? upTo) <= upTo) this.#isAhead = false
  }

  /** Goes on after a slot, or an instant. */
  #passTo(at: Instant): void {
    const { next: first, ...rest } = this.#plan
    if (first === undefined) return
    const next = first > at ? first : nextSlot(this.#schedule.rule, at, later(at, 1), first)
    this.#plan = { ...rest, ...(next === undefined ? {} : { next: instant(next) }) }
  }

  #endWithCount(): void {
    if (this.#plan.left === undefined || this.#plan.left > 0) return
    const { next: _, ...over } = this.#plan
    this.#plan = { ...over, left: 0 }
  }
}
