import { autonomyMs, autonomyProtocol, plansMax, type JobPlan } from '../../core/autonomy.ts'
import type { Claim } from '../../core/claim.ts'
import { instant, later, type Clock, type Instant } from '../../core/clock.ts'
import { runIdOf, slotAt, type ClientId, type JobId, type ProjectId, type RunId } from '../../core/ids.ts'
import type { Hello, Order, ToAgent, ToServer } from '../../core/link.ts'
import { pauseMs } from '../../core/run-machine.ts'
import type { Reason, Report } from '../../core/run.ts'
import type { Recorder } from '../ports/events.ts'
import type { Autonomy as Wish } from '../ports/policy.ts'
import type { Book } from './book.ts'
import { standing } from './endings.ts'
import { OwnJob } from './own-job.ts'
import { Telling } from './telling.ts'
import { UntoldRuns } from './untold.ts'

/** What became of an order that the agent gave itself. `late`: a line has opened meanwhile. */
export type Taken = 'taken' | 'repeated' | 'refused' | 'late'

export interface AutonomyParts {
  readonly project: ProjectId
  readonly client: ClientId
  readonly book: Book
  readonly clock: Clock
  readonly record: Recorder
  readonly autonomy: Wish
  say(message: Extract<ToServer, { type: 'planned' | 'decided' | 'settled' }>): void
  /** Takes an order by the rules for any other, while `isWanted`. */
  take(order: Order, isWanted: () => boolean): Promise<Taken>
  /** Asks whatever of a job is open to stop. */
  cancel(job: JobId, why: Reason): void
  /** The servers know the run: its reports may go out. */
  release(run: RunId): void
}

/** Between two looks at most: clocks of nodes stand still while they sleep. Milliseconds. */
const lookMs = 30_000
/** One look at a job decides on at most this many slots before others have their turn. */
const stepsMax = 16
/** Runs that no server knows of; more are not started. */
const untoldMax = 5_000
/** Servers that have been told all speak of each job that is to go on, within this time. Milliseconds. */
const spokenOfMs = 15_000
/** A hello may be this old when its answer comes. Milliseconds. */
const greetingMs = 15_000
/** Its own orders are never late. Milliseconds. */
const answerMs = 3_600_000

const madeWay: Reason = {
  code: 'overlap',
  text: 'the next slot was due, and its schedule cancels what overlaps',
}

type Message = Extract<ToAgent, { readonly type: 'plan' | 'unplan' | 'noted' }>

/**
 * Goes on with its own jobs' slots when every server is lost: from the plans that servers have sent, in memory only. Stops as
 * soon as a line is open, and tells there what it did; until that is noted, the reports of those runs wait.
 */
export class Autonomy {
  readonly #parts: AutonomyParts
  readonly #jobs = new Map<JobId, OwnJob>()
  readonly #untold: UntoldRuns
  readonly #telling: Telling
  /** The newest word on this line about each job. */
  readonly #sequences = new Map<JobId, number>()
  /** Attempts that are due again, by this process's monotonic clock. */
  readonly #retries = new Map<RunId, { readonly order: Order; readonly at: number }>()
  /** A server's clock when it was last heard. */
  #server: { readonly now: Instant; readonly at: number } | undefined
  #lostAt: number | undefined
  #isStopped = false
  /** The last hello said that there is something to tell. */
  #saysDecided = false
  /** Aborts when a line opens, or is lost. */
  #phase = new AbortController()
  #under: Promise<void> = Promise.resolve()
  #wake = new AbortController()

  constructor(parts: AutonomyParts) {
    this.#parts = parts
    this.#untold = new UntoldRuns(parts.book.state)
    this.#telling = new Telling(parts.clock, (message) => parts.say(message))
  }

