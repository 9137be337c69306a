/** Steps of the wall clock up to this are taken for its resolution. Microseconds. */
const stepUs = 50_000

/**
 * Turns instants into readings of this process's monotonic clock and back. One offset serves until the wall clock steps, so
 * that the members of one start get the same reading to the microsecond.
 */
export class ServerTime {
  readonly #wallMs: () => number
  readonly #monotonicUs: () => number
  #offsetUs: number

  constructor(wallMs: () => number, monotonicUs: () => number) {
    this.#wallMs = wallMs
    this.#monotonicUs = monotonicUs
    this.#offsetUs = wallMs() * 1_000 - monotonicUs()
  }

  /** Microseconds since the epoch as a reading of the monotonic clock. */
  monotonicUsOf(wallUs: number): number {
    this.#followSteps()
    return Math.round(wallUs - this.#offsetUs)
  }

  /** A reading of the monotonic clock as microseconds since the epoch. */
  wallUsOf(monotonicUs: number): number {
    this.#followSteps()
    return Math.round(monotonicUs + this.#offsetUs)
  }

  #followSteps(): void {
    const offset = this.#wallMs() * 1_000 - this.#monotonicUs()
    if (Math.abs(offset - this.#offsetUs) > stepUs) this.#offsetUs = offset
  }
}
