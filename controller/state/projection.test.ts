import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { aJob, aRun, aSet, noon, states } from '../../test/support/builders.ts'
import { later } from '../../core/clock.ts'
import type { JobId } from '../../core/ids.ts'
import type { Change, Entry } from '../ports/backend.ts'
import { encode } from './codec.ts'
import { every } from './indexes.ts'
import { Projection, type Look } from './projection.ts'

const job = (id: string, description: string, revision: number, ms = 0): Entry => ({
  kind: 'job',
  project: 'p1',
  id,
  text: encode('job', aJob({ id: id as JobId, description, createdAt: later(noon, ms) })),
  revision,
})
const gone = (id: string, revision: number): Change => ({
  kind: 'job',
  project: 'p1',
  id,
  text: undefined,
  revision,
})
/** Tells a projection all that is stored. */
function reset(projection: Projection, entries: Iterable<Entry>, revision: number): void {
  const listing = projection.listing()
  listing.part(entries)
  listing.done(revision)
}
const words = (projection: Projection) =>
  [...projection.collections.job.of('p1')].map(({ value }) => value.description)
const ids = (projection: Projection) => [...projection.collections.job.of('p1')].map(({ value }) => value.id)

describe('the projection', () => {
  it('has what was stored at the start, in order of creation, and every change since', () => {
    const projection = new Projection()
    reset(projection, [job('c', 'third', 2, 30), job('a', 'second', 3, 20), job('b', 'first', 4, 10)], 4)
    expect(words(projection)).toEqual(['first', 'second', 'third'])
    projection.changes([job('a', 'changed', 5), gone('b', 5), job('d', 'new', 5, 1)], 5)
    expect(words(projection)).toEqual(['changed', 'third', 'new'])
  })

  it('orders by the documents’ own times, whatever users write in them', () => {
    const projection = new Projection()
    const early = encode('job', {
      ...aJob({ id: 'a' as JobId }),
      firn: { createdAt: 5 },
      createdAt: later(noon, 10),
    })
    reset(projection, [{ ...job('a', '', 2), text: early }, job('b', '', 3, 0)], 3)
    expect(ids(projection)).toEqual(['b', 'a'])
  })

  it('takes own commits ahead of the feed, and drops their echo', () => {
    const projection = new Projection()
    reset(projection, [job('a', 'old', 2)], 2)
    const looks: Look[] = []
    projection.onLook((look) => looks.push(look))
    projection.apply(job('a', 'own', 7))
    projection.changes([job('a', 'of another server, earlier', 5)], 5)
    projection.changes([job('a', 'own', 7)], 7)
    expect(words(projection)).toEqual(['own'])
    expect(looks).toHaveLength(1)
  })

  it('does not bring back what this process deleted ahead of the feed', () => {
    const projection = new Projection()
    reset(projection, [job('a', 'old', 2)], 2)
    projection.apply(gone('a', 9))
    projection.changes([job('a', 'earlier', 5)], 5)
    reset(projection, [job('a', 'earlier', 5)], 6)
    expect(words(projection)).toEqual([])
    projection.changes([gone('a', 9)], 9)
    projection.changes([job('a', 'made anew', 11)], 11)
    expect(words(projection)).toEqual(['made anew'])
  })

  it('after a gap forgets what went meanwhile, but not what this process wrote since', () => {
    const projection = new Projection()
    reset(projection, [job('a', 'went', 2), job('b', 'stays', 3)], 3)
    projection.apply(job('c', 'own', 20))
    reset(projection, [job('b', 'changed', 8), job('d', 'new', 9)], 10)
    expect(words(projection)).toEqual(['changed', 'own', 'new'])
  })

  it('says of each change what was before and after', () => {
    const projection = new Projection()
    const looks: string[] = []
    const off = projection.onLook(({ id, before, after }) =>
      looks.push(`${id} ${before?.revision ?? '-'} ${after?.revision ?? '-'}`),
    )
    reset(projection, [job('a', '', 2)], 2)
    projection.changes([job('a', '', 3), gone('b', 3)], 3)
    projection.changes([gone('a', 4)], 4)
    off()
    projection.changes([job('c', '', 5)], 5)
    expect(looks).toEqual(['a - 2', 'a 2 3', 'a 3 -'])
  })

  it('leaves text alone that it cannot read, and tells of it', () => {
    const told: unknown[] = []
    const projection = new Projection(({ id }, { is }) => told.push([id, is]))
    const later_ = { ...job('a', '', 4), text: '{"v":2}' }
    const damaged = { ...job('b', '', 3), text: 'no json' }
    reset(projection, [job('a', 'old', 2), damaged, job('c', 'other', 2, 1)], 3)
    expect(words(projection)).toEqual(['old', 'other'])
    projection.changes([later_], 4)
    expect(words(projection)).toEqual(['old', 'other'])
    expect(told).toEqual([
      ['b', 'damaged'],
      ['a', 'later'],
    ])
    expect(projection.unreadableCount).toBe(2)
    expect(projection.unreadable(later_)).toMatchObject({ is: 'later', format: 2 })
    reset(projection, [later_, job('c', 'other', 2, 1)], 5)
    expect(words(projection)).toEqual(['old', 'other'])
    expect(projection.unreadable(damaged)).toBeUndefined()
    projection.changes([job('a', 'new', 6)], 6)
    expect(words(projection)).toEqual(['new', 'other'])
    expect(projection.unreadableCount).toBe(0)
  })

  it('takes for damaged what no index can place, and goes on', () => {
    const projection = new Projection()
    const { id, project, ...more } = aRun()
    const text = (fields: object) => encode('run', { id, project, ...more, ...fields })
    const entry = { kind: 'run', project: 'p1', id, revision: 2 } as const
    const without = { ...entry, text: text({ state: undefined }) }
    const strange = { ...entry, id: 'other', text: text({ session: { id: 5 } }) }
    reset(projection, [without, strange, job('a', 'well', 2)], 2)
    expect(words(projection)).toEqual(['well'])
    expect(projection.unreadable(without)).toMatchObject({ is: 'damaged' })
  })

  it('wakes those who wait for a revision once it has been fed, and only those', async () => {
    const projection = new Projection()
    const reached: number[] = []
    const waits = [5, 3, 9].map((revision) => projection.reached(revision).then(() => reached.push(revision)))
    reset(projection, [], 3)
    await waits[1]
    projection.changes([], 6)
    await waits[0]
    expect(reached).toEqual([3, 5])
    await projection.reached(6)
    projection.changes([], 4)
    expect(projection.position).toBe(6)
    projection.changes([], 9)
    await waits[2]
  })

  it('forgets who has given up waiting', async () => {
    const projection = new Projection()
    const giveUp = new AbortController()
    const waiting = projection.reached(5, giveUp.signal)
    giveUp.abort(new Error('too long'))
    await expect(waiting).rejects.toThrow('too long')
    await expect(projection.reached(5, giveUp.signal)).rejects.toThrow('too long')
    projection.changes([], 5)
    await projection.reached(5)
  })

  it('keeps its indexes with every change', () => {
    const projection = new Projection()
    const run = aRun()
    const entry = (state: typeof run.state, revision: number): Entry => ({
      kind: 'run',
      project: 'p1',
      id: run.id,
      text: encode('run', { ...run, state }),
      revision,
    })
    const open = () => projection.collections.run.countWhere('open', every)
    reset(projection, [entry(states.waiting(), 2)], 2)
    expect(open()).toBe(1)
    projection.changes([entry(states.finished('success'), 3)], 3)
    expect(open()).toBe(0)
    expect(projection.collections.run.countWhere('job', 'p1/j1')).toBe(1)
    projection.changes([{ ...entry(run.state, 4), text: undefined }], 4)
    expect(projection.collections.run.countWhere('job', 'p1/j1')).toBe(0)
  })

  it('knows the sets that are open', () => {
    const projection = new Projection()
    const text = encode('set', aSet())
    reset(projection, [{ kind: 'set', project: 'p1', id: 's1.1', text, revision: 2 }], 2)
    expect(projection.collections.set.countWhere('open', every)).toBe(1)
    expect(projection.collections.set.countWhere('session', 'p1/s1')).toBe(1)
  })
})

