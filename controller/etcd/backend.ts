import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../../core/clock.ts'
import { Fault } from '../../core/fault.ts'
import type { Backend, Feed, RawTransaction } from '../ports/backend.ts'
import { checkTransaction } from '../ports/transaction.ts'
import { unaryMsMax, type Connection } from './connection.ts'
import { EtcdFailure, faultOf } from './failure.ts'
import { inform } from './informer.ts'
import { leaderKey, markKey } from './keys.ts'
import type { Lease } from './lease.ts'
import {
  groupRequestOf,
  outcomeOf,
  provenRevision,
  readBackOf,
  requestOf,
  type LeaseId,
  type Outcome,
} from './transaction.ts'

/** A commit has an answer after this long at the latest, the read-back included. Milliseconds. */
export const commitMsMax = 1_900

/** What is kept of it for reading back. Milliseconds. */
const readBackMs = 450

/** A read waits at most this long to be shared with the one that is on its way. Milliseconds. */
const shareMsMax = 20

/** The feed has this long to reach a revision that was read, before it is helped along. Milliseconds. */
const catchUpMs = 100

/** A backend that can also carry several independent transactions in one request. */
export interface GroupingBackend extends Backend {
  /**
   * Commits all, in one round trip; no document written by one may be in another. Each has its own outcome, in order;
   * never rejects. Takes at most `withinMs`.
   */
  commitGroup(transactions: readonly RawTransaction[], withinMs: number): Promise<Outcome[]>
}

/** What the backend needs of its surroundings. */
export interface EtcdBackendContext {
  readonly connection: Connection
  readonly lease: Lease
  readonly clock: Clock
  readonly trouble: (what: string, cause: unknown) => void
}

/** `Backend` on etcd, one request for each commit. */
export class EtcdBackend implements GroupingBackend {
  readonly #context: EtcdBackendContext
  #following: AsyncDisposable | undefined
  #position = Infinity
  #helping: NodeJS.Timeout | undefined
  #disposed = false
  #waitingRead: Promise<number> | undefined
  #sentRead: Promise<unknown> = Promise.resolve()

  constructor(context: EtcdBackendContext) {
    this.#context = context
  }

  async commit(transaction: RawTransaction): Promise<number> {
    checkTransaction(transaction)
    const [outcome] = await this.commitGroup([transaction], commitMsMax)
    if (!outcome) throw new Error('a commit without an outcome')
    if ('fault' in outcome) throw outcome.fault
    return outcome.revision
  }

  async commitGroup(transactions: readonly RawTransaction[], withinMs: number): Promise<Outcome[]> {
    const giveUpAt = performance.now() + withinMs
    try {
      if (this.#disposed) throw new Fault('stopping', 'this process is stopping')
      const lease = await this.#leaseFor(transactions, withinMs)
      return await this.#send(transactions, lease, giveUpAt)
    } catch (error) {
      if (error instanceof EtcdFailure && error.outcome === 'unknown') {
        this.#context.trouble('the outcome of a transaction is unknown', error)
        return await this.#readBack(transactions, error, giveUpAt)
      }
      const fault = faultOf(error)
      return transactions.map(() => ({ fault }))
    }
  }

  follow(feed: Feed): AsyncDisposable {
    if (this.#following) throw new Error('a backend has one feed only')
    const informer = inform(this.#context, {
      listing: () => {
        const listing = feed.listing()
        return {
          part: (entries) => listing.part(entries),
          done: (revision) => {
            listing.done(revision)
            this.#position = revision
          },
        }
      },
      changes: (changes, revision) => {
        feed.changes(changes, revision)
        this.#position = revision
      },
      fresh: (fresh) => feed.fresh(fresh),
    })
    this.#following = informer
    return {
      [Symbol.asyncDispose]: async () => {
        await informer[Symbol.asyncDispose]()
        if (this.#following === informer) this.#following = undefined
      },
    }
  }

  /** Callers share a read that is not sent yet; one that is on its way may be older than what a caller knows of. */
  revision(): Promise<number> {
    if (this.#disposed) return Promise.reject(new Fault('stopping', 'this process is stopping'))
    this.#waitingRead ??= this.#shareRead()
    return this.#waitingRead
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true
    clearTimeout(this.#helping)
    await this.#following?.[Symbol.asyncDispose]()
  }

  async #shareRead(): Promise<number> {
    await Promise.race([this.#sentRead, sleep(shareMsMax)])
    this.#waitingRead = undefined
    const read = this.#context.connection.range({ key: leaderKey, count_only: true }, unaryMsMax)
    this.#sentRead = read.catch(() => {})
    try {
      const revision = Number((await read).header.revision)
      if (revision > this.#position) this.#helpAlong(revision)
      return revision
    } catch (error) {
      throw faultOf(error)
    }
  }

  /**
   * Somebody who waits for the feed to reach a revision that others than Firn made, by writing outside its keys, would wait
   * for the next write of ours: so there is one.
   */
  #helpAlong(revision: number): void {
    this.#helping ??= setTimeout(() => {
      this.#helping = undefined
      if (revision <= this.#position || this.#disposed) return
      const mark = { key: markKey, value: Buffer.alloc(0) }
      this.#context.connection.txn({ success: [{ request_put: mark }] }).catch((cause: unknown) => {
        this.#context.trouble('the feed cannot be helped along', cause)
      })
    }, catchUpMs)
  }

  async #leaseFor(transactions: readonly RawTransaction[], withinMs: number): Promise<LeaseId> {
    if (!transactions.some(({ writes }) => writes.some(({ whileAlive }) => whileAlive))) return undefined
    return this.#context.lease.current(AbortSignal.timeout(Math.min(withinMs, unaryMsMax)))
  }

  async #send(transactions: readonly RawTransaction[], lease: LeaseId, giveUpAt: number): Promise<Outcome[]> {
    const requests = transactions.map((transaction) => requestOf(transaction, lease))
    const [only] = requests
    const alone = requests.length === 1 && only !== undefined
    const withinMs = Math.min(unaryMsMax, giveUpAt - performance.now() - readBackMs)
    const answer = await this.#context.connection.txn(alone ? only : groupRequestOf(requests), withinMs)
    const revision = Number(answer.header.revision)
    return transactions.map((transaction, n) => {
      const own = alone ? answer : answer.responses[n]?.response_txn
      if (!own) throw new EtcdFailure('unknown', 'etcd answered fewer transactions than it was sent')
      return outcomeOf(transaction, own, revision)
    })
  }

  async #readBack(
    transactions: readonly RawTransaction[],
    cause: EtcdFailure,
    giveUpAt: number,
  ): Promise<Outcome[]> {
    const fault = new Fault('store_down', 'the store did not answer; the write may have happened', { cause })
    const unknown = transactions.map(() => ({ fault }))
    const withinMs = giveUpAt - performance.now()
    if (withinMs <= 0) return unknown
    try {
      const { responses } = await this.#context.connection.txn(readBackOf(transactions), withinMs)
      const found = responses.map(({ response_range }) => response_range.kvs[0])
      let at = 0
      return transactions.map((transaction) => {
        const own = found.slice(at, (at += transaction.writes.length))
        const revision = provenRevision(transaction, own)
        return revision === undefined ? { fault } : { revision }
      })
    } catch {
      return unknown
    }
  }
}
