import { describe, expect, it } from 'vitest'
import { aJob } from '../../test/support/builders.ts'
import { manualClock } from '../../test/support/manual-clock.ts'
import type { JobId } from '../../core/ids.ts'
import { memoryStore } from '../memory/backend.ts'
import { kinds } from '../ports/backend.ts'
import { decode, encode } from './codec.ts'
import { put, ref, unchanged } from './documents.ts'
import {
  firstFormats,
  formats,
  lowered,
  newestOf,
  raised,
  readsOf,
  unreadBy,
  type Fields,
  type Formats,
  type Step,
} from './formats.ts'
import { State } from './state.ts'

/** The description is called `title`. */
const renamed: Step = {
  up: ({ description, ...more }) => ({ ...more, title: description }),
  down: ({ title, ...more }) => ({ ...more, description: title }),
}
/** The title is a list of words. */
const split: Step = {
  up: ({ title, ...more }) => ({ ...more, title: (title as string).split(' ') }),
  down: ({ title, ...more }) => ({ ...more, title: (title as string[]).join(' ') }),
}
const jobs = (steps: readonly Step[], writes: number): Formats => ({
  ...firstFormats,
  job: { steps, writes },
})
/** The release that brings a format, and the one after it. */
const next = jobs([renamed], 1)
const afterNext = jobs([renamed], 2)

const fieldsOf = (known: Formats, text: string): Fields => {
  const reading = decode('job', text, known)
  return reading.is === 'read' ? (reading.value as unknown as Fields) : { ...reading }
}
const { description, ...more } = aJob({ description: 'two words' })
const newer = { ...more, title: description }

describe('a format', () => {
  it.each(kinds)('that this release writes is its newest or the one before: %s', (kind) => {
    const newest = newestOf(formats[kind])
    expect(formats[kind].writes).toBeGreaterThanOrEqual(Math.max(1, newest - 1))
    expect(formats[kind].writes).toBeLessThanOrEqual(newest)
  })

  it('is brought up and down step by step, without a loss', () => {
    const { job } = jobs([renamed, split], 1)
    const up = raised(job, 1, { description: 'two words' })
    expect(up).toEqual({ title: ['two', 'words'] })
    expect(lowered(job, up)).toEqual({ description: 'two words' })
    expect(raised(job, 2, { title: 'two words' })).toEqual(up)
    expect(lowered({ ...job, writes: 2 }, up)).toEqual({ title: 'two words' })
    expect(lowered({ ...job, writes: 3 }, up)).toBe(up)
  })

  it('is read by the release that brings it, which goes on writing the one before', () => {
    const old = encode('job', aJob({ description: 'two words' }), firstFormats)
    expect(fieldsOf(next, old)).toEqual(newer)
    expect(encode('job', newer, next)).toBe(encode('job', { ...more, description }, firstFormats))
    const written = encode('job', newer, afterNext)
    expect(JSON.parse(written)).toMatchObject({ v: 2, title: 'two words' })
    expect(fieldsOf(next, written)).toEqual(newer)
    expect(fieldsOf(afterNext, old)).toEqual(newer)
    expect(fieldsOf(firstFormats, written)).toEqual({ is: 'later', format: 2 })
  })

  it('is not written beside a server that does not read it', () => {
    expect([readsOf(firstFormats), readsOf(next)]).toEqual([{}, { job: 2 }])
    expect(unreadBy(readsOf(firstFormats), next)).toEqual([])
    expect(unreadBy(readsOf(next), afterNext)).toEqual([])
    expect(unreadBy(readsOf(firstFormats), afterNext)).toEqual(['job'])
    expect(unreadBy(undefined, afterNext)).toEqual(['job'])
  })

  it('whose step cannot take a document leaves it as damaged', () => {
    const known = jobs([renamed, split], 3)
    expect(decode('job', encode('job', { ...aJob(), description: 5 }, firstFormats), known)).toEqual({
      is: 'damaged',
    })
  })
})

describe('servers of two releases on one store', () => {
  const job = (id: string, said = '') => put('job', 'p1', id, aJob({ id: id as JobId, description: said }))
  const absent = (id: string) => ({ ...ref('job', 'p1', id), revision: 0 })

  async function two(known: Formats) {
    const store = memoryStore()
    const clock = manualClock()
    const told: unknown[] = []
    const older = new State(store.backend(), clock, ({ id }, why) => told.push({ id, ...why }), firstFormats)
    const newer = new State(store.backend(), clock, undefined, known)
    await Promise.all([older.catchUp(), newer.catchUp()])
    const both = () => Promise.all([older.catchUp(), newer.catchUp()])
    return { store, older, newer, told, both }
  }

  it('read and write each other’s documents, and lose nothing', async () => {
    const { older, newer, both, told } = await two(next)
    await older.commit({ requires: [absent('j1')], puts: [job('j1', 'by the older')] })
    await both()
    const seen = newer.get('job', 'p1', 'j1')!
    expect(seen.value).toMatchObject({ title: 'by the older' })
    const value = { ...seen.value, title: 'by the newer' } as never
    await newer.commit({
      requires: [unchanged('job', 'p1', 'j1', seen)],
      puts: [put('job', 'p1', 'j1', value)],
    })
    await both()
    expect(older.get('job', 'p1', 'j1')?.value).toEqual(job('j1', 'by the newer').value)
    expect(told).toEqual([])
  })

  it('that are too far apart: the older one shows what it can, and never replaces what it cannot read', async () => {
    const { store, older, newer, both, told } = await two(afterNext)
    await newer.commit({ requires: [], puts: [put('job', 'p1', 'j1', { ...aJob(), title: 'new' } as never)] })
    await older.commit({ requires: [absent('j2')], puts: [job('j2')] })
    await both()
    expect(told).toEqual([{ id: 'j1', is: 'later', format: 2 }])
    expect([...older.of('job', 'p1')].map(({ value }) => value.id)).toEqual(['j2'])
    expect([older.unreadableCount, newer.unreadableCount]).toEqual([1, 0])
    const before = await textOf(store)
    for (const attempt of [
      { requires: [], puts: [job('j1')] },
      { requires: [absent('j1')], puts: [job('j1')] },
      { requires: [], puts: [], deletes: [ref('job', 'p1', 'j1')] },
      { requires: [absent('j1')], puts: [job('j3')] },
    ])
      await expect(older.commit(attempt)).rejects.toMatchObject({
        code: 'unreadable',
        message: expect.stringContaining('format 2'),
      })
    expect(await textOf(store)).toEqual(before)
    await older.commit({ requires: [absent('j3')], puts: [job('j3')] })
    await newer.commit({ requires: [], puts: [], deletes: [ref('job', 'p1', 'j1')] })
    await both()
    expect(older.unreadableCount).toBe(0)
  })

  async function textOf(store: ReturnType<typeof memoryStore>): Promise<unknown[]> {
    const seen: unknown[] = []
    const backend = store.backend()
    await new Promise<void>((resolve) => {
      backend.follow({
        listing: () => ({ part: (entries) => seen.push(...entries), done: () => resolve() }),
        changes: () => {},
        fresh: () => {},
      })
    })
    await backend[Symbol.asyncDispose]()
    return seen
  }
})