describe('the projection, however slow the feed and whatever is written', () => {
  /** What can happen next: a write of this process or of another, the feed going on, or a gap in it. */
  const step = fc.oneof(
    fc.record({ do: fc.constant('own' as const), id: fc.constantFrom('a', 'b', 'c'), keep: fc.boolean() }),
    fc.record({ do: fc.constant('other' as const), id: fc.constantFrom('a', 'b', 'c'), keep: fc.boolean() }),
    fc.record({ do: fc.constant('feed' as const), count: fc.integer({ min: 1, max: 5 }) }),
    fc.constant({ do: 'gap' as const }),
  )

  it('never goes back, shows own writes at once, and in the end equals the store', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const projection = new Projection()
        const store = new Map<string, Entry>()
        let backlog: Change[] = []
        let revision = 1
        const seen = new Map<string, number>()
        projection.onLook(({ id, before, after }) => {
          const now = after?.revision ?? Infinity
          if (after) expect(now).toBeGreaterThan(seen.get(id) ?? 0)
          expect(before !== undefined || after !== undefined).toBe(true)
          if (after) seen.set(id, now)
        })
        const feed = (count: number): void => {
          for (const change of backlog.splice(0, count)) projection.changes([change], change.revision)
        }
        reset(projection, [], revision)
        for (const one of steps) {
          if (one.do === 'feed') feed(one.count)
          else if (one.do === 'gap') {
            backlog = []
            reset(projection, store.values(), revision)
          } else {
            revision++
            const change = one.keep ? job(one.id, `${revision}`, revision) : gone(one.id, revision)
            if (change.text === undefined) store.delete(one.id)
            else store.set(one.id, change)
            backlog.push(change)
            if (one.do !== 'own') continue
            projection.apply(change)
            expect(projection.collections.job.get('p1', one.id)?.revision).toBe(
              one.keep ? revision : undefined,
            )
          }
        }
        feed(Infinity)
        for (const id of ['a', 'b', 'c'])
          expect(projection.collections.job.get('p1', id)?.revision).toBe(store.get(id)?.revision)
        expect(projection.collections.job.size).toBe(store.size)
        expect(projection.position).toBe(revision)
      }),
      { numRuns: 500 },
    )
  })
})
