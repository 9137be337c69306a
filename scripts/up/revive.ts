// What `firn up` does about a process that crashes: it is started again, unless it keeps crashing.
import { setTimeout as sleep } from 'node:timers/promises'
import { Problem } from './problem.ts'
import type { Crash } from './process.ts'

/** The pause before the first new start, and the longest; each further one is twice as long. Milliseconds. */
const [firstMs, longestMs] = [500, 8_000]
/** So many crashes of one process in such a time (milliseconds), and the stack is given up. */
const [crashesMax, withinMs] = [5, 60_000]

/** Takes care of crashes until the signal aborts. */
export class Reviver {
  readonly #crashes = new Map<string, number[]>()
  readonly #signal: AbortSignal
  readonly #say: (text: string) => void
  readonly #revived: () => void
  readonly #giveUp: (problem: Problem) => void

  constructor(options: {
    readonly signal: AbortSignal
    readonly say: (text: string) => void
    /** After each new start: pids have changed. */
    readonly revived: () => void
    readonly giveUp: (problem: Problem) => void
  }) {
    this.#signal = options.signal
    this.#say = options.say
    this.#revived = options.revived
    this.#giveUp = options.giveUp
  }

  /** Starts the crashed process again after a pause, or gives up. Never throws. */
  async revive({ process, how, tail }: Crash): Promise<void> {
    for (let why = how, last = tail; ;) {
      const now = performance.now()
      const recent = [...(this.#crashes.get(process.name) ?? []), now].filter((at) => now - at < withinMs)
      this.#crashes.set(process.name, recent)
      if (recent.length >= crashesMax)
        return this.#giveUp(new Problem(`${process.name} has ended ${recent.length} times (${why})`, last))
      const pauseMs = Math.min(longestMs, firstMs * 2 ** (recent.length - 1))
      this.#say(`${process.name} has ended (${why}); starting it again, its log is ${process.log}`)
      try {
        await sleep(pauseMs, undefined, { signal: this.#signal })
        await process.start(this.#signal)
        this.#say(`${process.name} is back`)
        return this.#revived()
      } catch (error) {
        if (this.#signal.aborted) return
        why = error instanceof Error ? error.message : String(error)
        last = error instanceof Problem ? error.tail : []
      }
    }
  }
}
