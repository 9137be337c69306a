// What a store must survive, done to a real etcd behind a proxy that cuts, freezes and mutes connections.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../core/clock-system.ts'
import { isFault } from '../../core/fault.ts'
import { eventually } from '../../test/support/eventually.ts'
import { startProxy, type Proxy } from '../../test/support/proxy.ts'
import { RecordedFeed } from '../../test/support/recorded-feed.ts'
import { startEtcd, type ServerProcess } from '../../test/support/servers.ts'
import type { Backend, Ref } from '../ports/backend.ts'
import { Connection } from './connection.ts'
import { keyOf } from './keys.ts'
import { openEtcd, type EtcdStore } from './open.ts'

const doc = (id: string): Ref => ({ kind: 'job', project: 'p', id })
const numbered = (count: number) => Array.from({ length: count }, (_, n) => n)
const write = (backend: Backend, id: string, text = id) =>
  backend.commit({ requires: [], writes: [{ ...doc(id), text }] })
const answers = (backend: Backend) => eventually(() => backend.revision(), { withinMs: 20_000 })

let etcd: ServerProcess
let proxy: Proxy
/** Reaches etcd through the proxy, and is what the tests are about. */
let store: EtcdStore
/** Reaches etcd directly. */
let direct: EtcdStore
let feed: RecordedFeed
let troubles: string[]

function open(...endpoints: string[]): EtcdStore {
  const trouble = (what: string) => troubles.push(what)
  return openEtcd({ endpoints, server: 'server', clock: systemClock, trouble })
}

beforeEach(async () => {
  troubles = []
  etcd = await startEtcd()
  proxy = await startProxy(etcd)
  direct = open(etcd.url)
  store = open(proxy.url)
  feed = new RecordedFeed()
  store.backend.follow(feed)
  await eventually(() => feed.resets === 1)
})

afterEach(async () => {
  etcd.signal('SIGCONT')
  proxy.heal()
  await store[Symbol.asyncDispose]()
  await direct[Symbol.asyncDispose]()
  await proxy[Symbol.asyncDispose]()
  await etcd[Symbol.asyncDispose]()
  if (feed.broken.length > 0) throw new Error(`the feed broke its contract: ${feed.broken.join('; ')}`)
})

/** Puts documents one revision each, with many requests in flight, past any grouping. */
async function putEach(ids: readonly string[], text: string): Promise<void> {
  using connection = new Connection({ endpoints: [etcd.url] })
  const left = ids.values()
  const putter = async () => {
    for (const id of left) {
      const put = { key: keyOf(doc(id)), value: Buffer.from(text) }
      await connection.txn({ success: [{ request_put: put }] }, 30_000)
    }
  }
  await Promise.all(numbered(64).map(putter))
}

