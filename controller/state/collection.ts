import type { Stored } from './documents.ts'
import { Order, type Placed } from './order.ts'

/** Gives the index keys of a document; none: it is not in that index. */
export type IndexKeys<T> = (value: T) => readonly string[]

/** One document, the same object through all its changes: so indexes that a change does not concern are not touched. */
interface Item<T> extends Placed {
  readonly project: string
  readonly id: string
  stored: Stored<T>
}

interface Shelf<T> {
  readonly byId: Map<string, Item<T>>
  readonly order: Order<Item<T>>
}

/**
 * The documents of one kind in one process's memory: by project in order of creation, with secondary indexes. Lookups cost
 * the same with ten documents and with a million.
 */
export class Collection<T> {
  readonly #shelves = new Map<string, Shelf<T>>()
  readonly #indexes = new Map<string, { keys: IndexKeys<T>; entries: Map<string, Set<Item<T>>> }>()
  #size = 0

  constructor(indexes: Readonly<Record<string, IndexKeys<T>>>) {
    for (const [name, keys] of Object.entries(indexes)) this.#indexes.set(name, { keys, entries: new Map() })
  }

  get size(): number {
    return this.#size
  }

  get(project: string, id: string): Stored<T> | undefined {
    return this.#shelves.get(project)?.byId.get(id)?.stored
  }

  /** In order of creation, beginning after the first `skip` of them. */
  *of(project: string, skip = 0): IterableIterator<Stored<T>> {
    for (const item of this.#shelves.get(project)?.order.from(skip) ?? []) yield item.stored
  }

  count(project: string): number {
    return this.#shelves.get(project)?.byId.size ?? 0
  }

  /** That have any. */
  projects(): string[] {
    return [...this.#shelves.keys()]
  }

  *all(): IterableIterator<[project: string, id: string, stored: Stored<T>]> {
    for (const { byId } of this.#shelves.values())
      for (const { project, id, stored } of byId.values()) yield [project, id, stored]
  }

  /** Of an index, in order of entering it. */
  *where(index: string, key: string): IterableIterator<Stored<T>> {
    for (const item of this.#index(index).get(key) ?? []) yield item.stored
  }

  countWhere(index: string, key: string): number {
    return this.#index(index).get(key)?.size ?? 0
  }

  /** Throws what an index throws for a value that it cannot read; then nothing has changed. */
  set(project: string, id: string, stored: Stored<T>): Stored<T> | undefined {
    const wanted = [...this.#indexes.values()].map(({ keys }) => keys(stored.value))
    const known = this.#shelves.get(project)?.byId.get(id)
    if (known) {
      const before = known.stored
      known.stored = stored
      this.#reindex(known, before, wanted)
      return before
    }
    const item: Item<T> = { project, id, stored, row: undefined }
    let shelf = this.#shelves.get(project)
    if (!shelf) this.#shelves.set(project, (shelf = { byId: new Map(), order: new Order() }))
    shelf.byId.set(id, item)
    shelf.order.add(item)
    this.#size++
    this.#reindex(item, undefined, wanted)
    return undefined
  }

  delete(project: string, id: string): Stored<T> | undefined {
    const shelf = this.#shelves.get(project)
    const item = shelf?.byId.get(id)
    if (!shelf || !item) return undefined
    shelf.byId.delete(id)
    shelf.order.delete(item)
    if (shelf.byId.size === 0) this.#shelves.delete(project)
    this.#size--
    this.#reindex(item, item.stored, [])
    return item.stored
  }

  #index(name: string): Map<string, Set<Item<T>>> {
    const index = this.#indexes.get(name)
    if (!index) throw new Error(`no index ${name}`)
    return index.entries
  }

  /** `after`: for each index, the keys that it is to be found by from now on. */
  #reindex(item: Item<T>, before: Stored<T> | undefined, after: readonly (readonly string[])[]): void {
    let nth = 0
    for (const { keys, entries } of this.#indexes.values()) {
      const wanted = after[nth++] ?? []
      for (const key of before ? keys(before.value) : []) {
        if (wanted.includes(key)) continue
        const bucket = entries.get(key)
        bucket?.delete(item)
        if (bucket?.size === 0) entries.delete(key)
      }
      for (const key of wanted) {
        let bucket = entries.get(key)
        if (!bucket) entries.set(key, (bucket = new Set()))
        bucket.add(item)
      }
    }
  }
}
