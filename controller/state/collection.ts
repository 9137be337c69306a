import type { Stored } from './documents.ts'

/** Gives the index keys of a document; none: it is not in that index. */
export type IndexKeys<T> = (value: T) => readonly string[]

/**
 * The documents of one kind in one process's memory: by project in order of creation, with secondary indexes. Lookups cost
 * the same with ten documents and with a million.
 */
export class Collection<T> {
  readonly #byProject = new Map<string, Map<string, Stored<T>>>()
  readonly #indexes = new Map<string, { keys: IndexKeys<T>; entries: Map<string, Map<string, Stored<T>>> }>()
  #size = 0

  constructor(indexes: Readonly<Record<string, IndexKeys<T>>>) {
    for (const [name, keys] of Object.entries(indexes)) this.#indexes.set(name, { keys, entries: new Map() })
  }

  get size(): number {
    return this.#size
  }

  get(project: string, id: string): Stored<T> | undefined {
    return this.#byProject.get(project)?.get(id)
  }

  /** In order of creation. */
  *of(project: string): IterableIterator<Stored<T>> {
    yield* this.#byProject.get(project)?.values() ?? []
  }

  count(project: string): number {
    return this.#byProject.get(project)?.size ?? 0
  }

  *all(): IterableIterator<[project: string, id: string, stored: Stored<T>]> {
    for (const [project, byId] of this.#byProject)
      for (const [id, stored] of byId) yield [project, id, stored]
  }

  /** Of an index, in order of entering it. */
  *where(index: string, key: string): IterableIterator<Stored<T>> {
    yield* this.#index(index).get(key)?.values() ?? []
  }

  countWhere(index: string, key: string): number {
    return this.#index(index).get(key)?.size ?? 0
  }

  set(project: string, id: string, stored: Stored<T>): Stored<T> | undefined {
    let byId = this.#byProject.get(project)
    if (!byId) this.#byProject.set(project, (byId = new Map()))
    const before = byId.get(id)
    byId.set(id, stored)
    if (!before) this.#size++
    this.#reindex(`${project}/${id}`, before, stored)
    return before
  }

  delete(project: string, id: string): Stored<T> | undefined {
    const byId = this.#byProject.get(project)
    const before = byId?.get(id)
    if (!byId || !before) return undefined
    byId.delete(id)
    if (byId.size === 0) this.#byProject.delete(project)
    this.#size--
    this.#reindex(`${project}/${id}`, before, undefined)
    return before
  }

  #index(name: string): Map<string, Map<string, Stored<T>>> {
    const index = this.#indexes.get(name)
    if (!index) throw new Error(`no index ${name}`)
    return index.entries
  }

  #reindex(name: string, before: Stored<T> | undefined, after: Stored<T> | undefined): void {
    for (const { keys, entries } of this.#indexes.values()) {
      const wanted = after ? keys(after.value) : []
      for (const key of before ? keys(before.value) : []) {
        if (wanted.includes(key)) continue
        const bucket = entries.get(key)
        bucket?.delete(name)
        if (bucket?.size === 0) entries.delete(key)
      }
      for (const key of wanted) {
        let bucket = entries.get(key)
        if (!bucket) entries.set(key, (bucket = new Map()))
        if (after) bucket.set(name, after)
      }
    }
  }
}
