import type * as rpc from 'etcd3'
import type { Clock } from '../../core/clock.ts'
import type { Change, Entry, Feed } from '../ports/backend.ts'
import { backoffMs } from './backoff.ts'
import type { Connection } from './connection.ts'
import { everything, refOf } from './keys.ts'
import { pagesOf } from './listing.ts'
import { lookMs, runWatch, silentMs } from './watch.ts'

/** What an informer needs of its surroundings. */
export interface InformerContext {
  readonly connection: Connection
  readonly clock: Clock
  /** Told what went wrong before it is tried again. */
  readonly trouble: (what: string, cause: unknown) => void
}

/**
 * Lists, then watches from behind the listing, for ever; after a compaction it lists again. Its position is the revision of
 * the last event and moves by nothing else.
 */
export function inform({ connection, clock, trouble }: InformerContext, feed: Feed): AsyncDisposable {
  const stop = new AbortController()
  const { signal } = stop
  let position: number | undefined
  let failures = 0
  let heardAt = clock.monotonic()
  let fresh = true

  const heard = () => {
    heardAt = clock.monotonic()
    failures = 0
    if (!fresh) feed.fresh((fresh = true))
  }

  async function look() {
    if (position === undefined) {
      position = await list(connection, feed, heard, signal)
      if (position === undefined) return
    }
    const end = await runWatch(
      connection,
      { key: everything.start, end: everything.end, from: position + 1 },
      {
        heard,
        events(events, revision) {
          const after = position ?? 0
          const news = events.filter(({ kv }) => Number(kv.mod_revision) > after)
          const changes = news.flatMap(changeOf)
          // A consumer that throws has lost its place: it gets everything anew.
          position = undefined
          feed.changes(changes, revision)
          position = revision
        },
      },
      clock,
      signal,
    )
    if (end.why === 'compacted') position = undefined
    if (end.why === 'broken') trouble('the watch of the store broke', end.cause)
  }

  async function run() {
    while (!signal.aborted) {
      await look().catch((cause: unknown) => trouble('the store cannot be listed', cause))
      await clock.sleep(backoffMs(clock, failures++), signal).catch(() => {})
    }
  }

  async function watchSilence() {
    while (!signal.aborted) {
      await clock.sleep(lookMs, signal).catch(() => {})
      if (!signal.aborted && fresh && clock.monotonic() - heardAt >= silentMs) feed.fresh((fresh = false))
    }
  }

  const done = Promise.all([run(), watchSilence()])
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      await done
    },
  }
}

/** Feeds everything as of one revision, and gives that; undefined when it was stopped. Rejects with an EtcdFailure. */
async function list(connection: Connection, feed: Feed, heard: () => void, signal: AbortSignal) {
  const listing = feed.listing()
  let revision = 0
  for await (const page of pagesOf(connection, everything, signal)) {
    heard()
    revision = page.revision
    listing.part(page.keyValues.flatMap(entryOf))
  }
  if (signal.aborted) return undefined
  listing.done(revision)
  return revision
}

function entryOf({ key, value, mod_revision }: rpc.IKeyValue): Entry[] {
  const ref = refOf(key)
  return ref ? [{ ...ref, text: value.toString('utf8'), revision: Number(mod_revision) }] : []
}

function changeOf({ type, kv }: rpc.IEvent): Change[] {
  if (type !== 'Delete') return entryOf(kv)
  const ref = refOf(kv.key)
  return ref ? [{ ...ref, text: undefined, revision: Number(kv.mod_revision) }] : []
}
