/**
 * One copy of each text that many documents have: projects, clients, jobs, paths. Parsing makes a new one each time, and a
 * catalogue of a million entries would hold a million times the same few. Ids of the documents themselves are no use here.
 */
export class SharedTexts {
  readonly #known = new Map<string, string>()

  /** The same text, as the object that others have. When too many were seen it starts afresh: it is a saving, no registry. */
  of(text: string): string {
    const known = this.#known.get(text)
    if (known !== undefined) return known
    if (this.#known.size >= textsMax) this.#known.clear()
    this.#known.set(text, text)
    return text
  }

  /** Shares the texts of an object that nobody else has seen yet, arrays of texts included, under all keys but `own`. */
  within(document: { [key: string]: unknown }, own: ReadonlySet<string>): void {
    for (const key in document) {
      const value = document[key]
      if (own.has(key)) continue
      if (typeof value === 'string') document[key] = this.of(value)
      else if (Array.isArray(value) && typeof value[0] === 'string')
        document[key] = value.map((item: unknown) => (typeof item === 'string' ? this.of(item) : item))
    }
  }
}

/** Clients, jobs and repositories of a large installation. */
const textsMax = 200_000