  hello(): Pick<Hello, 'autonomous' | 'decided'> {
    const { clock, autonomy } = this.#parts
    const aloneAt = (this.#lostAt ?? Infinity) + autonomy.graceMs - greetingMs
    const mayDecide = this.#jobs.size > 0 && clock.monotonic() >= aloneAt
    this.#saysDecided = mayDecide || this.#untold.size > 0
    return {
      ...(autonomy.enabled && !this.#isStopped ? { autonomous: true as const } : {}),
      ...(this.#saysDecided ? { decided: true as const } : {}),
    }
  }

  /** A line is open: from now on the servers decide. */
  welcomed(protocol: number): void {
    this.#change()
    this.#lostAt = undefined
    this.#sequences.clear()
    this.#retries.clear()
    void this.#settleIn(protocol, this.#phase.signal)
  }

  lost(): void {
    const { clock, autonomy, record } = this.#parts
    this.#change()
    this.#lostAt = clock.monotonic()
    if (!autonomy.enabled || this.#isStopped) return
    const { signal } = this.#phase
    const before = this.#under
    this.#under = before
      .then(() => this.#goOn(signal))
      .catch((err: unknown) => {
        if (!signal.aborted) record('bug', { err, where: 'autonomy' })
      })
  }

  received(message: Message): void {
    if (message.type === 'noted') return this.#telling.noted(message.sequence)
    const { sequence, job } = message.type === 'plan' ? message.plan : message
    if (sequence > (this.#sequences.get(job) ?? 0)) {
      this.#sequences.set(job, sequence)
      if (message.type === 'plan') this.#plan(message.plan)
      else this.#forget(job)
    }
    this.#parts.say({ type: 'planned', sequence, job })
  }

  /** Whether the servers know of a run, so that its reports have somewhere to go. */
  isTold(run: RunId): boolean {
    return !this.#untold.has(run)
  }

  /** An attempt is over. */
  ended(order: Order, report: Report): void {
    const { own, run, attempt } = order
    const last = report.steps.at(-1)
    if (own && report.end === 'retry' && last && this.#lostAt !== undefined) {
      const before = standing(order, report.steps).map(({ tries, result }, index) =>
        index === last.step || result === undefined ? { tries } : { tries, result },
      )
      const at =
        this.#parts.clock.monotonic() +
        pauseMs(order.tasks[last.step]?.retryAfterMs ?? 0, before[last.step]?.tries ?? 0)
      this.#retries.set(run, { order: { ...order, attempt: attempt + 1, before }, at })
    } else if (report.end !== 'retry') this.#jobs.get(order.job)?.ended(report)
    this.#wake.abort()
  }

  /** The agent stops: nothing more is started. */
  stop(): void {
    this.#isStopped = true
    this.#retries.clear()
    this.#change()
  }

  #change(): void {
    this.#phase.abort()
    this.#phase = new AbortController()
  }

  #plan(plan: JobPlan): void {
    const { autonomy, clock, record } = this.#parts
    this.#server = { now: plan.now, at: clock.monotonic() }
    if (!autonomy.enabled || (this.#jobs.size >= plansMax && !this.#jobs.has(plan.job))) return
    const untold = this.#untold.of(plan.job).map(({ slot }) => slot)
    this.#jobs.set(plan.job, new OwnJob(plan, untold))
    record('plan.taken', { job: plan.job, generation: plan.generation })
  }

  #forget(job: JobId): void {
    if (this.#jobs.delete(job)) this.#parts.record('plan.dropped', { job })
  }

  /** The servers' clock, as far as it is known: by what it was when it was last heard, it is never ahead. */
  #now(): Instant {
    const { now, at } = this.#server ?? { now: instant(0), at: 0 }
    return later(now, this.#parts.clock.monotonic() - at)
  }

  async #goOn(signal: AbortSignal): Promise<void> {
    const { clock, autonomy, record } = this.#parts
    await clock.sleep(autonomy.graceMs, signal)
    if (this.#jobs.size === 0) return
    const until = clock.monotonic() - autonomy.graceMs + autonomyMs
    record('autonomy.began', { jobs: this.#jobs.size })
    for (const job of this.#jobs.values()) job.begin(this.#now())
    while (!signal.aborted && clock.monotonic() < until) {
      this.#wake = new AbortController()
      let waitMs = Math.min(lookMs, until - clock.monotonic())
      for (const job of this.#jobs.values()) waitMs = Math.min(waitMs, await this.#look(job, signal))
      waitMs = Math.min(waitMs, await this.#retry(signal))
      if (signal.aborted) return
      if (!this.#wake.signal.aborted)
        await clock
          .sleep(Math.max(waitMs, 0), AbortSignal.any([signal, this.#wake.signal]))
          .catch(() => undefined)
    }
    if (signal.aborted) return
    this.#jobs.clear()
    record('autonomy.ended', { untold: this.#untold.size })
  }

  /** Decides on what is due of a job. Resolves with how long nothing more is. */
  async #look(job: OwnJob, signal: AbortSignal): Promise<number> {
    for (let step = 0; step < stepsMax; step++) {
      if (signal.aborted || this.#untold.size >= untoldMax) return Infinity
      const now = this.#now()
      const claim = job.claim(this.#openOf(job.told.job), now)
      if (claim.do === 'cancel') this.#parts.cancel(job.told.job, madeWay)
      if (claim.do === 'cancel' || claim.do === 'wait') return (claim.until ?? Infinity) - now
      if (claim.do !== 'start') this.#skipped(job, claim)
      else if (!(await this.#start(job, claim, signal))) return Infinity
    }
    return 0
  }

  #skipped(job: OwnJob, claim: Exclude<Claim, { do: 'wait' | 'cancel' | 'start' }>): void {
    job.done(claim)
    const reason = claim.plan.skips?.at(-1)?.reason ?? 'missed'
    this.#parts.record('slot.skipped', { job: job.told.job, slot: claim.slot, reason })
  }

  /** `false`: it is not the agent's to decide any more. */
  async #start(job: OwnJob, claim: Extract<Claim, { do: 'start' }>, signal: AbortSignal): Promise<boolean> {
    const { record } = this.#parts
    const order = this.#orderOf(job.told, claim.slot)
    // Before it is taken: it may be over by the time that is known, and its report must not go out ahead of the word of it.
    this.#untold.add(order)
    record('slot.due', { job: order.job, slot: claim.slot, run: order.run })
    const taken = await this.#parts.take(order, () => !signal.aborted)
    if (taken !== 'taken') this.#untold.told(order.run)
    if (taken === 'late') return false
    if (taken === 'refused') job.refused(claim)
    else job.done(claim)
    if (taken !== 'taken') record('slot.skipped', { job: order.job, slot: claim.slot, reason: taken })
    return true
  }

  #orderOf(plan: JobPlan, at: Instant): Order {
    const { project, client, book, clock } = this.#parts
    const { job, generation, ticket, tasks, repositories, runMs } = plan
    const slot = slotAt(at)
    return {
      ...{ run: runIdOf(project, job, client, slot), project, job, client, slot, attempt: 1 },
      ...{ epoch: book.state.epoch, tasks, before: tasks.map(() => ({ tries: 0 })), repositories },
      ...{ hold: false, answerBy: later(clock.now(), answerMs), runMs },
      own: { generation, ticket, at: this.#now() },
    }
  }

  /** Begins the attempts that are due again. Resolves with how long no more are. */
  async #retry(signal: AbortSignal): Promise<number> {
    const { clock } = this.#parts
    let waitMs = Infinity
    for (const [run, { order, at }] of this.#retries) {
      const left = at - clock.monotonic()
      if (left > 0) waitMs = Math.min(waitMs, left)
      else if (!signal.aborted) {
        this.#retries.delete(run)
        await this.#parts.take(order, () => !signal.aborted)
      }
    }
    return waitMs
  }

  /** Slots of a job of which runs are open on this node, or are to be tried again. */
  #openOf(job: JobId): number {
    const open = new Set<RunId>()
    for (const held of this.#parts.book.state.attempts.values())
      if (held.job === job && !held.outcome) open.add(held.run)
    for (const { order } of this.#retries.values()) if (order.job === job) open.add(order.run)
    return open.size
  }

  /** Tells what there is to tell; what the servers do not speak of then has been stopped or deleted meanwhile. */
  async #settleIn(protocol: number, signal: AbortSignal): Promise<void> {
    if (protocol >= autonomyProtocol) await this.#tellAll(signal)
    await this.#parts.clock.sleep(spokenOfMs, signal).catch(() => undefined)
    if (signal.aborted) return
    for (const job of this.#jobs.keys()) if (!this.#sequences.has(job)) this.#forget(job)
  }

  async #tellAll(signal: AbortSignal): Promise<void> {
    await this.#under
    try {
      const pages = this.#untold.pages(this.#jobs)
      if (pages.length === 0 && !this.#saysDecided) return
      for (const page of pages) {
        await this.#telling.tell(page, signal)
        this.#jobs.get(page.job)?.noted(page.upTo)
        for (const { run } of page.runs) {
          this.#untold.told(run)
          this.#parts.release(run)
        }
      }
      await this.#telling.tell(undefined, signal)
    } catch (err) {
      if (!signal.aborted) this.#parts.record('bug', { err, where: 'telling' })
    }
  }
}
