import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { memoryStore } from '../memory/backend.ts'
import { put, ref } from '../state/documents.ts'
import { State } from '../state/state.ts'
import { instant } from '../../core/clock.ts'
import type { Run } from '../../core/run.ts'
import { realClock } from '../../test/support/real-clock.ts'
import { Recent, comparePlaces, placeOf } from './recent.ts'

const run = (id: string, createdAt: number, more: object = {}): Run =>
  ({
    ...{ id, project: 'p', job: 'j', client: 'c', purpose: 'job', tasks: [], steps: [] },
    createdAt: instant(createdAt),
    state: { is: 'finished', result: 'success', at: instant(createdAt) },
    ...more,
  }) as unknown as Run

async function stored(...runs: Run[]) {
  const state = new State(memoryStore().backend(), realClock)
  const store = (one: Run) => state.commit({ requires: [], puts: [put('run', 'p', one.id, one)] })
  const drop = (id: string) => state.commit({ requires: [], puts: [], deletes: [ref('run', 'p', id)] })
  const recent = new Recent(state)
  for (const one of runs) await store(one)
  return { state, recent, store, drop, ids: () => [...recent.runsOf('p')].map(({ value }) => value.id) }
}

describe('the runs that are newest', () => {
  it('come first, in whatever order they were stored', async () => {
    const { ids, recent, drop } = await stored(run('b', 2), run('a', 1), run('d', 4), run('c', 2))
    expect(ids()).toEqual(['d', 'c', 'b', 'a'])
    const after = [...recent.runsOf('p', placeOf(run('c', 2)))].map(({ value }) => value.id)
    expect(after).toEqual(['b', 'a'])
    await drop('c')
    expect(ids()).toEqual(['d', 'b', 'a'])
  })

  it('are the same when they were there before', async () => {
    const { state, ids } = await stored(run('b', 2), run('a', 1))
    expect([...new Recent(state).runsOf('p')].map(({ value }) => value.id)).toEqual(ids())
  })

  it('are sorted after any changes', async () => {
    const changes = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.integer({ min: -1, max: 3 })))
    await fc.assert(
      fc.asyncProperty(changes, async (list) => {
        const { state, ids, store, drop } = await stored()
        for (const [id, at] of list) {
          // A run keeps its time of creation.
          const createdAt = state.get('run', 'p', id)?.value.createdAt ?? at
          if (at < 0) await drop(id)
          else await store(run(id, createdAt))
        }
        const runs = [...state.of('run', 'p')].map(({ value }) => value)
        const sorted = runs.toSorted((x, y) => comparePlaces(placeOf(y), placeOf(x)))
        expect(ids()).toEqual(sorted.map(({ id }) => id))
      }),
      { numRuns: 50 },
    )
  })
})

describe('the runs of a client, and of a session', () => {
  it('are listed by themselves, newest first', async () => {
    const session = (id: string) => ({ session: { id, tag: 1 } })
    const { recent, drop } = await stored(
      ...[run('a', 1, { client: 'x' }), run('b', 2, { client: 'x', ...session('s') })],
      ...[run('c', 3, session('s')), run('d', 4, { client: 'x' })],
    )
    const ids = (of: 'client' | 'session', id: string, from?: Run) =>
      [...recent.runsOf('p', from && placeOf(from), { of, id })].map(({ value }) => value.id)
    expect([ids('client', 'x'), ids('session', 's'), ids('client', 's')]).toEqual([
      ...[['d', 'b', 'a'], ['c', 'b'], []],
    ])
    expect(ids('client', 'x', run('d', 4))).toEqual(['b', 'a'])
    await drop('b')
    expect([ids('client', 'x'), ids('session', 's')]).toEqual([['d', 'a'], ['c']])
  })
})

describe('the last run of a job', () => {
  it('is the newest that has finished and was for what the job asks for', async () => {
    const waiting = { state: { is: 'waiting', attempt: 1, from: instant(0), by: instant(9) } }
    const { recent, drop } = await stored(
      ...[run('a', 1), run('b', 2), run('c', 3, waiting), run('d', 4, { purpose: 'restore' })],
    )
    expect(recent.lastOf('p', 'j')?.value.id).toBe('b')
    await drop('b')
    expect(recent.lastOf('p', 'j')?.value.id).toBe('a')
    expect([recent.countIn('finished'), recent.countIn('waiting')]).toEqual([2, 1])
  })
})
