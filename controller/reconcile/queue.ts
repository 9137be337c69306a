import type { Clock, Instant } from '../../core/clock.ts'
import { Alarm } from './alarm.ts'

/** A look that failed is repeated after this, doubled each time up to the maximum. Milliseconds. */
const retryMinMs = 100
const retryMaxMs = 5_000

export interface QueueOptions {
  readonly clock: Clock
  /** Keys that are looked at together. */
  readonly atOnce: number
  /** Looks at the whole current state of a key; resolves with when to look again, if ever. */
  readonly look: (key: string) => Promise<Instant | undefined>
  readonly failed: (key: string, error: unknown) => void
}

/**
 * Keys to look at. A wake-up carries no news, only the key: however many come, a key is looked at once more, by one worker at
 * a time. A look that throws is repeated with back-off, for as long as the queue lives: the state is still not what
 * was asked for.
 */
export class LookQueue implements AsyncDisposable {
  readonly #options: QueueOptions
  readonly #ready = new Set<string>()
  readonly #busy = new Set<string>()
  readonly #again = new Set<string>()
  readonly #alarm: Alarm
  readonly #failures = new Map<string, number>()
  #closed = false
  #isPumpDue = false
  #idle: (() => void) | undefined

  constructor(options: QueueOptions) {
    this.#options = options
    this.#alarm = new Alarm(options.clock, (key) => this.wake(key))
  }

  /** Keys waiting or being looked at. */
  get size(): number {
    return this.#ready.size + this.#busy.size
  }

  wake(key: string): void {
    if (this.#closed) return
    if (this.#busy.has(key)) this.#again.add(key)
    else {
      this.#ready.add(key)
      this.#pumpSoon()
    }
  }

  /** Not at once: who wakes may be in the middle of telling what one transaction has changed, and half of it is no state. */
  #pumpSoon(): void {
    if (this.#isPumpDue) return
    this.#isPumpDue = true
    queueMicrotask(() => {
      this.#isPumpDue = false
      this.#pump()
    })
  }

  #pump(): void {
    for (const key of this.#ready) {
      if (this.#busy.size >= this.#options.atOnce) return
      this.#ready.delete(key)
      this.#busy.add(key)
      this.#alarm.clear(key) // this look says anew when the next is due
      void this.#work(key)
    }
  }

  async #work(key: string): Promise<void> {
    const { look, failed } = this.#options
    try {
      const at = await look(key)
      this.#failures.delete(key)
      if (at !== undefined) this.#alarm.set(key, at)
    } catch (error) {
      failed(key, error)
      this.#alarm.set(key, this.#retryAt(key))
    }
    this.#busy.delete(key)
    if (this.#again.delete(key) && !this.#closed) this.#ready.add(key)
    this.#pump()
    if (this.#busy.size === 0) this.#idle?.()
  }

  #retryAt(key: string): Instant {
    const { clock } = this.#options
    const failures = (this.#failures.get(key) ?? 0) + 1
    this.#failures.set(key, failures)
    const backOff = Math.min(retryMaxMs, retryMinMs * 2 ** Math.min(failures - 1, 10))
    return Math.round(clock.now() + backOff * (0.5 + clock.random() / 2)) as Instant
  }

  /** Ends the alarm, drops what is waiting, and waits for the looks under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    this.#ready.clear()
    this.#alarm[Symbol.dispose]()
    if (this.#busy.size > 0) await new Promise<void>((resolve) => (this.#idle = resolve))
  }
}
