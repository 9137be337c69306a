// A process that sends etcd the transactions of the product, one request each, through the same library and nothing else:
// what the parts themselves can do.
import { Connection } from '../../controller/etcd/connection.ts'
import { keyOf } from '../../controller/etcd/keys.ts'
import { requestOf } from '../../controller/etcd/transaction.ts'
import type { RawTransaction, Ref } from '../../controller/ports/backend.ts'
import { serveParent, startChild, type Child } from './child.ts'
import { recorder } from './recorded.ts'
import { storeAll } from './seed.ts'

export type Document = Ref & { readonly text: string }

export interface RawLoaded {
  readonly count: number
  readonly perSecond: number
  /** Transactions whose comparisons did not hold, or that failed. */
  readonly wrong: number
}

/** Revisions asked for in one transaction. */
const rangesAtOnce = 100

function makeHandlers() {
  let connection: Connection | undefined
  let record: ((count: number) => Promise<RawTransaction[]>) | undefined
  let waiting: RawTransaction[] = []
  const open = (): Connection => {
    if (!connection) throw new Error('no etcd was named')
    return connection
  }
  return {
    open({ url }: { url: string }): void {
      connection = new Connection({ endpoints: [url] })
    },
    /** Makes ready to create `count` jobs. */
    async prepareJobs({ count }: { count: number }): Promise<void> {
      record ??= await recorder(open())
      waiting = await record(count)
    },
    /** Stores documents for `prepareUpdates`. */
    async store({ documents }: { documents: readonly Document[] }): Promise<void> {
      await storeAll(open(), documents)
    },
    /** Makes ready to write each group again in one transaction, unless its first document changed meanwhile. */
    async prepareUpdates({ groups }: { groups: readonly (readonly Document[])[] }): Promise<void> {
      const firsts = groups.flatMap(([first]) => first ?? [])
      const revisions = await revisionsOf(open(), firsts)
      waiting = groups.map((writes, n) => {
        const { kind, project, id } = firsts[n] as Document
        return { requires: [{ kind, project, id, revision: revisions[n] ?? 0 }], writes }
      })
    },
    /** Sends what was made ready, at most for `ms`. */
    async load({ inFlight, ms }: { inFlight: number; ms: number }): Promise<RawLoaded> {
      const to = open()
      const requests = waiting.map((transaction) => requestOf(transaction, undefined))
      waiting = []
      let next = 0
      let wrong = 0
      const from = performance.now()
      const until = from + ms
      const one = async (): Promise<void> => {
        while (performance.now() < until) {
          const request = requests[next++]
          if (!request) return
          const { succeeded } = await to.txn(request).catch(() => ({ succeeded: false }))
          if (!succeeded) wrong++
        }
      }
      await Promise.all(Array.from({ length: inFlight }, one))
      const count = Math.min(next, requests.length)
      return { count, wrong, perSecond: count / ((performance.now() - from) / 1_000) }
    },
  }
}

async function revisionsOf(connection: Connection, refs: readonly Ref[]): Promise<number[]> {
  const revisions: number[] = []
  for (let from = 0; from < refs.length; from += rangesAtOnce) {
    const ranges = refs.slice(from, from + rangesAtOnce).map((ref) => ({
      request_range: { key: keyOf(ref), keys_only: true },
    }))
    const { responses } = await connection.txn({ success: ranges })
    for (const { response_range } of responses)
      revisions.push(Number(response_range.kvs[0]?.mod_revision ?? 0))
  }
  return revisions
}

export type RawLoad = ReturnType<typeof makeHandlers>

export const startRawLoad = (): Child<RawLoad> => startChild<RawLoad>(import.meta.filename)

if (import.meta.main) serveParent(makeHandlers())
