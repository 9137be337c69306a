// A feed that keeps the state which it was told, and complains about what a feed must never do.
import type { Change, Entry, Feed, Listing, Ref } from '../../controller/ports/backend.ts'
import { nameOf } from '../../controller/ports/transaction.ts'

/** A `Feed` with what it has been told so far. */
export class RecordedFeed implements Feed {
  /** The stored texts by `nameOf(ref)`, as far as told. */
  readonly texts = new Map<string, string>()
  /** Every change told, in order, without those inside resets. */
  readonly seen: Change[] = []
  /** What each `fresh` said. */
  readonly freshness: boolean[] = []
  /** Calls that break the contract, in words; a test expects none. */
  readonly broken: string[] = []
  resets = 0
  /** The revision up to which everything has been told; -1 before the first reset. */
  revision = -1

  text(ref: Ref): string | undefined {
    return this.texts.get(nameOf(ref))
  }

  listing(): Listing {
    const listed: Entry[] = []
    return {
      part: (entries) => void listed.push(...entries),
      done: (revision) => this.#reset(listed, revision),
    }
  }

  #reset(entries: readonly Entry[], revision: number): void {
    this.#move(revision)
    this.resets++
    this.texts.clear()
    for (const entry of entries) {
      if (entry.revision > revision) this.broken.push(`a listing of ${revision} holds ${entry.revision}`)
      this.texts.set(nameOf(entry), entry.text)
    }
  }

  changes(changes: readonly Change[], revision: number): void {
    if (this.resets === 0) this.broken.push('changes before the first reset')
    let last = this.revision
    for (const change of changes) {
      // Changes of one transaction share a revision, but never with an earlier call.
      if (change.revision < last || change.revision <= this.revision)
        this.broken.push(`${change.revision} came after ${last}`)
      last = change.revision
      if (change.text === undefined) this.texts.delete(nameOf(change))
      else this.texts.set(nameOf(change), change.text)
    }
    if (last > revision) this.broken.push(`${last} was told as a part of ${revision}`)
    this.seen.push(...changes)
    this.#move(revision)
  }

  fresh(fresh: boolean): void {
    if (fresh === (this.freshness.at(-1) ?? true)) this.broken.push(`said fresh(${fresh}) twice`)
    this.freshness.push(fresh)
  }

  #move(revision: number): void {
    if (revision < this.revision) this.broken.push(`went back from ${this.revision} to ${revision}`)
    this.revision = revision
  }
}
