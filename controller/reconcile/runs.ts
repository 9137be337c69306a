import type { Instant } from '../../core/clock.ts'
import { Fault } from '../../core/fault.ts'
import type { ProjectId, RepositoryId, RunId, ServerId } from '../../core/ids.ts'
import type { Epoch, Order, RepositoryAccess } from '../../core/link.ts'
import type { RunEvent } from '../../core/run-machine.ts'
import type { Run } from '../../core/run.ts'
import { isEnrolled } from '../../core/select.ts'
import { setIdOf, type SetRecord } from '../../core/set.ts'
import { absorb } from '../plan/absorb.ts'
import { dispatch, type DispatchStep, type LineView } from '../plan/dispatch.ts'
import type { Delivery } from '../ports/feed.ts'
import { put, unchanged, type Stored, type Transaction } from '../state/documents.ts'
import type { State } from '../state/state.ts'
import type { Context, Sealer } from '../use-cases/context.ts'
import { accessOf } from '../use-cases/repositories.ts'
import { retrying } from '../use-cases/retrying.ts'
import type { LineBook } from './line-book.ts'
import type { ServerTime } from './server-time.ts'

/** One look takes at most this many steps before others have their turn. */
const stepsMax = 16

/** How long after it was sent the answer to an order is still wanted. Milliseconds. */
const answerMs = 60_000

/** What agents said of one run and was not written down yet; more than this and the oldest is dropped, for the next hello. */
const heardMax = 64

/** What became of a report: in etcd, now or before; or of a run that this project does not have. */
export type Applied = 'committed' | 'foreign'

interface Heard {
  readonly event: RunEvent
  readonly delivery?: Delivery
  readonly resolve?: (applied: Applied) => void
  readonly reject?: (error: unknown) => void
}

export interface RunsOptions {
  readonly context: Pick<Context, 'state' | 'clock'>
  readonly sealer: Sealer
  readonly lines: LineBook
  readonly server: ServerId
  readonly time: ServerTime
  /** Since when this server leads, while it does. */
  readonly leadsSince: () => Instant | undefined
  readonly epoch: () => Epoch
  readonly wake: (project: ProjectId, id: RunId) => void
}

/**
 * Brings every open run one step further: writes down what its agent said, then does what `dispatch` decides. One look at a
 * run at a time, so everything that was said meanwhile goes into one write.
 */
export class Runs {
  readonly #options: RunsOptions
  readonly #heard = new Map<RunId, Heard[]>()

  constructor(options: RunsOptions) {
    this.#options = options
  }

  /** The agent of the run's client said this. */
  hear(project: ProjectId, id: RunId, event: RunEvent): void {
    this.#keep(project, id, { event })
  }

  /** Resolves when etcd has the report; rejects with the Fault that kept it from that: deliver it again later. */
  report(delivery: Delivery): Promise<Applied> {
    return new Promise((resolve, reject) => {
      const event: RunEvent = { type: 'reported', report: delivery.report }
      this.#keep(delivery.project, delivery.report.run, { event, delivery, resolve, reject })
    })
  }

