import type { Events } from '../../../agent/ports/events.ts'
import { slotAt, type JobId } from '../../../core/ids.ts'
import type { Surroundings } from '../surroundings.ts'
import { iso } from './words.ts'

/** What the process of an agent goes by when it is alone, by its own log. */
export class OwnPlans {
  readonly #world: Surroundings
  readonly #jobs = new Set<JobId>()

  constructor(world: Surroundings) {
    this.#world = world
  }

  take(event: keyof Events, fields: Events[keyof Events]): void {
    if (event === 'plan.taken') this.#jobs.add((fields as Events['plan.taken']).job)
    if (event === 'plan.dropped') this.#jobs.delete((fields as Events['plan.dropped']).job)
    if (event === 'slot.due') this.#due(fields as Events['slot.due'])
  }

  #due({ job, slot, run }: Events['slot.due']): void {
    if (!this.#jobs.has(job))
      this.#world.violated('what an agent was told to leave does not fire', `${job} at ${iso(slot)}`)
    this.#world.own.set(run, slotAt(slot))
  }
}
