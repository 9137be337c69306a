import { expect, it } from 'vitest'
import { monotonic, instant, type Clock } from '../../../core/clock.ts'
import { StallWatch } from './stall.ts'

/** A clock that stands until it is moved. */
function standingClock() {
  let now = 0
  const waiting = new Set<{ readonly at: number; readonly go: () => void }>()
  const clock: Clock = {
    now: () => instant(now),
    monotonic: () => monotonic(now),
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        waiting.add({ at: now + ms, go: resolve })
        signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
      }),
    random: () => 0,
  }
  const move = async (ms: number): Promise<void> => {
    for (const end = now + ms; now < end;) {
      now++
      for (const sleeper of [...waiting].filter(({ at }) => at <= now)) {
        waiting.delete(sleeper)
        sleeper.go()
      }
      await new Promise((go) => setImmediate(go))
    }
  }
  return { clock, move }
}

function watched(sample?: () => unknown) {
  const { clock, move } = standingClock()
  const watch = new StallWatch(clock, 100)
  let stalls = 0
  watch.start(() => stalls++, sample)
  return { watch, move, stalls: () => stalls }
}

it('work without another value for too long stalls, once', async () => {
  const { watch, move, stalls } = watched()
  await move(60)
  watch.saw('a')
  await move(60)
  watch.saw('a')
  expect(stalls()).toBe(0)
  await move(60)
  expect(stalls()).toBe(1)
  await move(300)
  expect(stalls()).toBe(1)
})

it('the time in which the reader is busy does not count', async () => {
  const { watch, move, stalls } = watched()
  await move(50)
  watch.hold()
  await move(500)
  watch.release()
  await move(30)
  expect(stalls()).toBe(0)
  await move(60)
  expect(stalls()).toBe(1)
})

it('a sample that grows is movement, one that cannot be taken too, one that stands is none', async () => {
  let bytes = 0
  const growing = watched(() => bytes++)
  await growing.move(400)
  expect(growing.stalls()).toBe(0)
  const blind = watched(() => undefined)
  await blind.move(400)
  expect(blind.stalls()).toBe(0)
  const standing = watched(() => 7)
  await standing.move(400)
  expect(standing.stalls()).toBe(1)
})

it('nothing stalls after the end of the watch', async () => {
  const { watch, move, stalls } = watched()
  watch[Symbol.dispose]()
  await move(300)
  expect(stalls()).toBe(0)
})
