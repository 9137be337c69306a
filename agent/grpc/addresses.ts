/** Which server to try next: those that a server told of, then those of the configuration, round and round. */
export class Addresses {
  readonly #configured: readonly string[]
  readonly #random: () => number
  #all: readonly string[]
  #next: number

  /** `random` (in [0, 1)) makes agents with the same list spread over it. */
  constructor(configured: readonly string[], random: () => number) {
    this.#configured = configured
    this.#random = random
    this.#all = [...new Set(configured)]
    this.#next = Math.floor(random() * this.#all.length)
  }

  /** undefined when none is known. */
  next(): string | undefined {
    const address = this.#all[this.#next % this.#all.length]
    this.#next++
    return address
  }

  /**
   * The servers as one of them says, in an order of this agent's own: those that lose the same server must not all come to the same
   * other one. `current` is the last of them. The configured ones stay behind: the others may all be replaced one day.
   */
  replace(told: readonly string[], current: string): void {
    if (told.length === 0) return
    const others = this.#shuffled(told.filter((address) => address !== current))
    const last = told.includes(current) ? [current] : []
    this.#all = [...new Set([...others, ...last, ...this.#configured])]
    this.#next = 0
  }

  #shuffled(addresses: readonly string[]): string[] {
    return addresses
      .map((address) => ({ address, at: this.#random() }))
      .sort((a, b) => a.at - b.at)
      .map(({ address }) => address)
  }
}
