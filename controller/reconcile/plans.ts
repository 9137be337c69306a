import { autonomyProtocol, plansMax, type JobPlan } from '../../core/autonomy.ts'
import { later, type Instant } from '../../core/clock.ts'
import { isFault } from '../../core/fault.ts'
import { slotAt, type ClientId, type JobId, type ProjectId } from '../../core/ids.ts'
import type { Job } from '../../core/job.ts'
import { isEnrolled } from '../../core/select.ts'
import { instantsFrom, isPlanned, plannedSchedule } from '../plan/autonomy.ts'
import type { Trigger } from '../plan/trigger.ts'
import type { AgentLine } from '../ports/lines.ts'
import { scoped } from '../state/indexes.ts'
import { ticketOf } from '../use-cases/tickets.ts'
import type { Context } from '../use-cases/context.ts'
import { newRun } from '../use-cases/new-run.ts'
import { accessOf } from '../use-cases/repositories.ts'
import { loadOfJob } from '../use-cases/schedule-load.ts'
import type { LineBook } from './line-book.ts'

/** A plan that was not acknowledged is sent again after this, then after twice as long, and so on. Milliseconds. */
const againMs = 10_000
/** One that has not changed for so long is sent all the same: it tells what the time is. Milliseconds. */
const dailyMs = 86_400_000
/** Lists of instants that are kept, for the next job with the same pattern. */
const listsMax = 500

interface Sent {
  readonly sequence: number
  readonly at: Instant
  /** All that it says but its time; empty: that there is none. */
  readonly text: string
  /** How often it was sent before. */
  readonly tries: number
  acknowledged: boolean
}

export interface PlansOptions {
  readonly context: Context
  readonly lines: LineBook
  readonly wake: (project: ProjectId, client: ClientId, job: JobId) => void
}

/** Keeps agents told of how to go on with their jobs, should they lose every server. */
export class Plans {
  readonly #options: PlansOptions
  readonly #sent = new WeakMap<AgentLine, Map<JobId, Sent>>()
  readonly #lists = new Map<string, readonly Instant[]>()
  #sequence = 0

  constructor(options: PlansOptions) {
    this.#options = options
  }

  /** Every job of a client whose line is here. */
  lookAtClient(project: ProjectId, client: ClientId): Promise<undefined> {
    const { context, wake } = this.#options
    if (this.#line(project, client))
      for (const { value } of context.state.where('job', 'client', scoped(project, client)))
        if (isPlanned(value)) wake(project, client, value.id)
    return Promise.resolve(undefined)
  }

  /** Sends what is news of a job. Resolves with when to look again. */
  lookAtJob(project: ProjectId, client: ClientId, id: JobId): Promise<Instant | undefined> {
    const line = this.#line(project, client)
    return Promise.resolve(line && this.#send(line, id))
  }

  acknowledged(line: AgentLine, job: JobId, sequence: number): void {
    const sent = this.#sent.get(line)?.get(job)
    if (sent?.sequence !== sequence) return
    sent.acknowledged = true
    if (sent.text === '') this.#sent.get(line)?.delete(job)
  }

  /** The client's line, when it is here, speaks of plans, and its agent has nothing to tell any more. */
  #line(project: ProjectId, client: ClientId): AgentLine | undefined {
    const { lines } = this.#options
    const line = lines.line(project, client)
    const wants = line && line.protocol >= autonomyProtocol && line.hello.autonomous === true
    return wants && lines.isSettled(line) ? line : undefined
  }

  #send(line: AgentLine, id: JobId): Instant | undefined {
    const { context } = this.#options
    const now = context.clock.now()
    const all = this.#sent.get(line) ?? new Map<JobId, Sent>()
    this.#sent.set(line, all)
    const before = all.get(id)
    if (!before && all.size >= plansMax) return undefined
    const plan = this.#planOf(line, id, now)
    if (!plan && !before) return undefined
    const text = plan ? textOf(plan) : ''
    const again = before?.text === text ? before : undefined
    const due = again && dueAgain(again)
    if (due !== undefined && due > now) return due
    const sent = { sequence: ++this.#sequence, at: now, text, tries: triesAfter(again), acknowledged: false }
    all.set(id, sent)
    const { sequence } = sent
    line.send(plan ? { type: 'plan', plan: { ...plan, sequence } } : { type: 'unplan', sequence, job: id })
    return dueAgain(sent)
  }

  #planOf({ project, client }: AgentLine, id: JobId, now: Instant): JobPlan | undefined {
    const { context } = this.#options
    const job = context.state.get('job', project, id)?.value
    const isOurs = job?.client === client && isEnrolled(context.state.get('client', project, client)?.value)
    if (!job || !isOurs || !isPlanned(job)) return undefined
    try {
      return this.#made(job, client, now)
    } catch (error) {
      // Stored by a version that could read its schedule: it is told of where it is claimed.
      if (isFault(error, 'bad_request')) return undefined
      throw error
    }
  }

  #made(job: Job, client: ClientId, now: Instant): JobPlan | undefined {
    const { context } = this.#options
    const load = loadOfJob(context, job)
    const schedule = plannedSchedule(job, load, now, (trigger, from) => this.#listed(trigger, from))
    if (!schedule) return undefined
    const { project, user, id, actions } = job
    const slot = slotAt(schedule.next)
    const { run, repositories: missing } = newRun(context, { project, user, job: id, client, slot, actions })
    // A repository that is yet to be made has no password that could be sent.
    if (run.state.is === 'finished' || missing.length > 0) return undefined
    const named = new Set(run.tasks.flatMap((task) => task.repository ?? []))
    const repositories = [...named].flatMap((repository) => {
      const stored = context.state.get('repository', project, repository)?.value
      return stored ? [accessOf(stored, context.sealer)] : []
    })
    const { tasks, limits } = run
    const { generation } = job.plan
    const ticket = ticketOf(context.sealer, { project, client, job: id, user, generation, tasks, limits })
    return {
      sequence: 0,
      job: id,
      generation,
      now,
      schedule,
      tasks,
      repositories,
      runMs: limits.runMs,
      ticket,
    }
  }

  /** Patterns are asked once for all jobs that have the same. */
  #listed(trigger: Trigger, from: Instant): readonly Instant[] {
    const key = JSON.stringify(
      trigger.is === 'cron' ? { ...trigger, weeks: [...(trigger.weeks ?? [])] } : trigger,
    )
    const known = this.#lists.get(key)
    const at = known?.indexOf(from) ?? -1
    if (known && at >= 0 && at < known.length / 2) return known.slice(at)
    const fresh = instantsFrom(trigger, from)
    this.#lists.delete(key)
    this.#lists.set(key, fresh)
    const [oldest] = this.#lists.keys()
    if (this.#lists.size > listsMax && oldest !== undefined) this.#lists.delete(oldest)
    return fresh
  }
}

const dueAgain = ({ at, tries, acknowledged }: Sent): Instant =>
  later(at, acknowledged ? dailyMs : Math.min(dailyMs, againMs * 2 ** tries))

/** One that was acknowledged is sent for the time only: it begins anew. */
const triesAfter = (again: Sent | undefined): number => (again && !again.acknowledged ? again.tries + 1 : 0)

const textOf = ({ generation, schedule, tasks, repositories, runMs }: JobPlan): string =>
  JSON.stringify([
    generation,
    schedule,
    tasks,
    repositories.map(({ id, location, expectedId }) => [id, location, expectedId]),
    runMs,
  ])