describe('a feed', () => {
  it('misses nothing of what was written while its connection was cut', async () => {
    proxy.cut()
    for (const n of numbered(18)) await write(direct.backend, `while-cut-${n}`)
    proxy.heal()
    await eventually(() => feed.text(doc('while-cut-17')))
    expect(feed.seen.map(({ id }) => id)).toEqual(numbered(18).map((n) => `while-cut-${n}`))
    expect(feed.resets).toBe(1)
  })

  it('gets a backlog of 8,000 changes once and in order, though it is cut again in the middle', async () => {
    proxy.cut()
    const ids = numbered(8_000).map((n) => `backlog-${n}`)
    await putEach(ids, 'x'.repeat(100))
    let cuts = 0
    proxy.heal()
    proxy.watchAnswers((total) => {
      if (total < 400_000 || cuts++ > 0) return
      proxy.cut()
      setTimeout(() => proxy.heal(), 100)
    })
    await eventually(() => feed.texts.size === 8_000, { withinMs: 30_000 })
    expect(cuts).toBeGreaterThan(0)
    expect(feed.seen).toHaveLength(8_000)
    expect(new Set(feed.seen.map(({ id }) => id))).toEqual(new Set(ids))
    expect(feed.resets).toBe(1)
  })

  it('gets a backlog that is larger than one message', async () => {
    proxy.cut()
    await putEach(
      numbered(1_000).map((n) => `large-${n}`),
      'x'.repeat(10_000),
    )
    proxy.heal()
    await eventually(() => feed.texts.size === 1_000, { withinMs: 30_000 })
    expect(feed.seen).toHaveLength(1_000)
    expect(feed.resets).toBe(1)
  })

  it('starts anew when its place was compacted away, and no longer knows what was deleted meanwhile', async () => {
    for (const n of numbered(20)) await write(direct.backend, `old-${n}`)
    await eventually(() => feed.text(doc('old-19')))
    proxy.cut()
    await direct.backend.commit({ requires: [], writes: [{ ...doc('old-3'), text: undefined }] })
    const newest = await write(direct.backend, 'old-4', 'changed')
    await compact(newest)
    proxy.heal()
    await eventually(() => feed.resets === 2)
    expect(feed.text(doc('old-3'))).toBe(undefined)
    expect(feed.text(doc('old-4'))).toBe('changed')
    expect(feed.texts.size).toBe(19)
    await write(direct.backend, 'after')
    await eventually(() => feed.text(doc('after')))
  })

  it('says that it is stale while nothing comes through, and goes on when something does', async () => {
    proxy.freeze()
    await eventually(() => feed.freshness.at(-1) === false)
    await write(direct.backend, 'meanwhile')
    expect(feed.text(doc('meanwhile'))).toBe(undefined)
    proxy.heal()
    await eventually(() => feed.freshness.at(-1) === true)
    await eventually(() => feed.text(doc('meanwhile')))
    expect(feed.resets).toBe(1)
  })

  it('stays fresh and connected when nothing happens', async () => {
    await write(store.backend, 'first')
    // For requests and the lease, for keeping the lease alive, for the feed, for the leader.
    const connections = 5
    await eventually(() => proxy.accepted === connections)
    // Longer than a silent stream would be kept.
    await systemClock.sleep(4_000)
    expect(feed.freshness).toEqual([])
    expect(proxy.accepted).toBe(connections)
    expect(troubles).toEqual([])
  })

  it('reaches a revision that others made by writing keys of their own', async () => {
    using connection = new Connection({ endpoints: [etcd.url] })
    const put = { key: Buffer.from('/elsewhere/a'), value: Buffer.from('x') }
    await connection.txn({ success: [{ request_put: put }] })
    const newest = await store.backend.revision()
    expect(newest).toBeGreaterThan(feed.revision)
    await eventually(() => feed.revision >= newest)
    expect(feed.texts.size).toBe(0)
  })

  it('gives a consumer that failed everything anew', async () => {
    const fragile = new RecordedFeed()
    let fails = true
    direct.backend.follow({
      listing: () => fragile.listing(),
      fresh: (fresh) => fragile.fresh(fresh),
      changes: (changes, revision) => {
        if (!fails) return fragile.changes(changes, revision)
        fails = false
        throw new Error('lost its place')
      },
    })
    await eventually(() => fragile.resets === 1)
    await write(store.backend, 'a')
    await eventually(() => fragile.resets === 2)
    expect(fragile.text(doc('a'))).toBe('a')
  })
})

async function compact(revision: number): Promise<void> {
  const { Etcd3 } = await import('etcd3')
  const client = new Etcd3({ hosts: etcd.url })
  await client.kv.compact({ revision, physical: true })
  client.close()
}

