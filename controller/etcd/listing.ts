import type * as rpc from 'etcd3'
import type { Connection } from './connection.ts'
import { isCompacted, isTooLarge } from './failure.ts'

/** Documents asked for at once; halved when so many are too large or take too long. */
const pageSizeMax = 2_000

/** A page may take longer than a single request: it is large, and nobody waits for it. Milliseconds. */
const pageMsMax = 5_000

/** Keys from `start` on, before `end`. */
export interface KeyRange {
  readonly start: Buffer
  readonly end: Buffer
}

export interface Listing {
  readonly keyValues: readonly rpc.IKeyValue[]
  readonly revision: number
}

/**
 * A range as of one revision, in pages, in the order of its keys. Rejects with an EtcdFailure.
 *
 * etcd (3.4) looks at every key of the range that is asked for, however few are wanted of it: with a million of them each page
 * would take as long as a count of all. So the range asked for is a window, about as dense as the last page was.
 */
export async function* pagesOf(
  connection: Connection,
  range: KeyRange,
  signal: AbortSignal,
): AsyncGenerator<Listing, void, undefined> {
  let revision: number | undefined
  let window: Window = { start: range.start, end: range.end, shared: 0 }
  let limit = pageSizeMax
  const ask = () => {
    const request = { key: window.start, range_end: window.end, limit }
    const asked = connection.range(revision === undefined ? request : { ...request, revision }, pageMsMax)
    // Waited for only when the page before has been taken, or never.
    asked.catch(() => {})
    return asked
  }
  for (let asked = ask(); !signal.aborted;) {
    try {
      const page = await asked
      revision ??= Number(page.header.revision)
      const keys = page.kvs.map((found) => found.key)
      window = nextWindow(window, { keys, more: page.more, limit }, range.end)
      const isLast = window.start.compare(range.end) >= 0
      // etcd looks for the next page while this one is read.
      if (!isLast) asked = ask()
      yield { keyValues: page.kvs, revision }
      if (isLast) return
    } catch (error) {
      if (isCompacted(error) || !isTooLarge(error) || limit === 1) throw error
      limit = Math.ceil(limit / 2)
      asked = ask()
    }
  }
}

/** `shared`: the window holds the keys that have this many first bytes in common with its start. 0: it is the whole rest. */
export interface Window extends KeyRange {
  readonly shared: number
}

interface Page {
  readonly keys: readonly Buffer[]
  readonly more: boolean
  readonly limit: number
}

/** What to ask for after a page of `window`. */
export function nextWindow(window: Window, { keys, more, limit }: Page, end: Buffer): Window {
  const [first, last] = [keys[0], keys.at(-1)]
  if (more && first && last) {
    const start = Buffer.concat([last, Buffer.of(0)])
    // As dense as this page: what begins like all of it.
    return windowFrom(start, Math.max(window.shared, sharedBytes(first, last)), end)
  }
  // Sparse here: a wider look next time.
  const shared = keys.length < limit / 2 ? window.shared - 1 : window.shared
  return windowFrom(window.end, shared, end)
}

function windowFrom(start: Buffer, shared: number, end: Buffer): Window {
  for (let length = Math.min(shared, start.length); length > 0; length--) {
    const byte = start[length - 1] ?? 0
    if (byte === 0xff) continue
    const upTo = Buffer.from(start.subarray(0, length))
    upTo[length - 1] = byte + 1
    return { start, end: upTo.compare(end) < 0 ? upTo : end, shared: length }
  }
  return { start, end, shared: 0 }
}

function sharedBytes(a: Buffer, b: Buffer): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return i
  return length
}
