import type { Epoch } from '../../core/link.ts'
import { Fault } from '../../core/fault.ts'
import type { Change, Entry, RawTransaction, Ref } from '../ports/backend.ts'
import { checkTransaction, label } from '../ports/transaction.ts'

/** One step of the store's history: everything written at one revision. */
export interface Batch {
  readonly revision: number
  readonly changes: readonly Change[]
}

interface Held {
  readonly entry: Entry
  /** The process whose end takes the document with it. */
  readonly owner: object | undefined
}

const keyOf = (ref: Ref) => JSON.stringify([ref.kind, ref.project, ref.id])

/** The documents, the leader's key and the revision that counts every write to either, as etcd does. */
export class MemoryDocuments {
  readonly #held = new Map<string, Held>()
  #revision = 1
  #leader: Epoch | undefined
  #highest = 0 as Epoch

  /** Called with each step, in order, inside the write that makes it. */
  onBatch: (batch: Batch) => void = () => {}

  get revision(): number {
    return this.#revision
  }

  /** The create_revision of the leader's key, while there is one. */
  get leader(): Epoch | undefined {
    return this.#leader
  }

  /** The highest epoch there ever was; 0 before the first. */
  get highest(): Epoch {
    return this.#highest
  }

  /** All documents, ordered by key. */
  entries(): Entry[] {
    return [...this.#held].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, { entry }]) => entry)
  }

  /** `Backend.commit`, as one step. `owner` stands for the calling process. */
  commit(transaction: RawTransaction, owner: object): number {
    checkTransaction(transaction)
    if (transaction.epoch !== undefined && transaction.epoch !== this.#leader)
      throw new Fault('fenced', `epoch ${transaction.epoch} no longer leads`)
    for (const required of transaction.requires)
      if ((this.#held.get(keyOf(required))?.entry.revision ?? 0) !== required.revision)
        throw new Fault('stale_write', `${label(required)} changed since it was read`)

    const revision = this.#revision + 1
    const changes: Change[] = []
    for (const { kind, project, id, text, whileAlive } of transaction.writes) {
      const ref = { kind, project, id }
      if (text === undefined) {
        if (this.#held.delete(keyOf(ref))) changes.push({ ...ref, text, revision })
      } else {
        const entry = { ...ref, text, revision }
        this.#held.set(keyOf(ref), { entry, owner: whileAlive ? owner : undefined })
        changes.push(entry)
      }
    }
    // Deleting what is not there is no write: the revision stays.
    if (changes.length > 0) this.#step(changes)
    return this.#revision
  }

  /** The lease of a process ends: its documents go. */
  endOf(owner: object): void {
    const revision = this.#revision + 1
    const changes: Change[] = []
    for (const [key, held] of this.#held)
      if (held.owner === owner) {
        this.#held.delete(key)
        const { kind, project, id } = held.entry
        changes.push({ kind, project, id, text: undefined, revision })
      }
    if (changes.length > 0) this.#step(changes)
  }

  /** Makes or removes the leader's key; a new one has a new epoch. */
  setLeader(present: boolean): Epoch | undefined {
    if (!present && this.#leader === undefined) return undefined
    this.#leader = present ? ((this.#revision + 1) as Epoch) : undefined
    this.#highest = this.#leader ?? this.#highest
    this.#step([])
    return this.#leader
  }

  #step(changes: readonly Change[]): void {
    this.#revision++
    this.onBatch({ revision: this.#revision, changes })
  }
}
