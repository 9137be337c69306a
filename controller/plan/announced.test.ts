import { describe, expect, it } from 'vitest'
import { noon, project } from '../../test/support/builders.ts'
import { anInstance, aProbe } from '../../test/support/instance-builders.ts'
import { later } from '../../core/clock.ts'
import type { ClientId, RunId } from '../../core/ids.ts'
import type { Instance, InstanceProbe } from '../../core/instance.ts'
import { afterAnnouncement, afterShutOut, roundedUp } from './announced.ts'

const client = 'node1' as ClientId
const now = later(noon, 60_000)
const hear = (known: Instance[], instances: InstanceProbe[], at = now) =>
  afterAnnouncement(known, { project, client, instances, at }, now)
const building: Instance['state'] = { is: 'building', run: 'r' as RunId }

describe('an announcement', () => {
  it('makes an instance of each database that was not known', () => {
    expect(hear([], [aProbe(), aProbe({ key: 'sales' })])).toMatchObject([
      { ...anInstance(), bytes: 1_048_576, createdAt: now, updatedAt: now },
      { id: anInstance({ key: 'sales' }).id, key: 'sales' },
    ])
  })

  it('writes nothing when it says what is known', () => {
    const [known] = hear([], [aProbe()])
    expect(hear([known!], [aProbe({ bytes: 1_040_000 })])).toEqual([])
    const [down] = hear([], [aProbe({ up: false, problem: 'the file is gone' })])
    expect(hear([down!], [aProbe({ up: false, problem: 'the file is gone' })])).toEqual([])
  })

  it('changes what is new of a database, and keeps the rest', () => {
    const known = anInstance({ bytes: 65_536, fault: { at: noon, text: 'it failed' } })
    const news: Partial<InstanceProbe>[] = [
      { name: 'Orders' },
      { datastore: { type: 'sqlite', version: '3.51' } },
      { datastore: { type: 'postgresql', version: '3.50' } },
      { bytes: 10_000_000 },
    ]
    for (const over of news) {
      const [after, ...more] = hear([known], [aProbe({ bytes: 1, ...over })])
      expect(after).toMatchObject({ fault: known.fault, createdAt: noon, updatedAt: now })
      expect(more).toEqual([])
    }
    const { bytes: _, ...unsized } = aProbe()
    expect(hear([known], [unsized])).toEqual([])
  })

  it('says of a database that is not up why, and when it is up again', () => {
    const [down] = hear([anInstance()], [aProbe({ up: false, problem: 'the file is gone' })])
    expect(down?.state).toEqual({ is: 'down', why: 'the file is gone' })
    const [other] = hear([down!], [aProbe({ up: false })])
    expect(other?.state).toMatchObject({ is: 'down' })
    expect(hear([other!], [aProbe()])).toMatchObject([{ state: { is: 'active' } }])
  })

  it('stops the instances that it does not name any more, once', () => {
    const [gone, ...more] = hear([anInstance()], [])
    expect(gone).toMatchObject({ state: { is: 'down', gone: true }, updatedAt: now })
    expect(more).toEqual([])
    expect(hear([{ ...gone!, updatedAt: noon }], [])).toEqual([])
    // Whether it was up or not.
    const down = anInstance({ state: { is: 'down', why: 'the file is gone' } })
    expect(hear([down], [])).toMatchObject([{ state: { is: 'down', gone: true } }])
    expect(hear([{ ...gone!, bytes: 65_536 }], [aProbe({ bytes: 1 })])).toMatchObject([
      { state: { is: 'active' } },
    ])
    const [back] = hear([gone!], [aProbe({ up: false, problem: 'x' })])
    expect(back?.state).toEqual({ is: 'down', why: 'x' })
  })

  it('speaks of one that was written since, say because its backup has ended', () => {
    expect(hear([anInstance({ updatedAt: now })], [], noon)).toMatchObject([{ state: { is: 'down' } }])
  })

  it('cannot speak of an instance that was made after it was heard', () => {
    expect(hear([anInstance({ builtAt: now })], [], noon)).toEqual([])
  })

  it('leaves a restore that is under way to its run, and believes an agent that says a failed one is up', () => {
    const known = anInstance({ state: building, bytes: 65_536 })
    expect(hear([known], [aProbe({ bytes: 1 })])).toEqual([])
    expect(hear([known], [])).toEqual([])
    const failed = anInstance({ state: { is: 'error', why: 'no space' }, bytes: 65_536 })
    expect(hear([failed], [aProbe({ bytes: 1, up: false })])).toEqual([])
    expect(hear([failed], [])).toEqual([])
    expect(hear([failed], [aProbe()])).toMatchObject([{ state: { is: 'active' } }])
  })
})

it('the instances of a node that was shut out are down, once', () => {
  const after = afterShutOut([anInstance(), anInstance({ key: 'new', state: building })], now)
  expect(after).toMatchObject([{ key: 'orders', state: { is: 'down' }, updatedAt: now }])
  expect(afterShutOut(after, now)).toEqual([])
})

it('sizes are kept in steps: never below the size, at most an eighth above it, or 64 KiB', () => {
  for (let bytes = 0; bytes < 2 ** 45; bytes = bytes * 3 + 1) {
    const kept = roundedUp(bytes)
    expect(kept).toBeGreaterThanOrEqual(bytes)
    expect(kept - bytes).toBeLessThanOrEqual(Math.max(65_536, bytes / 8))
  }
  const doubling = new Set(Array.from({ length: 1_000 }, (_, n) => roundedUp(10_000_000 + n * 10_000)))
  expect(doubling.size).toBeLessThan(20)
})
