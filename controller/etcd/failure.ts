import { status, type ServiceError } from '@grpc/grpc-js'
import { Fault } from '../../core/fault.ts'

/**
 * What is known about a request that did not succeed: it never left (`unsent`), etcd said no to it (`refused`), or nobody
 * knows (`unknown`): it may have been done, or be done yet.
 */
export type Outcome = 'unsent' | 'refused' | 'unknown'

/** A request to etcd that did not succeed. Stays inside this folder: the ports speak in Faults. */
export class EtcdFailure extends Error {
  override readonly name = 'EtcdFailure'
  readonly outcome: Outcome
  /** gRPC's status code; undefined when nothing was sent. */
  readonly code: status | undefined

  constructor(outcome: Outcome, message: string, options: { code?: status; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.outcome = outcome
    this.code = options.code
  }
}

/** Answers of etcd itself that say that the request was looked at and not done. */
const refusals: readonly status[] = [
  status.INVALID_ARGUMENT,
  status.NOT_FOUND,
  status.PERMISSION_DENIED,
  status.RESOURCE_EXHAUSTED,
  status.FAILED_PRECONDITION,
  status.OUT_OF_RANGE,
  status.UNAUTHENTICATED,
]

/** The failure for gRPC's error. Only etcd's own words count as a refusal; a proxy's or the library's do not. */
export function failureOf(error: ServiceError): EtcdFailure {
  const refused = refusals.includes(error.code) && error.details.startsWith('etcdserver:')
  const outcome = refused || error.details.startsWith('Attempted to send') ? 'refused' : 'unknown'
  return new EtcdFailure(outcome, error.details, { code: error.code, cause: error })
}

/** Whether etcd said that the revision asked for is compacted: only a new listing helps. */
export const isCompacted = (error: unknown): boolean =>
  error instanceof EtcdFailure && error.code === status.OUT_OF_RANGE

/** Whether an answer was too large for one message, or did not come in time: less at once may do. */
export const isTooLarge = (error: unknown): boolean =>
  error instanceof EtcdFailure &&
  (error.code === status.RESOURCE_EXHAUSTED || error.code === status.DEADLINE_EXCEEDED)

/**
 * The Fault for a failure: 'too_much' for what etcd's own limits refuse (size, number of operations, a full database), else
 * 'store_down'. A Fault stays what it is.
 */
export function faultOf(error: unknown): Fault {
  if (error instanceof Fault) return error
  if (!(error instanceof EtcdFailure)) return new Fault('store_down', 'the store failed', { cause: error })
  if (error.outcome === 'refused' && error.code === status.INVALID_ARGUMENT)
    return new Fault('too_much', 'the store refuses so much at once', { cause: error })
  if (error.outcome === 'refused' && error.code === status.RESOURCE_EXHAUSTED)
    return /too many requests/.test(error.message)
      ? new Fault('too_much', 'the store has too much to do', { cause: error, retryAfterMs: 1_000 })
      : new Fault('too_much', 'the store is full or the write too large', { cause: error })
  return new Fault('store_down', 'the store does not answer', { cause: error })
}
