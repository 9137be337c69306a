import type { Clock, Instant } from '../../core/clock.ts'

/** The clock is looked at again at least this often, so that a step of the calendar is noticed. Milliseconds. */
const napMaxMs = 30_000

/** Entries that count no more are thrown out when they are more than those that do, and these. */
const sparedEntries = 64

/** Why a nap ends early. One for all: an exception of its own for each would cost more than the rest of the alarm. */
const woken = new Error('another alarm')

/** One timer for any number of keys: rings each once its instant has come. Setting a key and ringing cost log n. */
export class Alarm implements Disposable {
  readonly #clock: Clock
  readonly #ring: (key: string) => void
  /** A binary heap, earliest first. Entries that `#set` no longer agrees with are passed over. */
  readonly #heap: { at: Instant; key: string }[] = []
  readonly #set = new Map<string, Instant>()
  #nap: { until: Instant; wake: AbortController } | undefined
  #closed = false

  constructor(clock: Clock, ring: (key: string) => void) {
    this.#clock = clock
    this.#ring = ring
  }

  get size(): number {
    return this.#set.size
  }

  /** Rings `key` at `at`, unless it is set for earlier. */
  set(key: string, at: Instant): void {
    const known = this.#set.get(key)
    if (this.#closed || (known !== undefined && known <= at)) return
    this.#set.set(key, at)
    this.#tidy()
    this.#push({ at, key })
    this.#arm()
  }

  /** `key` does not ring. */
  clear(key: string): void {
    this.#set.delete(key)
  }

  [Symbol.dispose](): void {
    this.#closed = true
    this.#set.clear()
    this.#heap.length = 0
    this.#nap?.wake.abort(woken)
  }

  #arm(): void {
    const [first] = this.#heap
    if (this.#closed || !first) return
    const now = this.#clock.now()
    const until = Math.min(first.at, now + napMaxMs) as Instant
    if (this.#nap && this.#nap.until <= until) return
    this.#nap?.wake.abort(woken)
    const wake = new AbortController()
    this.#nap = { until, wake }
    this.#clock.sleep(Math.max(0, until - now), wake.signal).then(
      () => this.#woke(wake),
      () => undefined, // an earlier alarm took its place, or the end
    )
  }

  #woke(wake: AbortController): void {
    if (this.#nap?.wake !== wake) return
    this.#nap = undefined
    const now = this.#clock.now()
    for (let first = this.#heap[0]; first && first.at <= now; first = this.#heap[0]) {
      this.#pop()
      if (this.#set.get(first.key) !== first.at) continue
      this.#set.delete(first.key)
      this.#ring(first.key)
    }
    this.#arm()
  }

  /** A key that is looked at often, and is due in a year, would leave an entry for each time. */
  #tidy(): void {
    if (this.#heap.length <= 2 * this.#set.size + sparedEntries) return
    const kept = new Map<string, Instant>()
    for (const { at, key } of this.#heap.splice(0)) if (this.#set.get(key) === at) kept.set(key, at)
    for (const [key, at] of kept) this.#push({ at, key })
  }

  #push(entry: { at: Instant; key: string }): void {
    const heap = this.#heap
    let index = heap.push(entry) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      const above = heap[parent]
      if (!above || above.at <= entry.at) break
      heap[index] = above
      index = parent
    }
    heap[index] = entry
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (!last || heap.length === 0) return
    let index = 0
    for (;;) {
      const left = 2 * index + 1
      const right = heap[left + 1]
      const smaller = right && right.at < (heap[left]?.at ?? 0) ? left + 1 : left
      const below = heap[smaller]
      if (!below || below.at >= last.at) break
      heap[index] = below
      index = smaller
    }
    heap[index] = last
  }
}
