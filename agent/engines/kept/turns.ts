/** One after the other for each key. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>()

  isBusy(key: string): boolean {
    return this.#last.has(key)
  }

  /** Waits for its turn, which lasts until it is disposed; undefined when the signal aborts first. */
  async take(key: string, signal: AbortSignal): Promise<Disposable | undefined> {
    const before = this.#last.get(key)
    const { promise, resolve } = Promise.withResolvers<void>()
    const turn = Promise.all([before, promise]).then(() => {
      if (this.#last.get(key) === turn) this.#last.delete(key)
    })
    this.#last.set(key, turn)
    const aborted = Promise.withResolvers<void>()
    const abort = (): void => aborted.resolve()
    signal.addEventListener('abort', abort, { once: true })
    if (before && !signal.aborted) await Promise.race([before, aborted.promise])
    signal.removeEventListener('abort', abort)
    if (!signal.aborted) return { [Symbol.dispose]: resolve }
    resolve()
    return undefined
  }
}
