import type { Epoch } from '../../core/link.ts'

/**
 * The kinds of stored documents. Each belongs to a project ('' for what belongs to the installation).
 */
export const kinds = [
  'job',
  'session',
  'set',
  'run',
  'client',
  'backup',
  'foreign',
  'action',
  'repository',
  'token',
  'join',
  'server',
  'instance',
  'instance_backup',
  'strategy',
  'quota',
  'alias',
  'answer',
] as const
/** One of them. */
export type Kind = (typeof kinds)[number]

/** Names one document. `id` and `project` have only characters that the ids of core allow, and "." and ":". */
export interface Ref {
  readonly kind: Kind
  readonly project: string
  readonly id: string
}

/** A stored document as text (JSON), with the revision of its last write (etcd: mod_revision). */
export interface Entry extends Ref {
  readonly text: string
  readonly revision: number
}

/** A document that was written, or that is gone. */
export type Change = Entry | (Ref & { readonly text: undefined; readonly revision: number })

/** The document must be at this revision; 0: it must not exist. */
export interface Requirement extends Ref {
  readonly revision: number
}

/** A document to be written, or to be deleted. */
export type Write = Ref & {
  /** undefined deletes. */
  readonly text: string | undefined
  /** The document goes when this process is gone (its lease ends): only for kind `server`. */
  readonly whileAlive?: true
}

/** Writes that happen together or not at all. */
export interface RawTransaction {
  readonly requires: readonly Requirement[]
  readonly writes: readonly Write[]
  /** Only while the leader's key still has this create_revision. */
  readonly epoch?: Epoch
}

/** At most this many requirements and writes together in a transaction; etcd's own limit is 128 operations. */
export const operationsMax = 120

/**
 * Where the documents live: etcd, or memory for tests. Every implementation passes test/contracts/backend.
 *
 * `commit` is atomic, and returns the revision at which all writes are stored. It throws Fault 'stale_write' (a
 * requirement does not hold), 'fenced' (the epoch does not), or 'store_down' within 2 s when the store does not answer: the
 * outcome is then unknown to the caller, unless a read-back could settle it. It never retries a transaction by itself.
 */
export interface Backend extends AsyncDisposable {
  commit(transaction: RawTransaction): Promise<number>
  /**
   * Feeds everything that is stored, then every change, in order and without a gap, until disposed. One feed only.
   */
  follow(feed: Feed): AsyncDisposable
  /** The newest revision, by a linearizable read. Throws Fault('store_down') within 2 s. */
  revision(): Promise<number>
}

/** All documents as of one revision, told in parts: there may be a million. */
export interface Listing {
  part(entries: Iterable<Entry>): void
  done(revision: number): void
}

/** Who follows what is stored. One that throws has lost its place: it is fed everything anew. */
export interface Feed {
  /** All documents anew: at the start, and after a gap that could not be bridged. One that is not done counts for nothing. */
  listing(): Listing
  /** Every change up to `revision`, in order; may be empty (the position moved). */
  changes(changes: readonly Change[], revision: number): void
  /** `false` when the store has been silent too long (3 s), `true` when it answers again. */
  fresh(fresh: boolean): void
}

/**
 * Who plans. A leader is computed, not remembered: `epoch()` gives a number only while the lease provably holds.
 * Disposing resigns at once, and may be done twice; `highest()` then stays what it was.
 */
export interface Leadership extends AsyncDisposable {
  /** This process's epoch while it leads. */
  epoch(): Epoch | undefined
  /** The highest epoch seen, whoever leads; 0 before the first. */
  highest(): Epoch
  /** Calls `look` after each change of who leads. Gives the unsubscriber. */
  onChange(look: () => void): () => void
}
