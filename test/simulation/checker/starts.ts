import type { Execution } from '../evidence.ts'
import type { World } from '../world.ts'
import type { StoredHistory } from './history.ts'
import { iso } from './words.ts'

/** What the nodes may have seen: each attempt once, none beside another of its slot, none without need. */
export class Starts {
  readonly #world: World
  readonly #history: StoredHistory
  readonly #bySlot = new Map<string, Execution[]>()

  constructor(world: World, history: StoredHistory) {
    this.#world = world
    this.#history = history
  }

  take(execution: Execution): void {
    const { job, client, slot, run, attempt } = execution
    const name = `${job} on ${client} for ${slot}`
    this.#world.trace(client, `BEGINS ${name}, run ${run}, attempt ${attempt}`)
    const others = this.#bySlot.get(name) ?? []
    this.#bySlot.set(name, [...others, execution])
    const stored = this.#history.everMade.get(run)
    const own = this.#world.own.get(run)
    if (own !== undefined && own !== slot)
      this.#world.violated('a run is for the slot that was due', `${name}, not for ${own}`)
    if (!stored && own === undefined) return this.#world.violated('nothing starts that is not stored', name)
    if (others.some((other) => other.run !== run))
      this.#world.violated(
        'one run for each slot',
        `${name}: ${others.map((other) => other.run).join()}, ${run}`,
      )
    if (others.some((other) => other.attempt >= attempt))
      this.#world.violated('an attempt starts once', `${name}, attempt ${attempt}`)
    if (others.some((other) => other.until === undefined))
      this.#world.violated('attempts never overlap', `${name}, attempt ${attempt}`)
    const { maxRetries = 0 } = stored?.tasks[0] ?? this.#history.everStored.get(job)?.actions[0] ?? {}
    const triesMax = 1 + maxRetries
    if (others.length >= triesMax)
      this.#world.violated(
        'at most one start, and its retries',
        `${name}: ${others.length + 1} of ${triesMax}`,
      )
    if (own === undefined && stored?.state.is === 'finished' && stored.state.result === 'aborted')
      this.#world.violated('what was aborted does not start', `${name}, attempt ${attempt}`)
    this.#notEarly(name, slot)
  }

  #notEarly(name: string, slot: string): void {
    if (!slot.startsWith('at:')) return
    const at = Number(slot.slice(3))
    if (at > this.#world.now + this.#world.aheadMaxMs)
      this.#world.violated('nothing before its slot', `${name}: began ${iso(this.#world.now)}`)
  }
}
