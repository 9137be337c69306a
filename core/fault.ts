/**
 * What can go wrong in a way that the caller can act on. Each edge (HTTP, gRPC, the command line) maps every code once;
 * a new code does not compile until it has an answer there.
 */
export type FaultCode =
  /** The request is malformed; `field` names the part. Nothing was stored. */
  | 'bad_request'
  /** No such thing, or another project's. */
  | 'not_found'
  /** It exists already. */
  | 'conflict'
  /** The caller is known but may not do this. */
  | 'forbidden'
  /** No credential, or one that is not (any more) valid. */
  | 'unauthenticated'
  /** The stored thing changed since it was read: read again and decide again. */
  | 'stale_write'
  /** The caller named the version that it has seen, and the document is another. Nothing was stored. */
  | 'precondition_failed'
  /** What is stored there is of a later release, or damaged: it is kept as it is, and nothing was stored. */
  | 'unreadable'
  /** This process no longer leads, or its epoch is older than one already seen. */
  | 'fenced'
  /** etcd does not answer. Nothing was acknowledged; the write may or may not have happened. */
  | 'store_down'
  /** NATS does not answer. */
  | 'feed_down'
  /** The service that issued the caller's token does not answer, or cannot be understood. Nothing was begun. */
  | 'identity_down'
  /** The node has no open stream to any server. */
  | 'agent_offline'
  /** The state does not allow it now (hold-off, a run in progress); `retryAfterMs` when known. */
  | 'busy'
  /** The node's own policy, version or tools cannot do it. */
  | 'unsupported'
  /** A peer sent something this version cannot read. */
  | 'bad_message'
  /** A bound was reached (queue, size, rate). */
  | 'too_much'
  /** It took longer than its deadline. */
  | 'timeout'
  /** Somebody asked for it to stop. */
  | 'cancelled'
  /** The process is going away. */
  | 'stopping'
  /** A child process or tool failed; the message says how. */
  | 'tool_failed'

/** Facts that travel with a fault; shown to the caller, so never a secret. */
export interface FaultDetail {
  /** Dotted path of the offending field, as the caller spelt it. */
  readonly field?: string
  /** Milliseconds after which trying again is useful. */
  readonly retryAfterMs?: number
}

/** A failure the caller can act on. The message says what failed here; `cause` says why below and stays in the log. */
export class Fault extends Error {
  override readonly name = 'Fault'
  readonly code: FaultCode
  readonly detail: FaultDetail

  constructor(code: FaultCode, message: string, options: { cause?: unknown } & FaultDetail = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    const { field, retryAfterMs } = options
    this.detail = {
      ...(field === undefined ? {} : { field }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    }
  }
}

/** Whether `error` is a Fault of one of `codes` (of any code when none is given). */
export function isFault(error: unknown, ...codes: FaultCode[]): error is Fault {
  return error instanceof Fault && (codes.length === 0 || codes.includes(error.code))
}

/** `bad_request` naming the field. */
export function badField(field: string, message: string): Fault {
  return new Fault('bad_request', `${field}: ${message}`, { field })
}

/** For the `default` of a switch over a union: a new member does not compile until it is decided. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`)
}
