import type { Monotonic } from '../../core/clock.ts'

/** What is known for a while: at most `max` things, the one that was learnt first is forgotten first. */
export class Cache<T> {
  readonly #max: number
  readonly #entries = new Map<string, { readonly value: T; readonly until: number }>()

  constructor(max: number) {
    this.#max = max
  }

  /** Undefined once it is too old. */
  get(key: string, now: Monotonic): T | undefined {
    const entry = this.#entries.get(key)
    return entry && now < entry.until ? entry.value : undefined
  }

  /** Also when it is too old, if it was not forgotten yet. */
  last(key: string): T | undefined {
    return this.#entries.get(key)?.value
  }

  set(key: string, value: T, until: number): void {
    this.#entries.delete(key)
    this.#entries.set(key, { value, until })
    if (this.#entries.size <= this.#max) return
    const { value: oldest, done } = this.#entries.keys().next()
    if (done !== true) this.#entries.delete(oldest)
  }
}
