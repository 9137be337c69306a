import { instant, monotonic, type Clock } from '../../../core/clock.ts'
import type { Chance } from './chance.ts'
import type { Timeline } from './timeline.ts'

/** A machine: what outlives the processes on it. */
export interface Host {
  readonly name: string
  /** Its wall clock is ahead of the true time by this. Milliseconds. */
  aheadMs: number
}

/** So many readings of a clock that stands still, and it moves: somebody waits for it by looking. */
const stillMax = 64
/** It then moves by this with each reading. Milliseconds. */
const glanceMs = 0.05

/**
 * One process on a host. Whatever reaches it (timers, messages, answers) does so through `act`, so that it can be stopped for
 * a while, as by SIGSTOP, or be killed: then nothing of it ever goes on.
 */
export class Process {
  readonly host: Host
  readonly name: string
  readonly clock: Clock
  readonly startedAt: number
  /** While it is stopped: what it was about to send is sent when it goes on. */
  holdsBack = false
  #state: 'running' | 'paused' | 'dead' = 'running'
  #waiting: (() => void)[] = []
  readonly #timeline: Timeline
  readonly #ends = new Set<() => void>()
  #reading = { at: -1, count: 0, last: 0 }

  constructor(name: string, host: Host, timeline: Timeline, chance: Chance, epochMs: number) {
    this.name = name
    this.host = host
    this.#timeline = timeline
    this.startedAt = timeline.now
    this.clock = {
      now: () => instant(epochMs + timeline.now + host.aheadMs),
      monotonic: () => monotonic(this.monotonicAt()),
      sleep: (ms, signal) => this.#sleep(ms, signal),
      random: () => chance.next(),
    }
  }

  get isRunning(): boolean {
    return this.#state === 'running'
  }

  get isPaused(): boolean {
    return this.#state === 'paused'
  }

  get isDead(): boolean {
    return this.#state === 'dead'
  }

  /** Does this in the process: at once, when it goes on, or never. */
  act(what: () => void): void {
    if (this.#state === 'running') what()
    else if (this.#state === 'paused') this.#waiting.push(what)
  }

  /** The reading of its monotonic clock now. Milliseconds since it was started. */
  monotonicAt(): number {
    const reading = this.#reading
    if (reading.at !== this.#timeline.now) {
      reading.at = this.#timeline.now
      reading.count = 0
    }
    const glances = Math.max(0, ++reading.count - stillMax)
    const now = Math.max(reading.last, this.#timeline.now - this.startedAt + glances * glanceMs)
    reading.last = now
    return now
  }

  pause(): void {
    if (this.#state === 'running') this.#state = 'paused'
  }

  /** Everything that it slept through happens, each thing as an event of its own. */
  resume(): void {
    if (this.#state !== 'paused') return
    this.#state = 'running'
    this.holdsBack = false
    const waiting = this.#waiting
    this.#waiting = []
    for (const what of waiting) this.#timeline.after(0, () => this.act(what))
  }

  /** Killed: nothing of it goes on. */
  kill(): void {
    if (this.#state === 'dead') return
    this.#state = 'dead'
    this.#waiting = []
    for (const end of this.#ends) end()
    this.#ends.clear()
  }

  /** Called when it is killed: what the machine and its peers make of it. */
  onEnd(end: () => void): void {
    this.#ends.add(end)
  }

  #sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error)
      const stop = (): void => {
        timer.cancel()
        reject(signal?.reason as Error)
      }
      const ring = (): void => {
        signal?.removeEventListener('abort', stop)
        resolve()
      }
      // A timer may have been set by a reading that was ahead of the world.
      const timer = this.#timeline.after(Math.max(0, ms), () => this.act(ring))
      signal?.addEventListener('abort', stop, { once: true })
    })
  }
}
