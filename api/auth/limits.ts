import type { Clock } from '../../core/clock.ts'
import type { Fault } from '../../core/fault.ts'
import type { Caller } from '../../controller/use-cases/context.ts'
import { EdgeFault } from '../faults.ts'
import { bucketAt, draw, isEmpty, type Bucket, type Rate } from './buckets.ts'

/** How many requests one token may send, unless the configuration says otherwise: more than one server answers. */
export const requestsDefault: Rate = { perSecond: 20_000, burst: 40_000 }

/** How many tokens that are not valid may come from one address before only known ones are looked at. */
const refusalsMax: Rate = { perSecond: 50, burst: 500 }

/** So many addresses are remembered; the one that was refused longest ago is forgotten first. */
const addressesMax = 10_000

/** How often callers ask, and how often an address is refused. All in memory, all bounded. */
export class Limits {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #requests: Rate
  /** By caller, who is one object as long as the token is valid: what is forgotten of tokens is forgotten here. */
  readonly #callers = new WeakMap<Caller, Bucket>()
  readonly #refused = new Map<string, Bucket>()

  constructor(clock: Pick<Clock, 'monotonic'>, requests: Rate = requestsDefault) {
    this.#clock = clock
    this.#requests = requests
  }

  /** Counts one request. Throws EdgeFault('too_many_requests'). */
  request(caller: Caller): void {
    const now = this.#clock.monotonic()
    let bucket = this.#callers.get(caller)
    if (!bucket) this.#callers.set(caller, (bucket = bucketAt(this.#requests, now)))
    const waitMs = draw(bucket, this.#requests, now)
    if (waitMs > 0)
      throw tooMany(`more than ${this.#requests.perSecond} requests a second with this token`, waitMs)
  }

  /** Throws EdgeFault('too_many_requests') when this address has sent too many tokens that are not valid. */
  demandPatience(address: string): void {
    const bucket = this.#refused.get(address)
    if (bucket && isEmpty(bucket, refusalsMax, this.#clock.monotonic())) throw tooManyRefused()
  }

  /** Counts a token that is not valid. Answers what its sender is told: `why`, or EdgeFault 'too_many_requests'. */
  refused(address: string, why: Fault): Fault | EdgeFault {
    const now = this.#clock.monotonic()
    const bucket = this.#refused.get(address) ?? bucketAt(refusalsMax, now)
    this.#refused.delete(address)
    this.#refused.set(address, bucket)
    if (this.#refused.size > addressesMax) this.#forgetOldest()
    return draw(bucket, refusalsMax, now) > 0 ? tooManyRefused() : why
  }

  #forgetOldest(): void {
    const { value, done } = this.#refused.keys().next()
    if (done !== true) this.#refused.delete(value)
  }
}

const tooMany = (message: string, waitMs: number): EdgeFault =>
  new EdgeFault('too_many_requests', message, {
    'retry-after': String(Math.max(1, Math.ceil(waitMs / 1000))),
  })

const tooManyRefused = (): EdgeFault => tooMany('too many tokens that are not valid', 1000)
