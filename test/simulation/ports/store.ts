import { Fault, isFault } from '../../../core/fault.ts'
import { epoch, type Epoch } from '../../../core/link.ts'
import { MemoryDocuments, type Batch } from '../../../controller/memory/store.ts'
import type { Backend, Entry, Feed, Leadership, RawTransaction } from '../../../controller/ports/backend.ts'
import type { Chance } from '../kernel/chance.ts'
import type { Network } from '../kernel/network.ts'
import type { Process } from '../kernel/process.ts'
import type { Happening } from '../kernel/timeline.ts'

/** The store's name in the network. */
export const storeHost = 'store'

/** As of the etcd folder: a lease's time, the part of it that its owner trusts, how often it is renewed. Milliseconds. */
const leaseMs = 5_000
const trustedMs = 4_000
const renewMs = 1_000
/** Keepalives still arrive for a while when only their answers do not: then the connection is full of what was not confirmed. */
const unansweredMs = { min: 5_000, max: 15_000 } as const
/** A store that says nothing for so long is stale. Milliseconds. */
const silentMs = 3_000
/** A call is given up after this. Milliseconds. */
const withinMs = 1_900
/** A candidate that learnt nothing asks again after this, by chance. Milliseconds. */
const campaignMs = { min: 300, max: 2_000 } as const
/** After a cut the feed is told everything anew with this probability, as when the history was compacted meanwhile. */
const compacted = 0.25

/** What one step of the history was, and who wrote it. */
export interface Step extends Batch {
  readonly by: Process | undefined
  readonly transaction: RawTransaction | undefined
}

/** What a server has of the store. */
export interface Membership {
  readonly backend: Backend
  readonly leadership: Leadership
  /** Its feed lags behind by this, as when the process or the way is busy. Milliseconds. */
  lagMs: number
}

/**
 * The store: one linearizable history, reached over the network. It goes on when a process is cut off, and loses nothing when it is
 * away itself.
 */
export class Store {
  readonly documents = new MemoryDocuments()
  readonly network: Network
  readonly chance: Chance
  /** Told of each step, when it happens. */
  onStep: (step: Step) => void = () => {}
  readonly #members = new Set<Member>()
  #writing: Pick<Step, 'by' | 'transaction'> = { by: undefined, transaction: undefined }
  #leader: Lease | undefined
  #down = false

