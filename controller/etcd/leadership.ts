import type { Clock } from '../../core/clock.ts'
import { epoch, type Epoch } from '../../core/link.ts'
import type { Leadership } from '../ports/backend.ts'
import { backoffMs } from './backoff.ts'
import type { Connection } from './connection.ts'
import { leaderKey } from './keys.ts'
import type { Lease } from './lease.ts'
import { lookMs, runWatch } from './watch.ts'

/** All candidates see the leader's key go at the same moment; they campaign spread over this time. Milliseconds. */
const spreadMs = 100

/** What leadership needs of its surroundings. */
export interface LeadershipContext {
  readonly connection: Connection
  readonly lease: Lease
  readonly clock: Clock
  /** This server's id: the value of the leader's key while it leads. */
  readonly server: string
  readonly trouble: (what: string, cause: unknown) => void
}

/**
 * The leader is who created the leader's key, under a lease of its own. A candidate creates it if it is absent, else watches
 * it until it goes. What holds against a process that was paused is the fence in each commit, not this.
 */
export class EtcdLeadership implements Leadership {
  readonly #context: LeadershipContext
  readonly #stop = new AbortController()
  readonly #done: Promise<unknown>
  readonly #looks = new Set<() => void>()
  #won: { readonly epoch: Epoch; readonly lease: string } | undefined
  #highest = epoch(0)
  #told: { readonly own: Epoch | undefined; readonly highest: Epoch } = { own: undefined, highest: epoch(0) }

  constructor(context: LeadershipContext) {
    this.#context = context
    this.#done = Promise.all([this.#run(), this.#watchValidity()])
  }

  epoch(): Epoch | undefined {
    return this.#won && this.#context.lease.holds(this.#won.lease) ? this.#won.epoch : undefined
  }

  highest(): Epoch {
    return this.#highest
  }

  onChange(look: () => void): () => void {
    // A wrapper of its own, so that the same function may be given twice.
    const own = () => look()
    this.#looks.add(own)
    return () => this.#looks.delete(own)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#done
    const won = this.#won
    this.#won = undefined
    this.#tell()
    this.#looks.clear()
    // Should this fail, the end of the lease takes the key.
    if (won) await this.#context.connection.txn(resignation(won.epoch)).catch(() => {})
  }

  async #run(): Promise<void> {
    const { clock, lease, trouble } = this.#context
    const { signal } = this.#stop
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        const read = await this.#campaign(await lease.current(signal))
        failures = 0
        if (await this.#keyGone(read)) failures = -1
      } catch (cause) {
        if (!signal.aborted) trouble('the leader cannot be read', cause)
      }
      const pause = failures < 0 ? clock.random() * spreadMs : backoffMs(clock, failures)
      await clock.sleep(pause, signal).catch(() => {})
    }
  }

  /**
   * Creates the leader's key, or learns whose it is; the revision of that. An earlier campaign whose answer was lost is
   * found again by its lease.
   */
  async #campaign(lease: string): Promise<number> {
    const { connection, server } = this.#context
    const answer = await connection.txn({
      compare: [{ result: 'Equal', target: 'Create', key: leaderKey, create_revision: 0 }],
      success: [{ request_put: { key: leaderKey, value: Buffer.from(server), lease } }],
      failure: [{ request_range: { key: leaderKey } }],
    })
    const revision = Number(answer.header.revision)
    const key = answer.succeeded ? undefined : answer.responses[0]?.response_range.kvs[0]
    const created = epoch(key ? Number(key.create_revision) : revision)
    const isOwn = answer.succeeded || key?.lease === lease
    this.#won = isOwn ? { epoch: created, lease } : undefined
    this.#see(created)
    this.#tell()
    return revision
  }

  /** Watches the key from behind `revision`; true once it goes, false when the watch ends before. */
  async #keyGone(revision: number): Promise<boolean> {
    const { connection, clock, trouble } = this.#context
    const change = new AbortController()
    const end = await runWatch(
      connection,
      { key: leaderKey, from: revision + 1 },
      {
        heard: () => {},
        events: (events) => {
          // Whosever it was: whether it is ours again, the next campaign says.
          this.#won = undefined
          for (const { kv } of events) this.#see(epoch(Number(kv.create_revision)))
          this.#tell()
          change.abort()
        },
      },
      clock,
      AbortSignal.any([change.signal, this.#stop.signal]),
    )
    if (end.why === 'broken') trouble('the watch of the leader broke', end.cause)
    return change.signal.aborted
  }

  #see(created: Epoch): void {
    // A deletion has none.
    if (created > this.#highest) this.#highest = created
  }

  /** The end of the lease's time is no event: it has to be looked for. */
  async #watchValidity(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      this.#tell()
      await this.#context.clock.sleep(lookMs, signal).catch(() => {})
    }
  }

  #tell(): void {
    const now = { own: this.epoch(), highest: this.#highest }
    if (now.own === this.#told.own && now.highest === this.#told.highest) return
    this.#told = now
    for (const look of [...this.#looks]) look()
  }
}

const resignation = (created: Epoch) => ({
  compare: [
    { result: 'Equal' as const, target: 'Create' as const, key: leaderKey, create_revision: created },
  ],
  success: [{ request_delete_range: { key: leaderKey } }],
})
