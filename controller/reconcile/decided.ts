import type { Decided } from '../../core/autonomy.ts'
import { instant, later, type Instant } from '../../core/clock.ts'
import { Fault, isFault } from '../../core/fault.ts'
import { runIdOf, slotAt, type ClientId, type ProjectId, type RunId } from '../../core/ids.ts'
import type { Job } from '../../core/job.ts'
import type { Run } from '../../core/run.ts'
import { planAfterTold, type Told } from '../plan/autonomy.ts'
import type { AgentLine } from '../ports/lines.ts'
import { put, unchanged } from '../state/documents.ts'
import type { Context } from '../use-cases/context.ts'
import { creating } from '../use-cases/new-run.ts'
import { retrying } from '../use-cases/retrying.ts'
import { openTicket, type Ticket } from '../use-cases/tickets.ts'
import type { LineBook } from './line-book.ts'

/** Messages of one line that wait to be written down: an agent sends the next one when the last is noted. */
const waitingMax = 16

/** So far a server's clock may have been ahead of this one's when an agent went by it. Milliseconds. */
const aheadMs = 86_400_000

export interface DecidedSlotsOptions {
  readonly context: Context
  readonly lines: LineBook
  readonly wake: (project: ProjectId, client: ClientId) => void
  /** Told of what can never be written down. */
  readonly failed: (key: string, error: unknown) => void
}

/** Writes down what agents did by themselves: the runs, and how far their schedules came, together. */
export class DecidedSlots {
  readonly #options: DecidedSlotsOptions
  readonly #waiting = new WeakMap<AgentLine, Decided[]>()

  constructor(options: DecidedSlotsOptions) {
    this.#options = options
  }

  hear(line: AgentLine, decided: Decided): void {
    const waiting = this.#waiting.get(line) ?? []
    this.#waiting.set(line, waiting)
    if (waiting.length >= waitingMax || waiting.some(({ sequence }) => sequence === decided.sequence)) return
    waiting.push(decided)
    this.#options.wake(line.project, line.client)
  }

  async look(project: ProjectId, client: ClientId): Promise<undefined> {
    const line = this.#options.lines.line(project, client)
    const waiting = line && this.#waiting.get(line)
    while (line && waiting?.[0]) {
      const [decided] = waiting
      const ticket = this.#ticket(line, decided)
      if (ticket) await this.#store(ticket, decided)
      waiting.shift()
      line.send({ type: 'noted', sequence: decided.sequence })
    }
    return undefined
  }

  /** One that is not ours will be no better when it is told again. */
  #ticket({ project, client }: AgentLine, { job, ticket, runs }: Decided): Ticket | undefined {
    const { context, failed } = this.#options
    try {
      const slot = Math.max(0, ...runs.map((run) => run.slot))
      if (slot > context.clock.now() + aheadMs)
        throw new Fault('bad_message', `a slot at ${slot} is yet to come`)
      return openTicket(context.sealer, ticket, { project, client, job })
    } catch (error) {
      if (!isFault(error) && !(error instanceof SyntaxError)) throw error
      failed(`decided/${project}/${client}/${job}`, error)
      return undefined
    }
  }

  async #store(ticket: Ticket, decided: Decided): Promise<void> {
    const { context } = this.#options
    const { project, client, job: id, generation } = ticket
    const { state, clock } = context
    await retrying(context, async () => {
      // Of a job that cannot be read the runs are written down all the same: others of this agent wait behind it.
      const isReadable = !state.unreadable('job', project, id)
      const stored = isReadable ? state.get('job', project, id) : undefined
      const now = clock.now()
      const isStored = (run: RunId): boolean =>
        state.get('run', project, run) !== undefined || state.unreadable('run', project, run) !== undefined
      const fresh = decided.runs.filter(({ slot }) => !isStored(runIdOf(project, id, client, slotAt(slot))))
      const job = stored && jobAfter(stored.value, client, { ...decided, generation }, fresh, now)
      const made = creating(
        fresh.map(({ slot, at }) => ({ run: runOf(ticket, slot, at, now), repositories: [] })),
      )
      if (fresh.length === 0 && job === stored?.value) return
      await state.commit({
        requires: [...made.requires, ...(stored ? [unchanged('job', project, id, stored)] : [])],
        puts: [...made.puts, ...(job && job !== stored?.value ? [put('job', project, id, job)] : [])],
      })
    })
  }
}

/** The same job when nothing of it changes. */
function jobAfter(job: Job, client: ClientId, decided: Decided, fresh: Decided['runs'], now: Instant): Job {
  if (job.client !== client) return job
  const { generation } = decided
  const runs = decided.runs.map(({ slot }) => slot).toSorted((a, b) => a - b)
  // Nobody decides on slots that are yet to come.
  const upTo = instant(Math.min(decided.upTo, Math.max(now, runs.at(-1) ?? now)))
  const skips = decided.skips.filter(({ from, to }) => from <= to && to <= upTo)
  const told = { generation, upTo, skips, runs, fresh: fresh.map(({ slot }) => slot) }
  const plan = planAfter(job, told, now)
  return JSON.stringify(plan) === JSON.stringify(job.plan) ? job : { ...job, plan, updatedAt: now }
}

/** A schedule that this version cannot read stands where it stood: what the agent has run of it is known by its runs. */
function planAfter(job: Job, told: Told, now: Instant): Job['plan'] {
  try {
    return planAfterTold(job, told, now)
  } catch (error) {
    if (!isFault(error, 'bad_request')) throw error
    return job.plan
  }
}

/** As it is with its agent: taken, and perhaps over. */
function runOf(
  { project, client, job, user, tasks, limits }: Ticket,
  at: Instant,
  begun: Instant,
  now: Instant,
): Run {
  const slot = slotAt(at)
  const since = instant(Math.min(begun, now))
  return {
    ...{ id: runIdOf(project, job, client, slot), project, user, job, client, slot },
    ...{ purpose: 'job', own: true, createdAt: since, tasks, limits, begunAt: since },
    steps: tasks.map(() => ({ tries: 0 })),
    state: { is: 'running', attempt: 1, since, by: later(now, limits.runMs) },
  }
}
