import { monotonic, type Clock, type Monotonic } from '../../../core/clock.ts'

const lookEveryMsMin = 10

/**
 * Notices that nothing has moved for too long. Time during which the reader of the tool's output is busy elsewhere does
 * not count: a tool that waits for its reader does not stall.
 */
export class StallWatch implements Disposable {
  readonly #clock: Clock
  readonly #limitMs: number
  readonly #over = new AbortController()
  #value: unknown
  #movedAt: Monotonic
  #heldSince: Monotonic | undefined

  /** `limitMs`: as in `EngineContext.stallMs`. */
  constructor(clock: Clock, limitMs: number) {
    this.#clock = clock
    this.#limitMs = limitMs
    this.#movedAt = clock.monotonic()
  }

  /** Something worth comparing was seen; only another value than the last counts as movement. */
  saw(value: unknown): void {
    if (value === this.#value) return
    this.#value = value
    this.#movedAt = this.#clock.monotonic()
  }

  /** The reader is busy with what it got … */
  hold(): void {
    this.#heldSince ??= this.#clock.monotonic()
  }

  /** … and waits for more. */
  release(): void {
    if (this.#heldSince === undefined) return
    this.#movedAt = monotonic(this.#movedAt + this.#clock.monotonic() - this.#heldSince)
    this.#heldSince = undefined
  }

  /**
   * Calls `stalled` once, if ever. `sample` is asked now and then and feeds `saw`; undefined means that movement cannot
   * be known, and then nothing ever stalls.
   */
  start(stalled: () => void, sample?: () => unknown): void {
    void this.#watch(stalled, sample).catch(() => {})
  }

  [Symbol.dispose](): void {
    this.#over.abort()
  }

  async #watch(stalled: () => void, sample: (() => unknown) | undefined): Promise<void> {
    const { signal } = this.#over
    if (sample !== undefined) this.saw(sample())
    while (!signal.aborted) {
      const leftMs = this.#limitMs - this.#idleMs()
      if (leftMs <= 0) return stalled()
      const pauseMs = sample === undefined ? leftMs : Math.min(leftMs, this.#limitMs / 4)
      await this.#clock.sleep(Math.max(pauseMs, lookEveryMsMin), signal)
      // What cannot be sampled is taken to move.
      if (sample !== undefined) this.saw(sample() ?? {})
    }
  }

  #idleMs(): number {
    return (this.#heldSince ?? this.#clock.monotonic()) - this.#movedAt
  }
}