  constructor(network: Network, chance: Chance) {
    this.network = network
    this.chance = chance
    network.onChange(() => this.#look())
    this.documents.onBatch = (batch) => {
      this.onStep({ ...batch, ...this.#writing })
      for (const member of this.#members) member.queue(batch)
    }
  }

  get isDown(): boolean {
    return this.#down
  }

  /** It is away for everybody; what it has stays. */
  setDown(down: boolean): void {
    this.#down = down
    this.#look()
  }

  join(process: Process): Membership {
    const member = new Member(this, process)
    this.#members.add(member)
    process.onEnd(() => {
      member.lease.cutOff()
      this.#members.delete(member)
    })
    return member
  }

  leave(member: Member): void {
    this.#members.delete(member)
  }

  /** Asks the store: throws Fault('store_down') when there is no answer in time; it may have been done all the same. */
  call<T>(from: Process, work: () => T): Promise<T> {
    return this.network.call(from, storeHost, { withinMs, code: 'store_down' }, () => {
      if (this.#down) throw new Fault('store_down', 'the store is away')
      return work()
    })
  }

  commit(transaction: RawTransaction, member: Member): number {
    this.#writing = { by: member.process, transaction }
    try {
      return this.documents.commit(transaction, member.lease)
    } finally {
      this.#writing = { by: undefined, transaction: undefined }
    }
  }

  /** The first to ask while nobody leads. Gives whether it is this one, and the epoch of who leads. */
  elect(lease: Lease): { readonly own: boolean; readonly epoch: Epoch } {
    if (lease.isOver) throw new Fault('store_down', 'the lease is gone')
    if (!this.#leader) {
      this.#leader = lease
      this.documents.setLeader(true)
    }
    return { own: this.#leader === lease, epoch: this.documents.leader ?? epoch(0) }
  }

  /** What hangs on a lease goes with it. */
  end(lease: Lease): void {
    if (this.#leader === lease) this.resign(lease)
    this.documents.endOf(lease)
  }

  resign(lease: Lease): void {
    if (this.#leader !== lease) return
    this.#leader = undefined
    this.documents.setLeader(false)
    for (const member of this.#members) member.leaderGone()
  }

  /** Whether a process and the store hear each other. */
  reaches(process: Process): { readonly there: boolean; readonly back: boolean } {
    const up = process.isRunning && !this.#down
    const host = process.host.name
    return {
      there: up && !this.network.isCut(host, storeHost),
      back: up && !this.network.isCut(storeHost, host),
    }
  }

  #look(): void {
    for (const member of this.#members) member.look()
  }
}

/** A process's sign of life, as it and the store see it: renewed all the time while they hear each other. */
class Lease {
  readonly #store: Store
  /** While it is not renewed: until when its owner may trust it, and when the store ends it. */
  #trustedUntil = Infinity
  #end: Happening | undefined
  isOver = false

  constructor(store: Store) {
    this.#store = store
  }

  /** Whether its owner may act on it: by its own clock, so also right after a pause. */
  get holds(): boolean {
    return !this.isOver && this.#now() < this.#trustedUntil
  }

  get trustedUntil(): number {
    return this.#trustedUntil
  }

  /** Renewed as of now, when it is not over. */
  renewed(): void {
    if (this.isOver) return
    this.#trustedUntil = Infinity
    this.#end?.cancel()
    this.#end = undefined
  }

  /** Not renewed any more. `silently`: its owner's renewals still arrive, but no answer comes back. */
  cutOff(silently = false): void {
    if (this.#trustedUntil !== Infinity) return
    const { chance, network } = this.#store
    const ago = chance.between(0, renewMs)
    this.#trustedUntil = this.#now() - ago + trustedMs
    const more = silently ? chance.between(unansweredMs.min, unansweredMs.max) : 0
    this.#end = network.timeline.after(leaseMs - ago + more, () => this.over())
  }

  /** The store ends it. */
  over(): void {
    if (this.isOver) return
    this.isOver = true
    this.#end?.cancel()
    this.#store.end(this)
  }

  #now(): number {
    return this.#store.network.timeline.now
  }
}

class Member implements Membership {
  readonly process: Process
  readonly backend: Backend
  readonly leadership: Leadership
  lease: Lease
  lagMs = 0
  readonly #store: Store
  readonly #candidate: Candidate
  #feed: Feed | undefined
  #pending: (Batch | 'all')[] = []
  #isDue = false
  #isCutOff = false
  #isFresh = true
  #isDisposed = false

  constructor(store: Store, process: Process) {
    this.#store = store
    this.process = process
    this.lease = new Lease(store)
    this.#candidate = new Candidate(store, this)
    this.leadership = this.#candidate
    this.backend = {
      commit: (transaction) => this.#commit(transaction),
      revision: () => this.#ask(() => store.documents.revision),
      follow: (feed) => this.#follow(feed),
      [Symbol.asyncDispose]: () => this.#dispose(),
    }
    this.look()
  }

  async #ask<T>(work: () => T): Promise<T> {
    if (this.#isDisposed) throw new Fault('stopping', 'this backend is disposed')
    return this.#store.call(this.process, work)
  }

  #commit(transaction: RawTransaction): Promise<number> {
    return this.#ask(() => this.#store.commit(transaction, this))
  }

  #follow(feed: Feed): AsyncDisposable {
    if (this.#feed) throw new Error('a backend has one feed only')
    this.#feed = feed
    this.#pending = ['all']
    this.#deliver()
    return {
      [Symbol.asyncDispose]: async () => {
        this.#feed = undefined
      },
    }
  }

  queue(batch: Batch): void {
    if (!this.#feed) return
    this.#pending.push(batch)
    this.#deliver()
  }

  /** A watch loses nothing: what cannot be told now is learnt when the way is open again. */
  leaderGone(): void {
    if (this.#isCutOff) return
    const { network } = this.#store
    network.timeline.after(network.latency(), () => this.process.act(() => this.#candidate.leaderGone()))
  }

  /** Who can reach whom has changed, perhaps. */
  look(): void {
    const { there, back } = this.#store.reaches(this.process)
    if (there && back) this.#connected()
    else this.#disconnected(there)
  }

  #connected(): void {
    this.lease.renewed()
    if (!this.#isCutOff) return
    this.#isCutOff = false
    const { chance, network } = this.#store
    network.timeline.after(chance.between(50, 1_000), () => this.process.act(() => this.#back()))
    if (this.#feed && chance.happens(compacted)) this.#pending = ['all']
    this.#deliver()
  }

  #back(): void {
    if (this.lease.isOver && !this.#isDisposed) this.lease = new Lease(this.#store)
    this.look()
    this.#candidate.campaign()
  }

  #disconnected(there: boolean): void {
    this.lease.cutOff(there)
    this.#candidate.watch(this.lease)
    if (this.#isCutOff) return
    this.#isCutOff = true
    this.#store.network.timeline.after(silentMs, () => this.process.act(() => this.#tellFresh()))
  }

  #tellFresh(): void {
    if (this.#isFresh === !this.#isCutOff) return
    this.#isFresh = !this.#isCutOff
    this.#feed?.fresh(this.#isFresh)
  }

  /** One part of the feed is on its way at a time. */
  #deliver(): void {
    if (this.#isDue || this.#isCutOff || !this.#feed || this.#pending.length === 0) return
    this.#isDue = true
    const { network } = this.#store
    network.timeline.after(network.latency() + this.lagMs, () => this.process.act(() => this.#arrive()))
  }

  #arrive(): void {
    this.#isDue = false
    const feed = this.#feed
    if (this.#isCutOff || !feed) return
    this.#tellFresh()
    const pending = this.#pending
    this.#pending = []
    for (const next of pending) {
      if (next === 'all') tellAll(feed, this.#store.documents.entries(), this.#store.documents.revision)
      else if (next.revision > this.#told) feed.changes(next.changes, next.revision)
      this.#told = next === 'all' ? this.#store.documents.revision : Math.max(next.revision, this.#told)
    }
  }

  /** A listing holds what was queued behind it, too. */
  #told = 0

  async #dispose(): Promise<void> {
    if (this.#isDisposed) return
    this.#isDisposed = true
    this.#feed = undefined
    const { lease } = this
    // Should this fail, the store ends it within its time.
    await this.#store.call(this.process, () => lease.over()).catch(() => lease.cutOff())
    this.#store.leave(this)
  }
}

function tellAll(feed: Feed, entries: readonly Entry[], revision: number): void {
  const listing = feed.listing()
  listing.part(entries)
  listing.done(revision)
}

class Candidate implements Leadership {
  readonly #store: Store
  readonly #member: Member
  readonly #looks = new Set<() => void>()
  #won: { readonly epoch: Epoch; readonly lease: Lease } | undefined
  #highest = epoch(0)
  #told: { readonly own: Epoch | undefined; readonly highest: Epoch } = { own: undefined, highest: epoch(0) }
  #asking = false
  /** Something happened while it asked. */
  #again = false
  #isDisposed = false

  constructor(store: Store, member: Member) {
    this.#store = store
    this.#member = member
    this.campaign()
  }

  epoch(): Epoch | undefined {
    return this.#won && this.#won.lease === this.#member.lease && this.#won.lease.holds
      ? this.#won.epoch
      : undefined
  }

  highest(): Epoch {
    return this.#highest
  }

  onChange(look: () => void): () => void {
    const own = () => look()
    this.#looks.add(own)
    return () => this.#looks.delete(own)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true
    const won = this.#won
    this.#won = undefined
    this.#tell()
    this.#looks.clear()
    if (won) await this.#store.call(this.#member.process, () => this.#store.resign(won.lease)).catch(() => {})
  }

  leaderGone(): void {
    this.#won = undefined
    this.#tell()
    const { chance, network } = this.#store
    network.timeline.after(chance.between(0, 200), () => this.#member.process.act(() => this.campaign()))
  }

  /** The lease is not renewed any more: its end is no event, it has to be looked for. */
  watch(lease: Lease): void {
    if (lease.trustedUntil === Infinity) return
    const { process } = this.#member
    this.#store.network.timeline.at(lease.trustedUntil + 1, () => process.act(() => this.#tell()))
  }

  campaign(): void {
    if (this.#asking) this.#again = true
    if (this.#asking || this.#isDisposed) return
    this.#asking = true
    this.#again = false
    const { lease, process } = this.#member
    this.#store
      .call(process, () => this.#store.elect(lease))
      .then(
        (answer) => {
          this.#asking = false
          this.#won = answer.own ? { epoch: answer.epoch, lease } : undefined
          if (answer.epoch > this.#highest) this.#highest = answer.epoch
          this.#tell()
          if (this.#again) this.campaign()
        },
        (error: unknown) => {
          this.#asking = false
          if (!isFault(error)) throw error
          void process.clock
            .sleep(this.#store.chance.between(campaignMs.min, campaignMs.max))
            .then(() => this.campaign())
        },
      )
  }

  #tell(): void {
    const now = { own: this.epoch(), highest: this.#highest }
    if (now.own === this.#told.own && now.highest === this.#told.highest) return
    this.#told = now
    for (const look of [...this.#looks]) look()
  }
}
