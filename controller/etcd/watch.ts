import type * as rpc from 'etcd3'
import type { Clock } from '../../core/clock.ts'
import type { Connection } from './connection.ts'

/** A watch that has heard nothing for so long asks etcd for a sign of life. Milliseconds. */
const idleMs = 1_000

/** After so long without any sign the stream is given up: an answer to the question above was due twice. Milliseconds. */
export const silentMs = 3_000

/** How often the silence is looked at. Milliseconds. */
export const lookMs = 250

/** What to watch: a key, or the keys of [key, end), from a revision on. */
export interface WatchRange {
  readonly key: Buffer
  readonly end?: Buffer
  readonly from: number
}

/** Who listens to a watch. */
export interface WatchListener {
  /** etcd gave a sign of life. */
  heard(): void
  /** All events up to `revision`, in order and never a part of a revision. */
  events(events: readonly rpc.IEvent[], revision: number): void
}

/** Why a watch ended: its start is compacted away, it broke (or fell silent), or the signal said so. */
export type WatchEnd =
  | { readonly why: 'compacted' }
  | { readonly why: 'broken'; readonly cause: unknown }
  | { readonly why: 'stopped' }

/**
 * One watch on one stream, until it ends; never rejects. The caller keeps the revision of the last `events` and starts the
 * next watch behind it: nothing else may move that position, as etcd 3.4 can answer a progress request before it has sent
 * the events that the answer counts.
 */
export async function runWatch(
  connection: Connection,
  range: WatchRange,
  listener: WatchListener,
  clock: Clock,
  signal: AbortSignal,
): Promise<WatchEnd> {
  using stream = connection.watch()
  const { duplex } = stream
  const ended = new AbortController()
  let end: WatchEnd = { why: 'stopped' }
  const finish = (how: WatchEnd) => {
    if (ended.signal.aborted) return
    end = how
    ended.abort()
  }
  let heardAt = clock.monotonic()
  let askedAt = heardAt
  let fragments: rpc.IEvent[] = []

  duplex.on('error', (cause: unknown) => finish({ why: 'broken', cause }))
  duplex.on('end', () => finish({ why: 'broken', cause: new Error('etcd ended the watch') }))
  duplex.on('data', (response: rpc.IWatchResponse) => {
    // What still arrives after the end belongs to nobody: the next watch brings it again.
    if (ended.signal.aborted) return
    heardAt = clock.monotonic()
    try {
      listener.heard()
      if (Number(response.compact_revision) > 0) return finish({ why: 'compacted' })
      if (response.canceled)
        return finish({
          why: 'broken',
          cause: new Error(`etcd cancelled the watch: ${response.cancel_reason}`),
        })
      fragments = fragments.concat(response.events)
      const last = fragments.at(-1)
      if (isPart(response) || !last) return
      const events = fragments
      fragments = []
      listener.events(events, Number(last.kv.mod_revision))
    } catch (cause) {
      finish({ why: 'broken', cause })
    }
  })

  signal.addEventListener('abort', () => finish({ why: 'stopped' }), { signal: ended.signal })
  if (signal.aborted) finish({ why: 'stopped' })
  duplex.write({ create_request: createRequest(range) } as unknown as rpc.IWatchRequest)
  while (!ended.signal.aborted) {
    await clock.sleep(lookMs, ended.signal).catch(() => {})
    const now = clock.monotonic()
    if (now - heardAt >= silentMs) finish({ why: 'broken', cause: new Error('etcd fell silent') })
    else if (now - heardAt >= idleMs && now - askedAt >= idleMs) {
      askedAt = now
      duplex.write({ progress_request: {} } as unknown as rpc.IWatchRequest)
    }
  }
  return end
}

const createRequest = ({ key, end, from }: WatchRange) => ({
  key,
  ...(end ? { range_end: end } : {}),
  start_revision: String(from),
  progress_notify: true,
  fragment: true,
})

/** Whether more of the same events follow: a response above etcd's message size comes in parts. */
const isPart = (response: rpc.IWatchResponse) => (response as { fragment?: boolean }).fragment === true
