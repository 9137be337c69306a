import { Fault } from '../../core/fault.ts'
import type { Clock, Monotonic } from '../../core/clock.ts'
import type { Backend, Change, Kind, RawTransaction, Ref } from '../ports/backend.ts'
import type { Collection } from './collection.ts'
import { encode, type Unreadable } from './codec.ts'
import type { Documents, Stored, Transaction } from './documents.ts'
import { formats, type Formats } from './formats.ts'
import type { IndexName } from './indexes.ts'
import { Projection, type Look } from './projection.ts'

/** How long a request waits for this server's projection to catch up. Milliseconds; the API answers within 2 s. */
const catchUpMs = 1_800

/** A document that this process wrote, and what it was before as far as it knew. */
export type Committed = {
  [K in Kind]: {
    readonly kind: K
    readonly value: Documents[K]
    readonly before: Documents[K] | undefined
  }
}[Kind]

/**
 * The stored state as this server sees it: reads are lookups in memory and never older than this server's own last write;
 * writes are fenced transactions. It decides nothing.
 */
export class State implements AsyncDisposable {
  readonly #projection: Projection
  readonly #backend: Backend
  readonly #clock: Clock
  readonly #following: AsyncDisposable
  readonly #committed = new Set<(committed: Committed) => void>()
  #staleSince: Monotonic | undefined

  readonly #formats: Formats

  /** `unreadable` is told of each document that cannot be used. `known`: other formats than this release's, for tests. */
  constructor(
    backend: Backend,
    clock: Clock,
    unreadable?: (ref: Ref, why: Unreadable) => void,
    known: Formats = formats,
  ) {
    this.#formats = known
    this.#backend = backend
    this.#clock = clock
    this.#projection = new Projection(unreadable, known)
    this.#staleSince = clock.monotonic()
    const projection = this.#projection
    this.#following = backend.follow({
      listing: () => {
        const listing = projection.listing()
        return {
          part: (entries) => listing.part(entries),
          done: (revision) => {
            listing.done(revision)
            this.#staleSince = undefined
          },
        }
      },
      changes: (changes, revision) => projection.changes(changes, revision),
      fresh: (fresh) => {
        this.#staleSince = fresh ? undefined : (this.#staleSince ?? clock.monotonic())
      },
    })
  }

  /** Whether everything stored has been read once. */
  get loaded(): boolean {
    return this.#projection.position > 0
  }

  /** How old the reads may be. Milliseconds; undefined while the store answers. */
  get staleMs(): number | undefined {
    return this.#staleSince === undefined ? undefined : this.#clock.monotonic() - this.#staleSince
  }

  get<K extends Kind>(kind: K, project: string, id: string): Stored<Documents[K]> | undefined {
    return this.#of(kind).get(project, id)
  }

  /** All of a project, in order of creation, beginning after the first `skip` of them. */
  of<K extends Kind>(kind: K, project: string, skip = 0): IterableIterator<Stored<Documents[K]>> {
    return this.#of(kind).of(project, skip)
  }

  count(kind: Kind, project: string): number {
    return this.#of(kind).count(project)
  }

  /** Projects that have any of a kind. */
  projects(kind: Kind): string[] {
    return this.#of(kind).projects()
  }

  total(kind: Kind): number {
    return this.#of(kind).size
  }

  where<K extends Kind>(kind: K, index: IndexName<K>, key: string): IterableIterator<Stored<Documents[K]>> {
    return this.#of(kind).where(index, key)
  }

  countWhere<K extends Kind>(kind: K, index: IndexName<K>, key: string): number {
    return this.#of(kind).countWhere(index, key)
  }

  /** Why what is stored under this name cannot be used: unlike what is absent, it is there. */
  unreadable(kind: Kind, project: string, id: string): Unreadable | undefined {
    return this.#projection.unreadable({ kind, project, id })
  }

  /** How many documents cannot be used. */
  get unreadableCount(): number {
    return this.#projection.unreadableCount
  }

  /** Of all projects. */
  *all<K extends Kind>(kind: K): IterableIterator<Stored<Documents[K]>> {
    for (const [, , stored] of this.#of(kind).all()) yield stored
  }

  /** Calls `listener` after each change, own commits included, once each. It must be quick and not throw. */
  onLook(listener: (look: Look) => void): () => void {
    return this.#projection.onLook(listener)
  }

  /**
   * Stores all of `transaction` or nothing, and shows it to this process's reads before it resolves. Throws Fault
   * 'stale_write', 'fenced', 'unreadable' (it would replace or rely on a document that this release cannot read), or
   * 'store_down' (the outcome is then unknown; ids that are functions of the request make it safe to repeat).
   */
  async commit(transaction: Transaction): Promise<number> {
    this.#keepUnreadable(transaction)
    const raw = rawOf(transaction, this.#formats)
    const before = transaction.puts.map(({ kind, project, id }) => this.#of(kind).get(project, id)?.value)
    const revision = await this.#backend.commit(raw)
    for (const write of raw.writes) this.#projection.apply({ ...write, revision } as Change)
    for (const [index, { kind, value }] of transaction.puts.entries())
      for (const listener of this.#committed) listener({ kind, value, before: before[index] } as Committed)
    return revision
  }

  /** What cannot be read is kept as it is: nobody knows what would be lost. */
  #keepUnreadable({ requires, puts, deletes = [] }: Transaction): void {
    if (this.#projection.unreadableCount === 0) return
    for (const ref of [...requires, ...puts, ...deletes]) {
      const why = this.#projection.unreadable(ref)
      if (why === undefined) continue
      const text = why.is === 'later' ? `in format ${why.format}, of a later release` : 'damaged'
      throw new Fault('unreadable', `the stored ${ref.kind} ${ref.id} is ${text}; it is kept as it is`)
    }
  }

  /** Calls `listener` for each document that this process has written, after it was stored. It must be quick and not throw. */
  onCommit(listener: (committed: Committed) => void): () => void {
    this.#committed.add(listener)
    return () => this.#committed.delete(listener)
  }

  /** Waits until reads show everything that any server had acknowledged when it was called. Fault 'store_down' after 1.8 s. */
  async catchUp(): Promise<void> {
    const revision = await this.#backend.revision()
    const done = new AbortController()
    const tooLate = new AbortController()
    const late = new Fault('store_down', 'the store does not answer in time')
    this.#clock.sleep(catchUpMs, done.signal).then(
      () => tooLate.abort(late),
      () => {}, // reached in time
    )
    try {
      await this.#projection.reached(revision, tooLate.signal)
    } finally {
      done.abort()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#following[Symbol.asyncDispose]()
  }

  #of<K extends Kind>(kind: K): Collection<Documents[K]> {
    return this.#projection.collections[kind]
  }
}

function rawOf(transaction: Transaction, known: Formats): RawTransaction {
  return {
    requires: transaction.requires,
    writes: [
      ...transaction.puts.map(({ kind, project, id, value }) => ({
        kind,
        project,
        id,
        text: encode(kind, value, known),
        ...(kind === 'server' ? { whileAlive: true as const } : {}),
      })),
      ...(transaction.deletes ?? []).map((gone) => ({ ...gone, text: undefined })),
    ],
    ...(transaction.epoch === undefined ? {} : { epoch: transaction.epoch }),
  }
}
