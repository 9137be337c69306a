import { policiesOf } from '../../../controller/plan/policies.ts'
import type { World } from '../world.ts'
import { iso } from './words.ts'
import type { StoredHistory } from './history.ts'

/** In a world without trouble a slot that is due is claimed within this: a lease, an election, and a look. Milliseconds. */
const claimedWithinMs = 90_000

/** What must have come to an end: nothing hangs for ever. */
export class Ends {
  readonly #world: World
  readonly #history: StoredHistory

  constructor(world: World, history: StoredHistory) {
    this.#world = world
    this.#history = history
  }

  /** When nothing has troubled the world for a while. `calmMs`: for how long. */
  look(calmMs: number): void {
    if (calmMs < claimedWithinMs) return
    const slowest = Math.min(...this.#world.servers.map(({ host }) => this.#world.now + host.aheadMs))
    for (const { id, plan, firn } of [...this.#history.jobs.values(), ...this.#history.sessions.values()]) {
      const dueAt = (plan.next ?? Infinity) + policiesOf(firn).jitterMs
      if (dueAt < slowest - claimedWithinMs && !this.#mayWait(id))
        this.#world.violated('a due slot is claimed', `${id}: ${iso(plan.next)} at ${iso(slowest)}`)
      if (plan.making && plan.making.slot < slowest - claimedWithinMs && calmMs > 2 * claimedWithinMs)
        this.#world.violated('what is claimed is made', `${id}: ${iso(plan.making.slot)} at ${iso(slowest)}`)
    }
    for (const { id, state } of this.#history.runs.values())
      if (state.is !== 'finished' && state.by < slowest - claimedWithinMs)
        this.#world.violated(
          'every deadline is kept',
          `run ${id} at ${iso(slowest)}: ${JSON.stringify(state)}`,
        )
  }

  /** A slot may wait for what is under way, by its schedule's policies. */
  #mayWait(id: string): boolean {
    for (const { state } of this.#history.runsOf(id)) if (state.is !== 'finished') return true
    return [...this.#history.sets.values()].some(
      ({ session, phase }) => session === id && phase.is !== 'ended',
    )
  }

  /** After a long calm: all that was begun has ended. `calmMs`: for how long. */
  atTheEnd(calmMs: number): void {
    this.look(calmMs)
    // A deadline that was set by a clock that was ahead is as much later.
    const since = this.#world.now - calmMs / 2 - this.#world.steppedBackMs
    for (const { id, state, createdAt, slot, job } of this.#history.runs.values())
      if (state.is !== 'finished' && createdAt < since && this.#world.steppedBackMs < calmMs / 4)
        this.#world.violated('every run ends', `run ${id} of ${job} for ${slot} is ${JSON.stringify(state)}`)
    for (const { session, tag, phase, admittedAt } of this.#history.sets.values())
      if (phase.is !== 'ended' && admittedAt < since)
        this.#world.violated('every set ends', `${session}.${tag} is ${phase.is}`)
    for (const { run, attempt, until, from } of this.#world.evidence.executions)
      if (until === undefined && from < this.#world.timeline.now - calmMs / 2)
        this.#world.violated('every attempt ends', `${run}.${attempt}`)
  }
}
