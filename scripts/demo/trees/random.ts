/** Bytes that look random and are the same for the same seed, so that two demos can be compared. Not for secrets. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** Uniform in 0 … 2^32 - 1: the generator named mulberry32. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }

  /** Uniform in `from` … `to`. */
  whole(from: number, to: number): number {
    return from + (this.next() % (to - from + 1))
  }

  bytes(length: number): Buffer {
    const words = new Uint32Array(Math.ceil(length / 4))
    for (let at = 0; at < words.length; at++) words[at] = this.next()
    return Buffer.from(words.buffer, 0, length)
  }
}
