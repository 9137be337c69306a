/** Values on their way from callbacks to one asynchronous reader. The one who pushes keeps it bounded, by `length`. */
export class WaitingLine<T> {
  readonly #values: T[] = []
  #wake = Promise.withResolvers<void>()
  #end: { readonly error?: Error } | undefined

  get length(): number {
    return this.#values.length
  }

  push(value: T): void {
    this.#values.push(value)
    this.#wake.resolve()
  }

  /** The reader gets what is there, then the end, or the error. */
  end(error?: Error): void {
    this.#end ??= error === undefined ? {} : { error }
    this.#wake.resolve()
  }

  /** Ends when the signal aborts, or as `end` says. */
  async *read(signal: AbortSignal): AsyncGenerator<T, void, undefined> {
    const stop = () => this.#wake.resolve()
    signal.addEventListener('abort', stop, { once: true })
    try {
      while (!signal.aborted) {
        const value = this.#values.shift()
        if (value !== undefined) yield value
        else if (this.#end !== undefined) break
        else await this.#next()
      }
    } finally {
      signal.removeEventListener('abort', stop)
    }
    if (!signal.aborted && this.#end?.error !== undefined) throw this.#end.error
  }

  async #next(): Promise<void> {
    await this.#wake.promise
    this.#wake = Promise.withResolvers()
  }
}