describe('a commit', () => {
  it('fails in time while etcd stands still, and works when it goes on', async () => {
    await write(store.backend, 'before')
    etcd.signal('SIGSTOP')
    const many = Promise.allSettled(numbered(40).map((n) => write(store.backend, `stalled-${n}`)))
    // The port promises an answer within 2 s; this adds a little for the timers of a busy machine.
    const outcomes = await within(2_500, many)
    for (const outcome of outcomes) expect(outcome).toMatchObject({ reason: { code: 'store_down' } })
    await expect(within(2_500, store.backend.revision())).rejects.toMatchObject({ code: 'store_down' })
    await eventually(() => feed.freshness.at(-1) === false)
    etcd.signal('SIGCONT')
    await answers(store.backend)
    await write(store.backend, 'after')
    await eventually(() => feed.text(doc('after')) && feed.freshness.at(-1) === true)
  })

  it('fails in time while etcd is down, and works when it is there again', async () => {
    await etcd.kill()
    await expect(within(2_500, write(store.backend, 'down'))).rejects.toMatchObject({ code: 'store_down' })
    await expect(within(2_500, store.backend.revision())).rejects.toMatchObject({ code: 'store_down' })
    await etcd.restart()
    await answers(store.backend)
    await write(store.backend, 'up')
    await eventually(() => feed.text(doc('up')))
    expect(feed.text(doc('down'))).toBe(undefined)
  })

  it('is stored although its answer was lost, which reading back finds out', async () => {
    await using both = open(proxy.url, etcd.url)
    await write(both.backend, 'connected')
    await eventually(() => proxy.accepted > 0)
    proxy.mute()
    const revision = await within(2_500, write(both.backend, 'unanswered'))
    const seen = new RecordedFeed()
    direct.backend.follow(seen)
    await eventually(() => seen.text(doc('unanswered')))
    expect(revision).toBeLessThanOrEqual(seen.revision)
  })

  it('loses nothing that was acknowledged when etcd is killed in the middle of many', async () => {
    const acknowledged = new Map<string, number>()
    let stopped = false
    const writer = async (w: number) => {
      for (let n = 0; !stopped; n++) {
        const ref = doc(`w${w}-${n}`)
        try {
          const requires = [{ ...ref, revision: 0 }]
          acknowledged.set(
            ref.id,
            await store.backend.commit({ requires, writes: [{ ...ref, text: ref.id }] }),
          )
        } catch (error) {
          if (!isFault(error, 'store_down')) throw error
        }
      }
    }
    const writers = Promise.all(numbered(32).map(writer))
    await eventually(() => acknowledged.size > 500)
    await etcd.kill()
    const before = acknowledged.size
    await etcd.restart()
    await eventually(() => acknowledged.size > before + 200, { withinMs: 20_000 })
    stopped = true
    await writers
    const newest = await answers(store.backend)
    await eventually(() => feed.revision >= newest)
    const stored = new Map(feed.seen.map(({ id, revision }) => [id, revision]))
    for (const [id, revision] of acknowledged)
      expect(`${id} at ${stored.get(id)}`).toBe(`${id} at ${revision}`)
    expect(stored.size).toBe(feed.seen.length)
  })
})

describe('several endpoints', () => {
  it('make up for one that refuses, falls silent or is not there', async () => {
    await using both = open('http://127.0.0.1:1', proxy.url, etcd.url)
    const seen = new RecordedFeed()
    both.backend.follow(seen)
    await write(both.backend, 'all')
    proxy.freeze()
    await eventually(() => write(both.backend, 'frozen'))
    await eventually(() => seen.text(doc('frozen')))
    proxy.cut()
    await eventually(() => write(both.backend, 'cut'))
    await eventually(() => seen.text(doc('cut')))
    expect(seen.resets).toBe(1)
    expect(seen.broken).toEqual([])
  })
})

/** The promise, or a failure after so many milliseconds. */
async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  const stop = new AbortController()
  const late = systemClock.sleep(ms, stop.signal).then(() => {
    throw new Error(`no answer within ${ms} ms`)
  })
  late.catch(() => {})
  try {
    return await Promise.race([promise, late])
  } finally {
    stop.abort()
  }
}
