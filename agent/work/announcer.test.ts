import { describe, expect, it } from 'vitest'
import { memoryDatabases } from '../../test/support/databases.ts'
import { eventually } from '../../test/support/eventually.ts'
import { manualClock } from '../../test/support/manual-clock.ts'
import type { Database, DatastoreTool, Looked } from '../ports/databases.ts'
import { Announcer, type Announced } from './announcer.ts'

const orders: Database = { key: 'orders', name: 'Orders', datastore: 'sqlite', path: '/srv/orders.db' }
const spare = { name: 'spare', datastore: 'sqlite', root: '/srv/spare' } as const
const datastore = { type: 'sqlite', version: '3.50' }
const mib = 2 ** 20

function rigOf(databases = memoryDatabases([orders], [spare])) {
  const clock = manualClock()
  const sent: Announced[] = []
  const events: string[] = []
  const world = { online: true, looks: 0, found: { up: true, bytes: 100 * mib } as Looked | 'nothing' }
  const tool: DatastoreTool = {
    ...{ type: 'sqlite', version: '3.50' },
    look: () => {
      world.looks++
      return world.found === 'nothing' ? new Promise(() => undefined) : Promise.resolve(world.found)
    },
  }
  const send = (announced: Announced): boolean => {
    if (world.online) sent.push(announced)
    return world.online
  }
  return {
    clock,
    sent,
    events,
    world,
    databases,
    announcer: new Announcer({
      databases,
      clock,
      send,
      datastores: [tool],
      record: (event) => events.push(event),
    }),
  }
}

describe('what is told of databases', () => {
  it('is how they are, and what they may be made from', async () => {
    const { announcer, sent } = rigOf()
    await announcer.look()
    const told = {
      instances: [{ key: 'orders', name: 'Orders', datastore, up: true, bytes: 100 * mib }],
      templates: [{ name: 'spare', datastore }],
    }
    expect(sent).toEqual([told])
    expect(announcer.announce()).toEqual(told)
  })

  it('is told again only when it has changed, and a size only when it has moved much', async () => {
    const { announcer, sent, world, databases } = rigOf()
    await announcer.look()
    const look = async (found: Looked): Promise<number> => {
      world.found = found
      await announcer.look()
      return sent.length
    }
    expect(await look({ up: true, bytes: 109 * mib })).toBe(1)
    expect(await look({ up: true, bytes: 111 * mib })).toBe(2)
    expect(await look({ up: false, problem: 'its file is not there' })).toBe(3)
    expect(await look({ up: false, problem: 'its file is not there' })).toBe(3)
    expect(await look({ up: true, bytes: 10 })).toBe(4)
    expect(await look({ up: true, bytes: mib })).toBe(4)
    await databases.add({ key: 'new', name: 'new', template: spare, madeBy: { run: 'r', step: '0' } })
    expect(await look({ up: true, bytes: 10 })).toBe(5)
    expect(sent.at(-1)?.instances.map(({ key }) => key)).toEqual(['orders', 'new'])
  })

  it('is not told twice when a hello has told it, and again when no line took it', async () => {
    const { announcer, sent, world } = rigOf()
    world.online = false
    await announcer.look()
    world.online = true
    await announcer.look()
    expect(sent).toHaveLength(1)
    world.online = false
    world.found = { up: false, problem: 'gone' }
    await announcer.look()
    expect(announcer.announce().instances).toMatchObject([{ up: false, problem: 'gone' }])
    world.online = true
    await announcer.look()
    expect(sent).toHaveLength(1)
  })

  it('is looked at now and then, and once more for those who ask during a look', async () => {
    const { announcer, world, clock } = rigOf()
    await Promise.all([announcer.look(), announcer.look(), announcer.look()])
    expect(world.looks).toBe(2)
    const stop = new AbortController()
    const kept = announcer.keepUp(stop.signal)
    clock.advance(29_000)
    expect(world.looks).toBe(2)
    clock.advance(1_000)
    await eventually(() => world.looks === 3)
    stop.abort()
    await kept
  })

  it('is that one is down whose file was removed, and after ten minutes, if it was made here, nothing', async () => {
    const gone = new Set(['orders', 'new'])
    const databases = {
      ...memoryDatabases([orders], [spare]),
      isMissing: (key: string) => Promise.resolve(gone.has(key)),
    }
    const { announcer, sent, world, clock, events } = rigOf(databases)
    await databases.add({ key: 'new', name: 'new', template: spare, madeBy: { run: 'r', step: '0' } })
    world.found = { up: false, problem: 'its file is not there' }
    const told = async () => {
      await announcer.look()
      return sent.at(-1)?.instances.map(({ key, up }) => [key, up])
    }
    const both = [
      ['orders', false],
      ['new', false],
    ]
    expect(await told()).toEqual(both)
    expect(sent.at(-1)?.instances[1]).not.toHaveProperty('missing')
    clock.advance(599_000)
    expect(await told()).toEqual(both)
    // Back for a moment: it counts from then on.
    gone.delete('new')
    await announcer.look()
    gone.add('new')
    clock.advance(1_000)
    expect(await told()).toEqual(both)
    clock.advance(600_000)
    expect(await told()).toEqual([['orders', false]])
    expect(databases.all()).toEqual([orders])
    expect(events).toEqual(['instance.dropped'])
  })

  it('a file system that hangs costs one look, and nobody waits for it', async () => {
    const { announcer, world, clock, sent } = rigOf()
    world.found = 'nothing'
    for (const time of [1, 2]) {
      const looked = announcer.look()
      clock.advance(5_000)
      await looked
      expect([time, world.looks]).toEqual([time, 1])
    }
    expect(sent).toMatchObject([
      { instances: [{ up: false, problem: expect.stringContaining('not answer') }] },
    ])
  })
})
