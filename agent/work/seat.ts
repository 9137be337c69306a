import { Fault } from '../../core/fault.ts'
import type { RepositoryId } from '../../core/ids.ts'
import type { Order } from '../../core/link.ts'
import type { OfRun } from '../ports/events.ts'
import type { Stop } from './attempt.ts'
import { attemptKey } from './journal-state.ts'
import { needsOf, type Seat as SeatState } from './lanes.ts'

/** An accepted attempt in this process, from its acceptance to its outcome. */
export class Seat implements SeatState {
  readonly order: Order
  readonly key: string
  readonly light: boolean
  readonly writes: readonly RepositoryId[]
  readonly locks: readonly RepositoryId[]
  readonly uses: readonly RepositoryId[]
  is: SeatState['is']
  /** The instant of its go, on the server's monotonic clock. Microseconds. */
  goUs: number | undefined
  /** When its first step began, on this process's monotonic clock. Microseconds. */
  startedUs: number | undefined
  /** What is done ahead of the go. */
  prepared: Promise<void> = Promise.resolve()
  /** Resolves when its outcome is in the journal and in the outbox. */
  readonly over: Promise<void>
  readonly #over = Promise.withResolvers<void>()
  readonly #stopper = new AbortController()
  #stop: Stop | undefined

  constructor(order: Order, is: SeatState['is']) {
    this.order = order
    this.key = attemptKey(order.run, order.attempt)
    const { light, writes, locks, uses } = needsOf(order)
    this.light = light
    this.writes = writes
    this.locks = locks
    this.uses = uses
    this.is = is
    this.over = this.#over.promise
  }

  get signal(): AbortSignal {
    return this.#stopper.signal
  }

  get stopped(): Stop | undefined {
    return this.#stop
  }

  /** Asks it to stop; the first reason stands. */
  stop(stop: Stop): void {
    if (this.#stop) return
    this.#stop = stop
    const code = stop.end === 'interrupted' ? 'stopping' : 'cancelled'
    this.#stopper.abort(new Fault(code, stop.reason.text))
  }

  /** Its outcome is settled: timers that wait on `signal` end. */
  finish(): void {
    this.#stopper.abort(new Fault('cancelled', 'the attempt is over'))
    this.#over.resolve()
  }
}

/** For the log. */
export const ofRun = (order: Order): OfRun => ({
  run: order.run,
  attempt: order.attempt,
  job: order.job,
  client: order.client,
  ...(order.session ? { session: order.session.id, tag: order.session.tag } : {}),
})
