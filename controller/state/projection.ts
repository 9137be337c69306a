import {
  kinds,
  type Change,
  type Entry,
  type Feed,
  type Kind,
  type Listing,
  type Ref,
} from '../ports/backend.ts'
import { decode, type Reading, type Unreadable } from './codec.ts'
import type { Documents, Stored } from './documents.ts'
import { formats, type Formats } from './formats.ts'
import { emptyCollections, type Collections } from './indexes.ts'

/** One document that came, changed or went. */
export type Look = {
  [K in Kind]: {
    readonly kind: K
    readonly project: string
    readonly id: string
    readonly before: Stored<Documents[K]> | undefined
    readonly after: Stored<Documents[K]> | undefined
  }
}[Kind]

/**
 * All documents in memory, fed by the backend's changes and, ahead of them, by this process's own commits. A change
 * is applied once, by revision: a late echo of what is already known is dropped, so nothing ever goes back.
 */
export class Projection implements Pick<Feed, 'listing' | 'changes'> {
  readonly collections: Collections = emptyCollections()
  /** Everything up to here has been fed. 0: nothing yet. */
  position = 0
  /** Deletes applied ahead of the feed: a late change older than that must not bring the document back. */
  readonly #graves = new Map<string, number>()
  readonly #listeners = new Set<(look: Look) => void>()
  readonly #waiting = new Set<{ readonly revision: number; readonly resolve: () => void }>()
  /** Documents that lie in the store and cannot be used, by name. What was known of them before stays what it was. */
  readonly #unreadable = new Map<string, Unreadable & { readonly revision: number }>()
  readonly #told: (ref: Ref, why: Unreadable) => void
  readonly #formats: Formats

  constructor(told: (ref: Ref, why: Unreadable) => void = () => {}, known: Formats = formats) {
    this.#told = told
    this.#formats = known
  }

  /** Why the newest that is stored under this name cannot be used; undefined when it can, or when there is nothing. */
  unreadable(ref: Ref): Unreadable | undefined {
    return this.#unreadable.get(nameOf(ref))
  }

  /** How many documents cannot be used. */
  get unreadableCount(): number {
    return this.#unreadable.size
  }

  onLook(listener: (look: Look) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Documents are decoded as they come, and shown together when the listing is done. */
  listing(): Listing {
    // At the first one nothing can have gone meanwhile.
    const seen = this.#isEmpty() ? undefined : new Set<string>()
    const news: News[] = []
    return {
      part: (entries) => {
        for (const entry of entries) {
          seen?.add(nameOf(entry))
          if (this.#isNews(entry)) news.push(newsOf(entry, this.#formats))
        }
      },
      done: (revision) => {
        // Collections keep the order in which documents enter; lists are answered in order of creation.
        for (const { about, reading } of news.sort(byCreation))
          if (this.#isNews(about)) this.#take(about, reading)
        if (seen) this.#dropOthers(seen, revision)
        this.#moveTo(revision)
      },
    }
  }

  /** What this process wrote since the snapshot is newer than that, and stays. */
  #dropOthers(seen: ReadonlySet<string>, revision: number): void {
    for (const kind of kinds)
      for (const [project, id] of [...this.collections[kind].all()])
        if (!seen.has(nameOf({ kind, project, id })))
          this.apply({ kind, project, id, text: undefined, revision })
    for (const name of this.#unreadable.keys()) if (!seen.has(name)) this.#unreadable.delete(name)
  }

  #isEmpty(): boolean {
    return kinds.every((kind) => this.collections[kind].size === 0)
  }

  changes(changes: readonly Change[], revision: number): void {
    for (const change of changes) this.apply(change)
    this.#moveTo(revision)
  }

  /** Resolves when everything up to `revision` has been fed; rejects with the signal's reason when it aborts first. */
  async reached(revision: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    if (this.position >= revision) return
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiting = { revision, resolve }
    const stop = (): void => reject(signal?.reason as Error)
    this.#waiting.add(waiting)
    signal?.addEventListener('abort', stop, { once: true })
    try {
      await promise
    } finally {
      this.#waiting.delete(waiting)
      signal?.removeEventListener('abort', stop)
    }
  }

  /** Takes a change unless something newer is known. */
  apply(change: Change): void {
    if (!this.#isNews(change)) return
    if (change.text !== undefined) return this.#take(change, decode(change.kind, change.text, this.#formats))
    this.#unreadable.delete(nameOf(change))
    if (change.revision > this.position) this.#graves.set(nameOf(change), change.revision)
    this.#tell(change, this.collections[change.kind].delete(change.project, change.id), undefined)
  }

  #isNews({ kind, project, id, revision }: About): boolean {
    const known = this.collections[kind].get(project, id)?.revision
    const unread = this.#unreadable.get(nameOf({ kind, project, id }))?.revision
    return revision > (unread ?? known ?? this.#graves.get(nameOf({ kind, project, id })) ?? 0)
  }

  #take(entry: About, reading: Reading<Documents[Kind]>): void {
    if (reading.is !== 'read') return this.#leave(entry, reading)
    const after = { value: reading.value, revision: entry.revision }
    let before
    try {
      before = this.collections[entry.kind].set(entry.project, entry.id, after as never)
    } catch {
      return this.#leave(entry, { is: 'damaged' }) // no index can place it
    }
    this.#graves.delete(nameOf(entry))
    this.#unreadable.delete(nameOf(entry))
    this.#tell(entry, before, after)
  }

  #leave(entry: About, why: Unreadable): void {
    this.#unreadable.set(nameOf(entry), { ...why, revision: entry.revision })
    this.#told(entry, why)
  }

  #tell(
    { kind, project, id }: Ref,
    before: Stored<Documents[Kind]> | undefined,
    after: Stored<Documents[Kind]> | undefined,
  ): void {
    if (!before && !after) return
    // Both are what this kind's collection held and holds.
    const look = { kind, project, id, before, after } as Look
    for (const listener of this.#listeners) listener(look)
  }

  #moveTo(revision: number): void {
    if (revision <= this.position) return
    this.position = revision
    for (const [name, at] of this.#graves) if (at <= revision) this.#graves.delete(name)
    for (const waiting of this.#waiting) if (waiting.revision <= revision) waiting.resolve()
  }
}

const nameOf = ({ kind, project, id }: { kind: Kind; project: string; id: string }): string =>
  `${kind}/${project}/${id}`

type About = Ref & { readonly revision: number }

/** A document that a listing told of. Its text is not kept: a million of them would be as much again. */
interface News {
  readonly about: About
  readonly reading: Reading<Documents[Kind]>
  readonly createdAt: number
}

function newsOf({ kind, project, id, revision, text }: Entry, known: Formats): News {
  const reading = decode(kind, text, known)
  const createdAt = reading.is === 'read' ? createdOf(reading.value) : 0
  return { about: { kind, project, id, revision }, reading, createdAt }
}

const createdOf = (value: object): number => {
  const {
    createdAt,
    admittedAt,
    startedAt,
  }: Partial<Record<'createdAt' | 'admittedAt' | 'startedAt', number>> = value
  return createdAt ?? admittedAt ?? startedAt ?? 0
}

const byCreation = (a: News, b: News): number =>
  a.createdAt - b.createdAt || (a.about.id < b.about.id ? -1 : 1)
