import { Fault } from '../../core/fault.ts'
import type { Backend, Feed, RawTransaction } from '../ports/backend.ts'
import { checkTransaction, nameOf } from '../ports/transaction.ts'
import { commitMsMax, type GroupingBackend } from './backend.ts'

/** etcd's `--max-txn-ops` unless somebody sets it: for a request, and for each transaction inside it with their number. */
const etcdOperationsMax = 128

/** Operations of all transactions in one request together: what etcd applies in a few milliseconds. */
const groupOperationsMax = 512

/** Text of all transactions in one request, in UTF-16 units: at three bytes each still less than etcd takes (1.5 MiB). */
const groupTextMax = 384 * 1024

/** Requests in flight at once: while etcd writes one to disk the next one travels. More only makes smaller groups. */
const flightsMax = 2

/** Transactions waiting for a flight; at the rate of a slow disk (1,000 a second) about a second's worth. */
const queueMax = 1_024

/** A transaction that has waited so long is not sent any more: its caller's 2 s would be over before the answer. Ms. */
const waitMsMax = 1_000

/** How many waiting transactions are looked at for one group: enough to fill it past a few that must wait. */
const scanMax = 512

interface Waiting {
  readonly transaction: RawTransaction
  readonly written: ReadonlySet<string>
  /** Written or required. */
  readonly touched: ReadonlySet<string>
  readonly operations: number
  readonly text: number
  /** A lease that is gone fails the whole request: it must not take others with it. */
  readonly alone: boolean
  readonly since: number
  readonly resolve: (revision: number) => void
  readonly reject: (fault: Fault) => void
}

/**
 * Group commit: the same contract as the backend inside, with far more transactions a second when many are in flight. One
 * that finds no request in flight is sent at once. The others wait for the next one and go together with what does not
 * concern the same documents; those that do keep the order in which they came. Each has its own outcome.
 */
export class GroupedBackend implements Backend {
  readonly #inner: GroupingBackend
  readonly #flights = new Set<readonly Waiting[]>()
  readonly #landings = new Set<Promise<void>>()
  #queue: Waiting[] = []
  #disposed = false
  #scheduled = false
  #sweep: NodeJS.Timeout | undefined

  constructor(inner: GroupingBackend) {
    this.#inner = inner
  }

  async commit(transaction: RawTransaction): Promise<number> {
    checkTransaction(transaction)
    if (this.#disposed) throw new Fault('stopping', 'this process is stopping')
    if (this.#queue.length >= queueMax)
      throw new Fault('too_much', 'too many writes wait for the store', { retryAfterMs: waitMsMax })
    return new Promise((resolve, reject) => {
      this.#queue.push(waitingOf(transaction, resolve, reject))
      this.#schedule()
    })
  }

  follow(feed: Feed): AsyncDisposable {
    return this.#inner.follow(feed)
  }

  revision(): Promise<number> {
    return this.#inner.revision()
  }

  /** What is in flight gets its answer; what waits is refused. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true
    clearTimeout(this.#sweep)
    const fault = new Fault('stopping', 'this process is stopping')
    for (const waiting of this.#queue.splice(0)) waiting.reject(fault)
    await Promise.all(this.#landings)
    await this.#inner[Symbol.asyncDispose]()
  }

  /**
   * After the current turn of the event loop: what many requests, read from their sockets at the same moment, commit travels
   * together. One alone does not wait for it.
   */
  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#depart()
    })
  }

  #depart(): void {
    while (this.#flights.size < flightsMax && this.#queue.length > 0) {
      const group = this.#take()
      if (group.length === 0) break
      this.#flights.add(group)
      const landing = this.#fly(group).finally(() => {
        this.#flights.delete(group)
        this.#landings.delete(landing)
        this.#depart()
      })
      this.#landings.add(landing)
    }
    this.#armSweep()
  }

  async #fly(group: readonly Waiting[]): Promise<void> {
    const since = group[0]?.since ?? 0
    const withinMs = commitMsMax - (performance.now() - since)
    const outcomes = await this.#inner.commitGroup(
      group.map(({ transaction }) => transaction),
      withinMs,
    )
    for (const [n, { resolve, reject }] of group.entries()) {
      const outcome = outcomes[n]
      if (!outcome) reject(new Fault('store_down', 'the store gave no outcome'))
      else if ('fault' in outcome) reject(outcome.fault)
      else resolve(outcome.revision)
    }
  }

  /** The next group, in the order of arrival: whatever does not concern documents of those that fly or stay behind. */
  #take(): Waiting[] {
    const written = new Set<string>()
    const touched = new Set<string>()
    const claim = (waiting: Waiting) => {
      for (const name of waiting.written) written.add(name)
      for (const name of waiting.touched) touched.add(name)
    }
    for (const flight of this.#flights) flight.forEach(claim)

    const group = new Group()
    const left: Waiting[] = []
    for (const waiting of this.#queue.slice(0, scanMax)) {
      if (!concerns(waiting, written, touched) && group.hasRoomFor(waiting)) group.add(waiting)
      else left.push(waiting)
      claim(waiting)
    }
    this.#queue = left.concat(this.#queue.slice(scanMax))
    return group.members
  }

  #armSweep(): void {
    const [oldest] = this.#queue
    if (this.#sweep !== undefined || !oldest) return
    this.#sweep = setTimeout(
      () => {
        this.#sweep = undefined
        const limit = performance.now() - waitMsMax
        const late = this.#queue.filter(({ since }) => since <= limit)
        this.#queue = this.#queue.filter(({ since }) => since > limit)
        const fault = new Fault('store_down', 'the store does not keep up; nothing was written')
        for (const { reject } of late) reject(fault)
        this.#armSweep()
      },
      Math.max(1, oldest.since + waitMsMax - performance.now()),
    )
  }
}

/** What goes into one request, within etcd's limits. */
class Group {
  readonly members: Waiting[] = []
  #operationsMost = 0
  #operations = 0
  #text = 0

  hasRoomFor({ alone, operations, text }: Waiting): boolean {
    if (this.members.length === 0) return true
    if (alone || this.members[0]?.alone) return false
    const most = Math.max(this.#operationsMost, operations)
    return (
      this.members.length + 1 + most <= etcdOperationsMax &&
      this.#operations + operations <= groupOperationsMax &&
      this.#text + text <= groupTextMax
    )
  }

  add(waiting: Waiting): void {
    this.members.push(waiting)
    this.#operationsMost = Math.max(this.#operationsMost, waiting.operations)
    this.#operations += waiting.operations
    this.#text += waiting.text
  }
}

/** Whether it writes what others touch, or touches what others write. Requiring the same document concerns nobody. */
function concerns(waiting: Waiting, written: ReadonlySet<string>, touched: ReadonlySet<string>): boolean {
  return !waiting.written.isDisjointFrom(touched) || !waiting.touched.isDisjointFrom(written)
}

function waitingOf(
  transaction: RawTransaction,
  resolve: Waiting['resolve'],
  reject: Waiting['reject'],
): Waiting {
  const { requires, writes, epoch } = transaction
  const written = new Set(writes.map(nameOf))
  return {
    transaction,
    written,
    touched: written.union(new Set(requires.map(nameOf))),
    operations: Math.max(writes.length, requires.length + (epoch === undefined ? 0 : 1)),
    text: writes.reduce((sum, { text }) => sum + (text?.length ?? 0), 0),
    alone: writes.some(({ whileAlive }) => whileAlive),
    since: performance.now(),
    resolve,
    reject,
  }
}
