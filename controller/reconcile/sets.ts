import type { Instant } from '../../core/clock.ts'
import { isFault } from '../../core/fault.ts'
import { sessionSlot, type ProjectId } from '../../core/ids.ts'
import type { Epoch } from '../../core/link.ts'
import type { RunState } from '../../core/run.ts'
import { advanceSet, toCancel } from '../../core/set-machine.ts'
import { setIdOf, type Member, type SetRecord } from '../../core/set.ts'
import { put, unchanged } from '../state/documents.ts'
import { changeRun } from '../use-cases/cancel-run.ts'
import type { Context } from '../use-cases/context.ts'
import { startOf, type Start } from '../use-cases/functions.ts'
import { createRuns, type StartRequest } from '../use-cases/start-run.ts'

/** Members whose runs are made in one transaction: with a new repository each, four operations of etcd's 128. */
const membersAtOnce = 25

/** Runs whose cancels are written at once. */
const cancelsAtOnce = 64

/** A set is looked at again at least this often while something is missing. Milliseconds. */
const againMs = 1_000

/** A member's own start deadline lies this far behind its set's, so that the set decides. Milliseconds. */
const graceMs = 30_000

/** How far ahead of now members are told to start: enough for one trip to each, and more for many. Milliseconds. */
const leadMs = (members: number): number => 250 + Math.ceil(members / 4)

export interface SetsOptions {
  readonly context: Context
  /** This server's epoch while it leads. */
  readonly epoch: () => Epoch | undefined
}

/** Leader only: makes the runs of a start, starts them together, and writes down what became of them. */
export class Sets {
  readonly #options: SetsOptions

  constructor(options: SetsOptions) {
    this.#options = options
  }

  async look(project: ProjectId, id: string): Promise<Instant | undefined> {
    const { context, epoch } = this.#options
    const now = epoch()
    const stored = context.state.get('set', project, id)
    if (now === undefined || !stored || stored.value.phase.is === 'ended') return undefined
    if (stored.value.phase.is === 'preparing') await this.#makeRuns(stored.value)
    await this.#cancelRuns(stored.value)
    return this.#advance(project, id, now)
  }

  async #makeRuns(set: SetRecord): Promise<void> {
    const { context } = this.#options
    const missing = set.members.filter((member) => !context.state.get('run', set.project, member.run))
    for (let from = 0; from < missing.length; from += membersAtOnce) {
      const chunk = missing.slice(from, from + membersAtOnce)
      await createRuns(
        context,
        chunk.map((member) => this.#request(set, member)),
      )
    }
  }

  #request(set: SetRecord, member: Member): StartRequest {
    const { context } = this.#options
    const job = context.state.get('job', set.project, member.job)?.value
    // A job that was deleted since has nothing to do: its member ends at once, and shows that. Members stay where they were
    // pinned, wherever a function may have moved.
    const { place: _, ...start } = job ? startOf(context, job) : goneOr(context, set, member)
    return {
      project: set.project,
      user: set.user,
      job: member.job,
      client: member.client,
      slot: sessionSlot(set.session, set.tag),
      ...start,
      session: { id: set.session, tag: set.tag },
      startMs: context.settings.prepareMs + graceMs,
    }
  }

  async #cancelRuns(set: SetRecord): Promise<void> {
    const { context } = this.#options
    const { members, why } = toCancel(set)
    const open = members.filter((member) => {
      const state = context.state.get('run', set.project, member.run)?.value.state
      return state !== undefined && state.is !== 'finished' && !isCancelled(state)
    })
    for (let from = 0; from < open.length; from += cancelsAtOnce)
      await Promise.all(
        open
          .slice(from, from + cancelsAtOnce)
          .map((member) => changeRun(context, set.project, member.run, { type: 'cancel', why })),
      )
  }

  async #advance(project: ProjectId, id: string, epoch: Epoch): Promise<Instant | undefined> {
    const { context } = this.#options
    const now = context.clock.now()
    const stored = context.state.get('set', project, id)
    if (!stored) return undefined
    const after = advanceSet(
      stored.value,
      (run) => context.state.get('run', project, run)?.value,
      now,
      leadMs(stored.value.members.length),
    )
    const again = (now + againMs) as Instant
    if (after === stored.value) return again
    try {
      await context.state.commit({
        requires: [unchanged('set', project, id, stored)],
        puts: [put('set', project, setIdOf(after.session, after.tag), after)],
        epoch,
      })
    } catch (error) {
      if (!isFault(error, 'stale_write')) throw error
      await context.state.catchUp()
    }
    return now
  }
}

/** What is only not to be read has not been done: its member ends as failed. */
const goneOr = ({ state }: Context, { project }: SetRecord, { job }: Member): Start =>
  state.unreadable('job', project, job)
    ? { actions: [], failure: { code: 'job_unreadable', text: `the stored job ${job} cannot be read` } }
    : { actions: [] }

/** Whether its agent is to stop it already, or will be told when it is heard of again. */
const isCancelled = (state: RunState): boolean =>
  state.is === 'cancelling' || (state.is === 'unknown' && state.was.is === 'cancelling')
