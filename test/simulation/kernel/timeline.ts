/** Something that will happen, unless it is taken back. */
export interface Happening {
  cancel(): void
}

class Planned implements Happening {
  readonly at: number
  readonly order: number
  act: (() => void) | undefined

  constructor(at: number, order: number, act: () => void) {
    this.at = at
    this.order = order
    this.act = act
  }

  cancel(): void {
    this.act = undefined
  }
}

const isBefore = (a: Planned, b: Planned): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)

/** Events for each turn of Node's own loop: a turn costs a look at the sockets of the machine, which there are none of. */
const eventsATurn = 64

/**
 * The time of a simulated world. Events happen one after the other, each followed by everything that it sets in motion by
 * promises: Node empties its queue of microtasks before the next immediate, so there is nothing to guess.
 */
export class Timeline {
  /** Milliseconds since the world began. */
  now = 0
  /** Events that have happened. */
  count = 0
  #planned: Planned[] = []
  #order = 0

  /** Calls `act` at a time; one that is over is now. */
  at(time: number, act: () => void): Happening {
    const planned = new Planned(Math.max(time, this.now), this.#order++, act)
    this.#push(planned)
    return planned
  }

  after(ms: number, act: () => void): Happening {
    return this.at(this.now + ms, act)
  }

  /** Lets the world go on until a time. `settled` is called when an event and all that follows from it is done. */
  run(until: number, settled: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      let over = false
      const step = (): void => {
        if (over) return
        try {
          settled()
          if (this.#step(until)) return
          over = true
          this.now = until
          resolve()
        } catch (error) {
          over = true
          reject(error as Error)
        }
      }
      const turn = (): void => {
        if (over) return
        for (let i = 0; i < eventsATurn; i++) setImmediate(step)
        setImmediate(turn)
      }
      turn()
    })
  }

  /** Lets the world go on by itself, as long as somebody waits for something. Gives what stops it. */
  runFreely(): () => void {
    let over = false
    const turn = (): void => {
      if (over) return
      this.#step(Infinity)
      setImmediate(turn)
    }
    turn()
    return () => (over = true)
  }

  #step(until: number): boolean {
    for (let next = this.#planned[0]; next && next.at <= until; next = this.#planned[0]) {
      this.#pop()
      if (!next.act) continue
      this.now = next.at
      this.count++
      next.act()
      return true
    }
    return false
  }

  #push(planned: Planned): void {
    const heap = this.#planned
    let index = heap.push(planned) - 1
    while (index > 0) {
      const up = (index - 1) >> 1
      const above = heap[up]
      if (!above || !isBefore(planned, above)) break
      heap[index] = above
      index = up
    }
    heap[index] = planned
  }

  #pop(): void {
    const heap = this.#planned
    const last = heap.pop()
    if (!last || heap.length === 0) return
    let index = 0
    for (;;) {
      const left = heap[2 * index + 1]
      const right = heap[2 * index + 2]
      const smaller = left && right && isBefore(right, left) ? right : left
      if (!smaller || !isBefore(smaller, last)) break
      heap[index] = smaller
      index = smaller === left ? 2 * index + 1 : 2 * index + 2
    }
    heap[index] = last
  }
}
