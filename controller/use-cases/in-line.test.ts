import { describe, expect, it } from 'vitest'
import { memoryStore } from '../memory/backend.ts'
import { State } from '../state/state.ts'
import { Fault } from '../../core/fault.ts'
import type { SessionId } from '../../core/ids.ts'
import { project } from '../../test/support/builders.ts'
import { eventually } from '../../test/support/eventually.ts'
import { manualClock } from '../../test/support/manual-clock.ts'
import { retryingInLine } from './in-line.ts'

async function rig() {
  const clock = manualClock()
  const store = memoryStore()
  const state = new State(store.backend(), clock)
  await eventually(() => state.loaded)
  const context = { state, clock }
  const told: string[] = []
  /** Work that begins when it may and ends when it is told to. */
  const change = (name: string, session = 's') => {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const done = retryingInLine(context, { project }, session as SessionId, async () => {
      told.push(`${name} begins`)
      await promise
      told.push(`${name} ends`)
      return name
    })
    return { done, end: () => resolve(), fail: () => reject(new Fault('not_found', 'gone')) }
  }
  return { clock, store, told, change, context }
}
/** Everything that can go on now has. */
const settled = () => new Promise((resolve) => setImmediate(resolve))

describe('changes of one session', () => {
  it('come one after the other, in the order in which they were asked for', async () => {
    const { told, change } = await rig()
    const changes = ['a', 'b', 'c'].map((name) => change(name))
    for (const { end } of changes.toReversed()) end()
    expect(await Promise.all(changes.map(({ done }) => done))).toEqual(['a', 'b', 'c'])
    expect(told).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends'])
  })

  it('do not wait for those of another', async () => {
    const { told, change } = await rig()
    change('a')
    change('b', 'other')
    await settled()
    expect(told).toEqual(['a begins', 'b begins'])
  })

  it('go on after one that was refused', async () => {
    const { change } = await rig()
    const [first, second] = [change('a'), change('b')]
    first.fail()
    second.end()
    await expect(first.done).rejects.toMatchObject({ code: 'not_found' })
    expect(await second.done).toBe('b')
  })

  it('wait for half a second only, and not at all while the store is away', async () => {
    const { clock, store, told, change, context } = await rig()
    change('a')
    change('b')
    await settled()
    expect(told).toEqual(['a begins'])
    clock.advance(500)
    await eventually(() => told.includes('b begins'))
    store.stop()
    await eventually(() => context.state.staleMs !== undefined)
    change('c')
    await settled()
    expect(told).toEqual(['a begins', 'b begins', 'c begins'])
  })
})
