import { describe, expect, it } from 'vitest'
import { later, type Instant } from '../../core/clock.ts'
import { manualClock } from '../../test/support/manual-clock.ts'
import { Alarm } from './alarm.ts'

/** A wall clock that somebody can step, beside one that goes on. */
function rig() {
  const time = manualClock()
  let offset = 0
  const clock = { ...time, now: (): Instant => later(time.now(), offset) }
  const rung: string[] = []
  const alarm = new Alarm(clock, (key) => rung.push(key))
  const settled = () => new Promise((resolve) => setImmediate(resolve))
  return {
    alarm,
    rung,
    sleeping: () => time.sleeping,
    now: () => clock.now(),
    step: (ms: number) => (offset += ms),
    pass: async (ms: number) => {
      for (let left = ms; left > 0; left -= 1_000) {
        time.advance(Math.min(1_000, left))
        await settled()
      }
    },
  }
}

const second = 1_000
const hour = 3_600 * second

describe('an alarm', () => {
  it('rings when its instant has come, the earliest first, and once', async () => {
    const { alarm, rung, now, pass } = rig()
    for (const [key, s] of [
      ['c', 9],
      ['a', 2],
      ['b', 4],
    ] as const)
      alarm.set(key, later(now(), s * second))
    await pass(5 * second)
    expect(rung).toEqual(['a', 'b'])
    await pass(60 * second)
    expect(rung).toEqual(['a', 'b', 'c'])
  })

  it('is looked at every 30 s, however far it is', async () => {
    const { alarm, now, pass, sleeping } = rig()
    alarm.set('a', later(now(), 40 * 24 * hour))
    for (let look = 0; look < 5; look++) {
      expect(sleeping()).toHaveLength(1)
      expect(sleeping()[0]).toBeLessThanOrEqual(30 * second)
      await pass(30 * second)
    }
  })

  it('rings within 30 s after the clock was put forward to it', async () => {
    const { alarm, rung, now, pass, step } = rig()
    alarm.set('a', later(now(), 5 * hour))
    await pass(40 * second)
    step(6 * hour)
    await pass(30 * second)
    expect(rung).toEqual(['a'])
  })

  it('waits for its instant again after the clock was put back, and holds up no other', async () => {
    const { alarm, rung, now, pass, step } = rig()
    alarm.set('a', later(now(), 10 * second))
    step(-hour)
    await pass(60 * second)
    expect(rung).toEqual([])
    alarm.set('b', later(now(), 5 * second))
    await pass(5 * second)
    expect(rung).toEqual(['b'])
    step(hour)
    await pass(30 * second)
    expect(rung).toEqual(['b', 'a'])
  })

  it('rings as it was set last, however often that was', async () => {
    const { alarm, rung, now, pass } = rig()
    for (let turn = 0; turn < 1_000; turn++)
      for (const key of ['a', 'b']) {
        alarm.clear(key)
        alarm.set(key, later(now(), (key === 'a' ? 3_000 : 20) * second - turn))
      }
    expect(alarm.size).toBe(2)
    await pass(18 * second)
    expect(rung).toEqual([])
    await pass(5 * second)
    expect(rung).toEqual(['b'])
    await pass(3_000 * second)
    expect(rung).toEqual(['b', 'a'])
  })

  it('is silent once it is cleared, or all of it is over', async () => {
    const { alarm, rung, now, pass, sleeping } = rig()
    alarm.set('a', later(now(), second))
    alarm.clear('a')
    await pass(2 * second)
    alarm.set('b', later(now(), second))
    alarm[Symbol.dispose]()
    alarm.set('c', later(now(), second))
    await pass(2 * second)
    expect(rung).toEqual([])
    expect(sleeping()).toEqual([])
  })
})
