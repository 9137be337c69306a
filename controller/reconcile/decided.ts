import type { Decided } from '../../core/autonomy.ts'
import { instant, later, type Instant } from '../../core/clock.ts'
import { isFault } from '../../core/fault.ts'
import { runIdOf, slotAt, type ClientId, type ProjectId } from '../../core/ids.ts'
import type { Job } from '../../core/job.ts'
import type { Run } from '../../core/run.ts'
import { planAfterTold } from '../plan/autonomy.ts'
import type { AgentLine } from '../ports/lines.ts'
import { put, unchanged } from '../state/documents.ts'
import type { Context } from '../use-cases/context.ts'
import { creating } from '../use-cases/new-run.ts'
import { retrying } from '../use-cases/retrying.ts'
import { openTicket, type Ticket } from '../use-cases/tickets.ts'
import type { LineBook } from './line-book.ts'

/** Messages of one line that wait to be written down: an agent sends the next one when the last is noted. */
const waitingMax = 16

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
  #ticket({ project, client }: AgentLine, { job, ticket }: Decided): Ticket | undefined {
    const { context, failed } = this.#options
    try {
      return openTicket(context.sealer, ticket, { project, client, job })
    } catch (error) {
      if (!isFault(error) && !(error instanceof SyntaxError)) throw error
      failed(`decided/${project}/${client}/${job}`, error)
      return undefined
    }
  }

  async #store(ticket: Ticket, decided: Decided): Promise<void> {
    const { context } = this.#options
    const { project, client, job: id } = ticket
    const { state, clock } = context
    await retrying(context, async () => {
      const stored = state.get('job', project, id)
      const now = clock.now()
      const idOf = (slot: Instant) => runIdOf(project, id, client, slotAt(slot))
      const fresh = decided.runs.filter(({ slot }) => !state.get('run', project, idOf(slot)))
      const job = stored && jobAfter(stored.value, client, decided, fresh, now)
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
  const { generation, upTo, skips } = decided
  const runs = decided.runs.map(({ slot }) => slot).toSorted((a, b) => a - b)
  const told = { generation, upTo, skips, runs, fresh: fresh.map(({ slot }) => slot) }
  const plan = planAfterTold(job, told, now)
  return JSON.stringify(plan) === JSON.stringify(job.plan) ? job : { ...job, plan, updatedAt: now }
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
