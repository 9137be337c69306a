import { kinds, type Change, type Entry, type Feed, type Kind } from '../ports/backend.ts'
import { decode, type Documents, type Stored } from './documents.ts'
import { emptyCollections, type Collections } from './indexes.ts'

/** One document that came, changed or went. */
export interface Look<K extends Kind = Kind> {
  readonly kind: K
  readonly project: string
  readonly id: string
  readonly before: Stored<Documents[K]> | undefined
  readonly after: Stored<Documents[K]> | undefined
}

/**
 * All documents in memory, fed by the backend's changes and, ahead of them, by this process's own commits. A change
 * is applied once, by revision: a late echo of what is already known is dropped, so nothing ever goes back.
 */
export class Projection implements Feed {
  readonly collections: Collections = emptyCollections()
  /** Everything up to here has been fed. 0: nothing yet. */
  position = 0
  isFresh = false
  /** Deletes applied ahead of the feed: a late change older than that must not bring the document back. */
  readonly #graves = new Map<string, number>()
  readonly #listeners = new Set<(look: Look) => void>()
  readonly #waiting: { revision: number; resolve: () => void }[] = []
  readonly #unreadable: (entry: Entry) => void

  constructor(unreadable: (entry: Entry) => void = () => {}) {
    this.#unreadable = unreadable
  }

  onLook(listener: (look: Look) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  reset(entries: Iterable<Entry>, revision: number): void {
    const seen = new Set<string>()
    for (const entry of inOrderOfCreation(entries)) {
      seen.add(nameOf(entry))
      this.apply(entry)
    }
    for (const kind of kinds)
      for (const [project, id, stored] of [...this.collections[kind].all()])
        if (stored.revision <= revision && !seen.has(nameOf({ kind, project, id })))
          this.apply({ kind, project, id, text: undefined, revision })
    this.#moveTo(revision)
    this.isFresh = true
  }

  changes(changes: readonly Change[], revision: number): void {
    for (const change of changes) this.apply(change)
    this.#moveTo(revision)
  }

  fresh(fresh: boolean): void {
    this.isFresh = fresh
  }

  /** Resolves when everything up to `revision` has been fed. */
  reached(revision: number): Promise<void> {
    if (this.position >= revision) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push({ revision, resolve }))
  }

  /** Takes a change unless something newer is known. */
  apply(change: Change): void {
    const name = nameOf(change)
    const collection = this.collections[change.kind]
    const known = collection.get(change.project, change.id)?.revision ?? this.#graves.get(name) ?? 0
    if (change.revision <= known) return
    if (change.text === undefined) {
      if (change.revision > this.position) this.#graves.set(name, change.revision)
      this.#tell(change, collection.delete(change.project, change.id), undefined)
      return
    }
    const value = decode(change.kind, change.text)
    if (value === undefined) return this.#unreadable(change)
    this.#graves.delete(name)
    const after = { value, revision: change.revision }
    const before = collection.set(change.project, change.id, after as never)
    this.#tell(change, before, after)
  }

  #tell(
    { kind, project, id }: Change,
    before: Stored<Documents[Kind]> | undefined,
    after: Stored<Documents[Kind]> | undefined,
  ): void {
    if (!before && !after) return
    for (const listener of this.#listeners) listener({ kind, project, id, before, after })
  }

  #moveTo(revision: number): void {
    if (revision <= this.position) return
    this.position = revision
    for (const [name, at] of this.#graves) if (at <= revision) this.#graves.delete(name)
    for (let i = this.#waiting.length - 1; i >= 0; i--)
      if (this.#waiting[i]!.revision <= revision) this.#waiting.splice(i, 1)[0]!.resolve()
  }
}

const nameOf = ({ kind, project, id }: { kind: Kind; project: string; id: string }): string =>
  `${kind}/${project}/${id}`

/** Collections keep the order in which documents enter; a list answers in order of creation. */
function inOrderOfCreation(entries: Iterable<Entry>): Entry[] {
  const created = (entry: Entry): number => {
    const at = /"(?:createdAt|admittedAt|startedAt)":(\d+)/.exec(entry.text)?.[1]
    return at === undefined ? 0 : Number(at)
  }
  return [...entries]
    .map((entry) => ({ entry, at: created(entry) }))
    .sort((a, b) => a.at - b.at || (a.entry.id < b.entry.id ? -1 : 1))
    .map(({ entry }) => entry)
}
