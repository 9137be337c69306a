import { Fault } from '../core/fault.ts'
import type { Caller } from '../controller/use-cases/context.ts'

/** Answers that stay open, all callers together: each holds a subscription. */
const openMax = 500

/** Of one token: so that one cannot keep all others from following. */
const openOfCallerMax = 100

/** How many answers are open that are written as they come. */
export class OpenStreams {
  #open = 0
  readonly #ofCaller = new WeakMap<Caller, number>()

  /** Counts one more, and gives what to call once when it has ended. Throws Fault('too_much') when too many are open. */
  begin(caller: Caller): () => void {
    const his = this.#ofCaller.get(caller) ?? 0
    if (this.#open >= openMax) throw new Fault('too_much', `${openMax} streams are open already`)
    if (his >= openOfCallerMax)
      throw new Fault('too_much', `${openOfCallerMax} streams are open with this token already`)
    this.#count(caller, 1)
    return () => this.#count(caller, -1)
  }

  #count(caller: Caller, by: number): void {
    this.#open += by
    this.#ofCaller.set(caller, (this.#ofCaller.get(caller) ?? 0) + by)
  }
}