  #keep(project: ProjectId, id: RunId, heard: Heard): void {
    const list = this.#heard.get(id) ?? []
    this.#heard.set(id, list)
    list.push(heard)
    if (list.length > heardMax)
      list.shift()?.reject?.(new Fault('too_much', 'too many reports of one run at once'))
    this.#options.wake(project, id)
  }

  /** Looks at a run until nothing is left to do now. Resolves with when to look again. */
  async look(project: ProjectId, id: RunId): Promise<Instant | undefined> {
    const { context, leadsSince } = this.#options
    for (let steps = 0; steps < stepsMax; steps++) {
      await this.#writeDown(project, id)
      const stored = context.state.get('run', project, id)
      if (!stored) return undefined
      const now = context.clock.now()
      const step = dispatch(
        stored.value,
        setOf(context.state, stored.value),
        this.#line(stored.value),
        leadsSince(),
        now,
      )
      if (step.do === 'nothing') return undefined
      if (step.do === 'sleep') return step.until
      await this.#carryOut(stored, step)
    }
    return context.clock.now()
  }

  async #writeDown(project: ProjectId, id: RunId): Promise<void> {
    const heard = this.#heard.get(id)
    if (!heard) return
    this.#heard.delete(id)
    try {
      await this.#play(project, id, heard)
    } catch (error) {
      for (const { reject } of heard) reject?.(error)
      const unsaid = heard.filter(({ reject }) => !reject)
      if (unsaid.length > 0) this.#heard.set(id, [...unsaid, ...(this.#heard.get(id) ?? [])])
      throw error
    }
  }

  /** Plays events on the stored run and writes it once. Somebody else's write in between makes it another try, not an error. */
  async #play(project: ProjectId, id: RunId, heard: readonly Heard[]): Promise<void> {
    const { context } = this.#options
    const { state, clock } = context
    await retrying(context, async () => {
      let stored = state.get('run', project, id)
      if (!stored) {
        await state.catchUp() // another server may just have made it
        stored = state.get('run', project, id)
      }
      // Not a run that nobody has: its report is kept for whoever can read it. What else was said comes again with a hello.
      if (!stored && state.unreadable('run', project, id)) {
        for (const { reject } of heard) reject?.(new Fault('unreadable', 'the stored run cannot be read'))
        return
      }
      const outcome = absorb(
        stored?.value,
        heard,
        clock.now(),
        (backup) => state.get('backup', project, backup) !== undefined,
      )
      const learned = this.#learned(project, outcome.engineIds)
      if (stored && (outcome.run !== stored.value || outcome.backups.length > 0))
        await state.commit({
          requires: [unchanged('run', project, id, stored), ...learned.requires],
          puts: [
            ...learned.puts,
            ...(outcome.run && outcome.run !== stored.value ? [put('run', project, id, outcome.run)] : []),
            ...outcome.backups.map((backup) => put('backup', project, backup.id, backup)),
          ],
        })
      for (const [index, { resolve, reject }] of heard.entries()) {
        const applied = outcome.applied[index]
        if (applied) resolve?.(applied)
        else reject?.(new Fault('not_found', 'that attempt is not known yet'))
      }
    })
  }

  /** A repository keeps the first id that an engine tells of it. */
  #learned(
    project: ProjectId,
    ids: ReadonlyMap<RepositoryId, string>,
  ): Pick<Transaction, 'requires' | 'puts'> {
    const { state } = this.#options.context
    const fresh = [...ids].flatMap(([id, engineId]) => {
      const stored = state.get('repository', project, id)
      return stored && stored.value.engineId === undefined ? [{ id, stored, engineId }] : []
    })
    return {
      requires: fresh.map(({ id, stored }) => unchanged('repository', project, id, stored)),
      puts: fresh.map(({ id, stored, engineId }) =>
        put('repository', project, id, { ...stored.value, engineId }),
      ),
    }
  }

  /**
   * A line that ends here counts from when it is stored. Until then the leader may take the client for silent, and each of the two
   * would undo what the other writes; the write of the line wakes its runs.
   */
  #line(run: Run): LineView {
    const { lines, context, server } = this.#options
    const client = context.state.get('client', run.project, run.client)?.value
    const line = client?.line
    const here = lines.view(run.project, run.client, run.id)
    if (here) return line?.is === 'up' && line.server === server ? here : { is: 'elsewhere' }
    // Not gone: somebody who can read it knows.
    if (!client && context.state.unreadable('client', run.project, run.client)) return { is: 'elsewhere' }
    if (!isEnrolled(client)) return { is: 'gone' }
    if (line?.is === 'up') return { is: 'elsewhere' }
    return { is: 'none', since: line?.is === 'down' ? line.since : run.createdAt }
  }

  async #carryOut(
    stored: Stored<Run>,
    step: Exclude<DispatchStep, { do: 'sleep' | 'nothing' }>,
  ): Promise<void> {
    const { lines, time, epoch } = this.#options
    const { project, client, id } = stored.value
    switch (step.do) {
      case 'play':
        await this.#play(project, id, [{ event: step.event }])
        if (step.event.type === 'back') lines.played(project, client, id)
        return
      case 'order':
        lines.send(project, client, id, { type: 'order', order: this.#order(stored.value, step) })
        return
      case 'go':
        lines.send(project, client, id, {
          type: 'go',
          run: id,
          attempt: step.attempt,
          atUs: Math.max(0, time.monotonicUsOf(step.goAtUs)),
          epoch: epoch(),
        })
        return
      case 'cancel':
        lines.send(project, client, id, {
          type: 'cancel',
          run: id,
          attempt: step.attempt,
          why: whyCancelled(stored.value),
          epoch: epoch(),
        })
    }
  }

  #order(run: Run, { attempt, hold }: Extract<DispatchStep, { do: 'order' }>): Order {
    const { context, epoch } = this.#options
    return {
      run: run.id,
      project: run.project,
      job: run.job,
      client: run.client,
      slot: run.slot,
      ...(run.session ? { session: run.session } : {}),
      attempt,
      epoch: epoch(),
      tasks: run.tasks,
      before: run.steps.map(({ tries, result }) => ({ tries, ...(result === undefined ? {} : { result }) })),
      repositories: this.#repositories(run),
      hold,
      answerBy: (context.clock.now() + answerMs) as Instant,
      runMs: run.limits.runMs,
    }
  }

  #repositories(run: Run): RepositoryAccess[] {
    const { context, sealer } = this.#options
    const ids = new Set(run.tasks.flatMap((task) => task.repository ?? []))
    return [...ids].flatMap((id) => {
      const stored = context.state.get('repository', run.project, id)?.value
      return stored ? [accessOf(stored, sealer)] : []
    })
  }
}

const whyCancelled = ({ state }: Run) =>
  state.is === 'cancelling' ? state.why : { code: 'cancelled', text: 'cancelled' }

const setOf = (state: State, run: Run): SetRecord | undefined =>
  run.session && state.get('set', run.project, setIdOf(run.session.id, run.session.tag))?.value
