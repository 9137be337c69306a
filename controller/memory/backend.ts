import { Fault } from '../../core/fault.ts'
import type { Epoch } from '../../core/link.ts'
import type { Backend, Feed, Leadership, RawTransaction } from '../ports/backend.ts'
import { MemoryDocuments, type Batch } from './store.ts'

/** A `Backend` of one process on a shared store, and what a test can do to it. */
export interface MemoryBackend extends Backend {
  /** Cuts this process off: commits and reads throw 'store_down', its feed stands still and is not fresh. */
  stop(): void
  /** Ends `stop`: the feed catches up. */
  resume(): void
  /** The feed falls behind, while commits and reads work: what a slow watch looks like. */
  hold(): void
  /** Ends `hold`. */
  release(): void
}

/** A `Leadership` on a shared store, and what a test can do to it. */
export interface MemoryLeadership extends Leadership {
  /** The lease ends, though the process lives: the next in line leads, and this one queues up again. */
  lose(): void
}

/** Documents and leadership in memory, shared by any number of "processes". Nothing in it waits on a clock. */
export interface MemoryStore {
  /** The view of one more process. Disposing it deletes what it wrote `whileAlive`. */
  backend(): MemoryBackend
  /** One more candidate, in line behind the earlier ones. */
  leadership(): MemoryLeadership
  /** The store is away for everybody; nobody leads meanwhile. */
  stop(): void
  /** Ends `stop`: who led before leads on. */
  resume(): void
}

/**
 * A store with the contract of etcd. Feeds and `onChange` are called in microtasks, in the order of the writes and before
 * whoever awaited the write goes on: the same calls always give the same order.
 */
export function memoryStore(): MemoryStore {
  const shared = new Shared()
  return {
    backend: () => new Process(shared),
    leadership: () => new Candidate(shared),
    stop: () => shared.setDown(true),
    resume: () => shared.setDown(false),
  }
}

class Shared {
  readonly documents = new MemoryDocuments()
  readonly processes = new Set<Process>()
  readonly candidates: Candidate[] = []
  down = false

  constructor() {
    this.documents.onBatch = (batch) => {
      for (const process of this.processes) process.enqueue(batch)
    }
  }

  setDown(down: boolean): void {
    if (down === this.down) return
    this.down = down
    for (const process of this.processes) process.wake()
    for (const candidate of this.candidates) candidate.tell()
  }

  /** The first in line leads, with a new epoch, unless it does already. */
  elect(): void {
    const [first] = this.candidates
    if (first?.won !== undefined) return
    this.documents.setLeader(false)
    if (first) first.won = this.documents.setLeader(true)
    for (const candidate of this.candidates) candidate.tell()
  }
}

class Process implements MemoryBackend {
  readonly #shared: Shared
  #feed: Feed | undefined
  #pending: (Batch | 'reset')[] = []
  #stopped = false
  #held = false
  #fresh = true
  #scheduled = false

  constructor(shared: Shared) {
    this.#shared = shared
    shared.processes.add(this)
  }

  async commit(transaction: RawTransaction): Promise<number> {
    this.#reach()
    return this.#shared.documents.commit(transaction, this)
  }

  async revision(): Promise<number> {
    this.#reach()
    return this.#shared.documents.revision
  }

  follow(feed: Feed): AsyncDisposable {
    if (this.#feed) throw new Error('a backend has one feed only')
    this.#feed = feed
    this.#pending = ['reset']
    this.wake()
    return {
      [Symbol.asyncDispose]: async () => {
        this.#feed = undefined
      },
    }
  }

  stop(): void {
    this.#stopped = true
    this.wake()
  }

  resume(): void {
    this.#stopped = false
    this.wake()
  }

  hold(): void {
    this.#held = true
  }

  release(): void {
    this.#held = false
    this.wake()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#feed = undefined
    if (this.#shared.processes.delete(this)) this.#shared.documents.endOf(this)
  }

  enqueue(batch: Batch): void {
    if (!this.#feed) return
    this.#pending.push(batch)
    this.wake()
  }

  wake(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      this.#deliver()
    })
  }

  #deliver(): void {
    const away = this.#away()
    if (away && this.#fresh) this.#feed?.fresh((this.#fresh = false))
    while (!this.#away() && !this.#held && this.#feed && this.#pending.length > 0) this.#next(this.#feed)
    if (!this.#away() && !this.#fresh) this.#feed?.fresh((this.#fresh = true))
  }

  #next(feed: Feed): void {
    const next = this.#pending.shift()
    if (next === 'reset') {
      // The snapshot is of now: what was queued behind it is in it.
      this.#pending = []
      const listing = feed.listing()
      listing.part(this.#shared.documents.entries())
      listing.done(this.#shared.documents.revision)
    } else if (next) feed.changes(next.changes, next.revision)
  }

  #away(): boolean {
    return this.#stopped || this.#shared.down
  }

  #reach(): void {
    if (this.#away()) throw new Fault('store_down', 'the store does not answer')
    if (!this.#shared.processes.has(this)) throw new Fault('stopping', 'this backend is disposed')
  }
}

class Candidate implements MemoryLeadership {
  readonly #shared: Shared
  readonly #looks = new Set<() => void>()
  won: Epoch | undefined

  constructor(shared: Shared) {
    this.#shared = shared
    shared.candidates.push(this)
    shared.elect()
  }

  epoch(): Epoch | undefined {
    return this.#shared.down ? undefined : this.won
  }

  highest(): Epoch {
    return this.#shared.documents.highest
  }

  onChange(look: () => void): () => void {
    // A wrapper of its own, so that the same function may be given twice.
    const own = () => look()
    this.#looks.add(own)
    return () => this.#looks.delete(own)
  }

  lose(): void {
    this.#leave()
    this.#shared.candidates.push(this)
    this.#shared.elect()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#leave()
    this.#shared.elect()
    this.tell()
    this.#looks.clear()
  }

  tell(): void {
    for (const look of this.#looks) queueMicrotask(look)
  }

  #leave(): void {
    const at = this.#shared.candidates.indexOf(this)
    if (at >= 0) this.#shared.candidates.splice(at, 1)
    if (this.won !== undefined) this.#shared.documents.setLeader(false)
    this.won = undefined
  }
}
