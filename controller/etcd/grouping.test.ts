import { describe, expect, it } from 'vitest'
import type { RawTransaction } from '../ports/backend.ts'
import type { GroupingBackend } from './backend.ts'
import { GroupedBackend } from './grouping.ts'

const doc = (id: string) => ({ kind: 'job' as const, project: 'p', id })
const write = (id: string, text = id): RawTransaction => ({ requires: [], writes: [{ ...doc(id), text }] })
const needing = (id: string): RawTransaction => ({
  requires: [{ ...doc(id), revision: 1 }],
  writes: [{ ...doc(`${id}-by`), text: '' }],
})
const settled = () => new Promise(setImmediate)

/** A backend whose requests land when the test says so. */
class Airfield implements GroupingBackend {
  readonly departed: string[][] = []
  readonly #land: (() => void)[] = []
  #revision = 0

  commitGroup(transactions: readonly RawTransaction[]) {
    this.departed.push(transactions.map(({ writes }) => `${writes[0]?.id}=${writes[0]?.text?.slice(0, 9)}`))
    return new Promise<{ revision: number }[]>((resolve) => {
      this.#land.push(() => {
        const revision = ++this.#revision
        resolve(transactions.map(() => ({ revision })))
      })
    })
  }

  async landOne() {
    this.#land.shift()?.()
    await settled()
  }

  async landAll() {
    while (this.#land.length > 0) await this.landOne()
  }

  commit(): Promise<number> {
    return Promise.reject(new Error('not used'))
  }

  async revision() {
    return 0
  }

  follow(): AsyncDisposable {
    return this
  }

  async [Symbol.asyncDispose]() {}
}

function atAirfield() {
  const field = new Airfield()
  return { field, grouped: new GroupedBackend(field) }
}

describe('group commit', () => {
  it('sends a lone transaction at once, and those of one moment together', async () => {
    const { field, grouped } = atAirfield()
    const first = grouped.commit(write('a'))
    await settled()
    const others = [grouped.commit(write('b')), grouped.commit(write('c'))]
    await settled()
    expect(field.departed).toEqual([['a=a'], ['b=b', 'c=c']])
    await field.landAll()
    expect(await first).toBe(1)
    expect(await Promise.all(others)).toEqual([2, 2])
  })

  it('keeps a third request on the ground until one of two has landed', async () => {
    const { field, grouped } = atAirfield()
    for (const id of ['a', 'b', 'c', 'd']) {
      void grouped.commit(write(id))
      await settled()
    }
    expect(field.departed).toHaveLength(2)
    await field.landOne()
    expect(field.departed[2]).toEqual(['c=c', 'd=d'])
    await field.landAll()
  })

  it('keeps the order of those that concern the same document', async () => {
    const { field, grouped } = atAirfield()
    for (const text of ['1', '2', '3']) void grouped.commit(write('a', text))
    void grouped.commit(needing('a'))
    void grouped.commit(write('b'))
    await settled()
    expect(field.departed).toEqual([['a=1', 'b=b']])
    await field.landAll()
    expect(field.departed.slice(1)).toEqual([['a=2'], ['a=3'], ['a-by=']])
  })

  it('lets those that only require the same document go together', async () => {
    const { field, grouped } = atAirfield()
    const both = [0, 1].map((n) => ({
      requires: [{ ...doc('guard'), revision: 1 }],
      writes: [{ ...doc(`w${n}`), text: '' }],
    }))
    for (const one of both) void grouped.commit(one)
    await settled()
    expect(field.departed).toEqual([['w0=', 'w1=']])
    await field.landAll()
  })

  it('sends what lives as long as the process alone', async () => {
    const { field, grouped } = atAirfield()
    const server = { kind: 'server' as const, project: '', id: 's', text: '', whileAlive: true as const }
    for (const one of [write('a'), { requires: [], writes: [server] }, write('b')]) void grouped.commit(one)
    await settled()
    expect(field.departed).toEqual([['a=a', 'b=b'], ['s=']])
    await field.landAll()
  })

  it('stays within etcd’s limits on operations and size', async () => {
    const { field, grouped } = atAirfield()
    const wide = (n: number): RawTransaction => ({
      requires: [],
      writes: Array.from({ length: 100 }, (_, m) => ({ ...doc(`w${n}-${m}`), text: '' })),
    })
    for (let n = 0; n < 12; n++) void grouped.commit(wide(n))
    for (let n = 0; n < 3; n++) void grouped.commit(write(`large${n}`, 'x'.repeat(400_000)))
    await settled()
    await field.landAll()
    for (const group of field.departed) {
      expect(group.filter((name) => name.startsWith('w')).length).toBeLessThanOrEqual(5)
      expect(group.filter((name) => name.startsWith('large')).length).toBeLessThanOrEqual(1)
    }
    expect(field.departed.flat()).toHaveLength(15)
  })

  it('refuses what its queue cannot hold, and says when to come again', async () => {
    const { field, grouped } = atAirfield()
    const commits = Array.from({ length: 1_500 }, (_, n) => grouped.commit(write('same', `${n}`)))
    const outcomes = Promise.allSettled(commits)
    await settled()
    await field.landAll()
    const all = await outcomes
    expect(all.slice(0, 1_024).filter(({ status }) => status === 'rejected')).toEqual([])
    for (const refused of all.slice(1_024))
      expect(refused).toMatchObject({ reason: { code: 'too_much', detail: { retryAfterMs: 1_000 } } })
  })

  it('gives up what waited too long, before it was sent', async () => {
    const { field, grouped } = atAirfield()
    const first = grouped.commit(write('a', '1'))
    await expect(grouped.commit(write('a', '2'))).rejects.toMatchObject({ code: 'store_down' })
    await field.landAll()
    expect(await first).toBe(1)
    expect(field.departed).toEqual([['a=1']])
  })

  it('ends with answers for what flies and a refusal for what waits', async () => {
    const { field, grouped } = atAirfield()
    const flying = grouped.commit(write('a', '1'))
    await settled()
    const waiting = grouped.commit(write('a', '2'))
    const end = grouped[Symbol.asyncDispose]()
    await expect(waiting).rejects.toMatchObject({ code: 'stopping' })
    await field.landAll()
    await end
    expect(await flying).toBe(1)
  })
})
