/** Which server to try next: those that a server told of, then those of the configuration, round and round. */
export class Addresses {
  readonly #configured: readonly string[]
  #all: readonly string[]
  #next: number

  /** `random` (in [0, 1)) says where to begin, so that agents with the same list spread over it. */
  constructor(configured: readonly string[], random: number) {
    this.#configured = configured
    this.#all = [...new Set(configured)]
    this.#next = Math.floor(random * this.#all.length)
  }

  /** undefined when none is known. */
  next(): string | undefined {
    const address = this.#all[this.#next % this.#all.length]
    this.#next++
    return address
  }

  /** The servers as one of them says. The configured ones stay behind them: the others may all be replaced one day. */
  replace(told: readonly string[], current: string): void {
    if (told.length === 0) return
    this.#all = [...new Set([...told, ...this.#configured])]
    this.#next = this.#all.indexOf(current) + 1
  }
}
