/** Chance that repeats itself: the same seed says the same, on every machine. */
export class Chance {
  #a: number
  #b: number
  #c: number
  #d = 1

  constructor(seed: number) {
    // Neighbouring seeds are spread first: the generator itself (sfc32) needs a few rounds to part them.
    this.#a = Math.imul(seed ^ (seed >>> 16), 0x45d9f3b) | 0
    this.#b = Math.imul(this.#a ^ 0x9e3779b9, 0x119de1f3) | 0
    this.#c = (seed / 2 ** 32) | 0
    for (let i = 0; i < 12; i++) this.next()
  }

  /** Uniform in [0, 1). */
  next(): number {
    const t = (((this.#a + this.#b) | 0) + this.#d) | 0
    this.#d = (this.#d + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + t) | 0
    return (t >>> 0) / 2 ** 32
  }

  /** Whether something happens that does so with this probability. */
  happens(probability: number): boolean {
    return this.next() < probability
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.next()
  }

  /** A whole number, both bounds included. */
  whole(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1))
  }

  /** One of them; there must be one. */
  pick<T>(items: readonly T[]): T {
    const item = items[Math.floor(this.next() * items.length)]
    if (item === undefined) throw new Error('nothing to choose from')
    return item
  }

  /** A chance of its own: what one part of the world asks does not change what another hears. */
  fork(): Chance {
    return new Chance(Math.floor(this.next() * 2 ** 32))
  }
}
