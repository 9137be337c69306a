import type * as rpc from 'etcd3'
import { Fault } from '../../core/fault.ts'
import type { RawTransaction, Requirement, Write } from '../ports/backend.ts'
import { label } from '../ports/transaction.ts'
import { keyOf, leaderKey } from './keys.ts'

/** What came of one transaction: stored at a revision, or not stored for a reason. */
export type Outcome = { readonly revision: number } | { readonly fault: Fault }

/** The lease that documents "while alive" hang on; undefined when the transaction has none. */
export type LeaseId = string | undefined

/**
 * The message for one transaction. When its comparisons fail, the same round trip reads what they compared, so that the
 * answer says whether the epoch or which document was to blame.
 */
export function requestOf(transaction: RawTransaction, lease: LeaseId): rpc.ITxnRequest {
  const { requires, writes, epoch } = transaction
  const fence = epoch === undefined ? [] : [leaderCompare(epoch)]
  const compared = [...(fence.length > 0 ? [leaderKey] : []), ...requires.map(keyOf)]
  return {
    compare: [...fence, ...requires.map(compareOf)],
    success: writes.map((write) => operationOf(write, lease)),
    failure: compared.map((key) => ({ request_range: { key, keys_only: true } })),
  }
}

/**
 * The message that carries several transactions, each with comparisons of its own: they succeed and fail one by one, at one
 * revision. No document written by one may be in another.
 */
export function groupRequestOf(requests: readonly rpc.ITxnRequest[]): rpc.ITxnRequest {
  return { success: requests.map((request) => ({ request_txn: request })) }
}

/** What etcd's answer to `requestOf(transaction)`, at `revision`, means. */
export function outcomeOf(transaction: RawTransaction, answer: rpc.ITxnResponse, revision: number): Outcome {
  if (answer.succeeded) return { revision }
  const found = answer.responses.map(({ response_range }) => response_range.kvs[0])
  const { epoch, requires } = transaction
  if (epoch !== undefined && Number(found.shift()?.create_revision ?? 0) !== epoch)
    return { fault: new Fault('fenced', `epoch ${epoch} no longer leads`) }
  const changed = requires.find((required, n) => Number(found[n]?.mod_revision ?? 0) !== required.revision)
  return {
    fault: new Fault('stale_write', `${changed ? label(changed) : 'a document'} changed since it was read`),
  }
}

/** The message that reads all documents back that the transactions write. */
export function readBackOf(transactions: readonly RawTransaction[]): rpc.ITxnRequest {
  const keys = transactions.flatMap(({ writes }) => writes.map(keyOf))
  return { success: keys.map((key) => ({ request_range: { key } })) }
}

/**
 * The revision at which a transaction of unknown outcome was stored, from what was read back; undefined when nothing proves
 * that it was. Proof is every text as written, all of one revision, newer than what was required, and what was deleted
 * gone. A transaction that only deletes leaves nothing that would prove it.
 */
export function provenRevision(
  { requires, writes }: RawTransaction,
  found: readonly (rpc.IKeyValue | undefined)[],
): number | undefined {
  const before = Math.max(0, ...requires.map(({ revision }) => revision))
  let proven: number | undefined
  for (const [n, { text }] of writes.entries()) {
    const kv = found[n]
    if (text === undefined) {
      if (kv) return undefined
      continue
    }
    const revision = Number(kv?.mod_revision ?? 0)
    if (revision <= before || kv?.value.toString('utf8') !== text) return undefined
    if (proven !== undefined && proven !== revision) return undefined
    proven = revision
  }
  return proven
}

const leaderCompare = (epoch: number): rpc.ICompare => ({
  result: 'Equal',
  target: 'Create',
  key: leaderKey,
  create_revision: epoch,
})

const compareOf = (required: Requirement): rpc.ICompare =>
  required.revision === 0
    ? { result: 'Equal', target: 'Create', key: keyOf(required), create_revision: 0 }
    : { result: 'Equal', target: 'Mod', key: keyOf(required), mod_revision: required.revision }

function operationOf(write: Write, lease: LeaseId): rpc.IRequestOp {
  const key = keyOf(write)
  if (write.text === undefined) return { request_delete_range: { key } }
  const value = Buffer.from(write.text)
  return { request_put: write.whileAlive && lease !== undefined ? { key, value, lease } : { key, value } }
}
