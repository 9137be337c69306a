import { describe, expect, it } from 'vitest'
import type { Ref } from '../ports/backend.ts'
import { RecordedFeed } from '../../test/support/recorded-feed.ts'
import { memoryStore } from './backend.ts'

const doc: Ref = { kind: 'job', project: 'p', id: 'a' }
const write = (text: string) => ({ requires: [], writes: [{ ...doc, text }] })
const settled = () => new Promise(setImmediate)

describe('a store in memory', () => {
  it('has told the feed of a commit before whoever awaited the commit goes on', async () => {
    const backend = memoryStore().backend()
    const feed = new RecordedFeed()
    backend.follow(feed)
    await settled()
    expect(feed.revision).toBe(1)
    const revision = await backend.commit(write('1'))
    expect(feed.revision).toBe(revision)
    expect(feed.text(doc)).toBe('1')
  })

  it('goes down for everybody and comes back with the same leader', async () => {
    const store = memoryStore()
    const [backend, leadership, second] = [store.backend(), store.leadership(), store.leadership()]
    const feed = new RecordedFeed()
    backend.follow(feed)
    const epoch = leadership.epoch()
    store.stop()
    await settled()
    await expect(backend.commit(write('1'))).rejects.toMatchObject({ code: 'store_down' })
    await expect(backend.revision()).rejects.toMatchObject({ code: 'store_down' })
    expect(leadership.epoch()).toBe(undefined)
    store.resume()
    await settled()
    expect(leadership.epoch()).toBe(epoch)
    expect(second.epoch()).toBe(undefined)
    expect(feed.freshness).toEqual([false, true])
    expect(feed.broken).toEqual([])
  })

  it('cuts one process off; its feed catches up afterwards', async () => {
    const store = memoryStore()
    const [cut, other] = [store.backend(), store.backend()]
    const feed = new RecordedFeed()
    cut.follow(feed)
    await settled()
    cut.stop()
    await expect(cut.commit(write('0'))).rejects.toMatchObject({ code: 'store_down' })
    for (const text of ['1', '2', '3']) await other.commit(write(text))
    expect(feed.seen).toEqual([])
    cut.resume()
    await settled()
    expect(feed.seen.map(({ text }) => text)).toEqual(['1', '2', '3'])
    expect(feed.freshness).toEqual([false, true])
  })

  it('lets a feed fall behind while commits work', async () => {
    const backend = memoryStore().backend()
    const feed = new RecordedFeed()
    backend.follow(feed)
    await settled()
    backend.hold()
    const revision = await backend.commit(write('1'))
    expect(feed.revision).toBeLessThan(revision)
    backend.release()
    await settled()
    expect(feed.revision).toBe(revision)
    expect(feed.freshness).toEqual([])
  })

  it('gives a leader that lost its lease a place at the end of the line', () => {
    const store = memoryStore()
    const [first, second] = [store.leadership(), store.leadership()]
    const before = first.epoch()
    first.lose()
    expect(first.epoch()).toBe(undefined)
    expect(second.epoch()).toBeGreaterThan(before ?? 0)
    second.lose()
    expect(first.epoch()).toBe(first.highest())
  })
})
