import { describe, expect, it } from 'vitest'
import { aJob, aRun, noon } from '../../test/support/builders.ts'
import { manualClock } from '../../test/support/manual-clock.ts'
import type { JobId, ServerId } from '../../core/ids.ts'
import { memoryStore } from '../memory/backend.ts'
import { decode, encode } from './codec.ts'
import { put, ref, unchanged, type Transaction } from './documents.ts'
import { State, type Committed } from './state.ts'

const job = (id: string, description = '') => put('job', 'p1', id, aJob({ id: id as JobId, description }))
const create = (...puts: Transaction['puts']): Transaction => ({
  requires: puts.map(({ kind, project, id }) => ({ ...ref(kind, project, id), revision: 0 })),
  puts,
})
const down = expect.objectContaining({ code: 'store_down' })

/** Two servers on one store. */
async function two() {
  const store = memoryStore()
  const clock = manualClock()
  const backends = [store.backend(), store.backend()] as const
  const [a, b] = backends.map((backend) => new State(backend, clock)) as [State, State]
  await Promise.all([a.catchUp(), b.catchUp()])
  return { store, clock, backends, a, b }
}

describe('a server’s state', () => {
  it('shows an own write as soon as it is acknowledged, however slow the feed', async () => {
    const { a, b, backends } = await two()
    backends[0].hold()
    const revision = await a.commit(create(job('j1', 'own')))
    expect(a.get('job', 'p1', 'j1')).toMatchObject({ revision, value: { description: 'own' } })
    await b.catchUp()
    expect(b.get('job', 'p1', 'j1')).toMatchObject({ revision })
    await b.commit({ requires: [], puts: [job('j1', 'of the other')] })
    expect(a.get('job', 'p1', 'j1')).toMatchObject({ value: { description: 'own' } })
    backends[0].release()
    await a.catchUp()
    expect(a.get('job', 'p1', 'j1')).toMatchObject({ value: { description: 'of the other' } })
  })

  it('shows an own delete at once', async () => {
    const { a, backends } = await two()
    await a.commit(create(job('j1'), job('j2')))
    backends[0].hold()
    await a.commit({ requires: [], puts: [], deletes: [ref('job', 'p1', 'j1')] })
    expect([...a.of('job', 'p1')].map(({ value }) => value.id)).toEqual(['j2'])
    expect([a.count('job', 'p1'), a.total('job'), a.count('job', 'p2')]).toEqual([1, 1, 0])
  })

  it('refuses a write over a change that was not read, and shows nothing of it', async () => {
    const { a, b } = await two()
    await a.commit(create(job('j1')))
    await b.catchUp()
    const read = b.get('job', 'p1', 'j1')
    await a.commit({ requires: [], puts: [job('j1', 'changed')] })
    const stale = { requires: [unchanged('job', 'p1', 'j1', read)], puts: [job('j1', 'stale'), job('j2')] }
    await expect(b.commit(stale)).rejects.toMatchObject({ code: 'stale_write' })
    expect(b.get('job', 'p1', 'j2')).toBeUndefined()
    await expect(a.commit(create(job('j1')))).rejects.toMatchObject({ code: 'stale_write' })
    expect(unchanged('job', 'p1', 'j9', undefined).revision).toBe(0)
  })

  it('writes as a leader only while that one leads', async () => {
    const { a, store } = await two()
    const leadership = store.leadership()
    const epoch = leadership.epoch()!
    await a.commit({ ...create(job('j1')), epoch })
    leadership.lose()
    await expect(a.commit({ ...create(job('j2')), epoch })).rejects.toMatchObject({ code: 'fenced' })
  })

  it('tells of each of its own writes once, with what was there before', async () => {
    const { a, b } = await two()
    const told: Committed[] = []
    const off = a.onCommit((committed) => told.push(committed))
    await a.commit(create(job('j1', 'first')))
    await a.commit({ requires: [], puts: [job('j1', 'second')] })
    await b.commit({ requires: [], puts: [job('j1', 'third')] })
    await a.catchUp()
    off()
    await a.commit({ requires: [], puts: [job('j1', 'fourth')] })
    expect(told.map(({ before }) => (before as { description?: string } | undefined)?.description)).toEqual([
      undefined,
      'first',
    ])
  })

  it('tells of each change once, whoever made it', async () => {
    const { a, b } = await two()
    let looks = 0
    a.onLook(() => looks++)
    await a.commit(create(job('j1')))
    await b.catchUp()
    await b.commit({ requires: [], puts: [job('j1', 'changed')] })
    await a.catchUp()
    expect(looks).toBe(2)
  })

  it('finds documents by its indexes', async () => {
    const { a } = await two()
    const run = aRun()
    await a.commit(create(job('j1'), put('run', 'p1', run.id, run)))
    expect([...a.where('run', 'openOfJob', 'p1/j1')].map(({ value }) => value.id)).toEqual([run.id])
    expect(a.countWhere('job', 'client', 'p1/node1')).toBe(1)
    expect([...a.all('run')]).toHaveLength(1)
  })

  it('has servers only while they live', async () => {
    const { a, b, backends } = await two()
    const server = { id: 'x1' as ServerId, agents: '', http: '', version: '1', startedAt: noon }
    await a.commit(create(put('server', '', 'x1', server)))
    await b.catchUp()
    expect(b.total('server')).toBe(1)
    await backends[0][Symbol.asyncDispose]()
    await b.catchUp()
    expect(b.total('server')).toBe(0)
  })
})

describe('a server that the store does not answer', () => {
  it('says how old its reads are, and goes on reading', async () => {
    const { a, clock, store } = await two()
    await a.commit(create(job('j1')))
    expect([a.loaded, a.staleMs]).toEqual([true, undefined])
    store.stop()
    await expect(a.commit(create(job('j2')))).rejects.toEqual(down)
    clock.advance(5_000)
    expect(a.staleMs).toBe(5_000)
    expect(a.get('job', 'p1', 'j1')).toBeDefined()
    await expect(a.catchUp()).rejects.toEqual(down)
    store.resume()
    await a.catchUp()
    expect(a.staleMs).toBeUndefined()
  })

  it('has read nothing before its first look', () => {
    const store = memoryStore()
    store.stop()
    const state = new State(store.backend(), manualClock())
    expect(state.loaded).toBe(false)
    expect(state.staleMs).toBe(0)
  })

  it('gives up waiting for a feed that stands still, and says so', async () => {
    const { a, b, backends, clock } = await two()
    backends[0].hold()
    await b.commit(create(job('j1')))
    const outcome = a.catchUp().then(
      () => undefined,
      (error: unknown) => error,
    )
    while (clock.sleeping.length === 0) await Promise.resolve()
    clock.advance(1_800)
    expect(await outcome).toEqual(down)
    expect(clock.sleeping).toEqual([])
  })

  it('leaves no sleeper behind when it need not wait', async () => {
    const { a, clock } = await two()
    await a.catchUp()
    expect(clock.sleeping).toEqual([])
  })
})

describe('a stored document', () => {
  it('is read back as it was written', () => {
    expect(decode('job', encode('job', aJob()))).toEqual({ is: 'read', value: aJob() })
  })

  it('of a later format, or that is none, is not read', () => {
    expect(decode('job', '{"v":2,"id":"j1"}')).toEqual({ is: 'later', format: 2 })
    for (const text of [
      '',
      'null',
      '[]',
      '7',
      '{}',
      '{"v":1',
      '{"v":0}',
      '{"v":"1"}',
      '{"v":1.5}',
      '{"v":1}',
    ])
      expect(decode('job', text), text).toEqual({ is: 'damaged' })
  })
})
