/**
 * How many messages are written before other work gets its turn. At 20 to 40 µs each this is 10 to 20 ms: an order to
 * 10,000 agents then delays a beat or a request by no more than that.
 */
const sliceMax = 500

/**
 * Spreads writes over turns of the event loop: up to 500 at once, the rest in later turns, in the order in which they were
 * handed over. It keeps nothing but the order; who hands over bounds what waits.
 */
export class Outbox {
  #waiting: (() => void)[] = []
  /** How many of `waiting` have been written. */
  #done = 0
  /** How many more this turn may write. */
  #left = sliceMax
  #turnIsSet = false

  /** Calls `write` now or in a later turn. It must not throw. */
  push(write: () => void): void {
    this.#setTurn()
    if (this.#left > 0 && this.#done === this.#waiting.length) {
      this.#left--
      write()
    } else {
      this.#waiting.push(write)
    }
  }

  #setTurn(): void {
    if (this.#turnIsSet) return
    this.#turnIsSet = true
    setImmediate(() => this.#turn())
  }

  #turn(): void {
    this.#turnIsSet = false
    const end = Math.min(this.#done + sliceMax, this.#waiting.length)
    this.#left = sliceMax - (end - this.#done)
    if (this.#left < sliceMax) this.#setTurn()
    while (this.#done < end) this.#waiting[this.#done++]?.()
    // Under a load that never lets it run empty the written part must go, too.
    if (this.#done < this.#waiting.length && this.#done < 10 * sliceMax) return
    this.#waiting = this.#waiting.slice(this.#done)
    this.#done = 0
  }
}
