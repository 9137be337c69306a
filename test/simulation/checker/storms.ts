import type { Step } from '../ports/store.ts'
import type { World } from '../world.ts'

/** One document is not written oftener than this within one second: whoever does so fights with somebody. */
const writesMax = 100

/** Two that undo each other's writes never come to rest, and take the store away from everybody else. */
export class Storms {
  readonly #world: World
  readonly #writes = new Map<string, number>()
  #second = 0

  constructor(world: World) {
    this.#world = world
  }

  take({ changes, by }: Step): void {
    const second = Math.floor(this.#world.timeline.now / 1_000)
    if (second !== this.#second) this.#writes.clear()
    this.#second = second
    for (const { kind, id } of changes) {
      const name = `${kind} ${id}`
      const count = (this.#writes.get(name) ?? 0) + 1
      this.#writes.set(name, count)
      if (count > writesMax)
        this.#world.violated(
          'nobody fights over a document',
          `${name}: ${count} writes in a second, last by ${by?.name}`,
        )
    }
  }
}
