import { setImmediate as nextRound } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { inTurns } from './turns.ts'

const never = (): void => {}

/** Work of so many parts, each of which takes some time. */
function work(parts: number, ms: number): { step: (isOver: () => boolean) => boolean; done: () => number } {
  let done = 0
  return {
    done: () => done,
    step(isOver) {
      while (done < parts) {
        const until = performance.now() + ms
        while (performance.now() < until);
        done++
        if (isOver()) return done >= parts
      }
      return true
    },
  }
}

it('needs no promise for what is soon done', () => {
  expect(inTurns(() => true, never)).toBeUndefined()
})

it('gives one of many a turn in each round of the event loop, and each in its order', async () => {
  const all = Array.from({ length: 4 }, () => work(40, 1))
  const ends = all.map(async ({ step }) => inTurns(step, never))
  const rounds: number[] = []
  for (let before = 4; before < 160;) {
    await nextRound()
    const now = all.reduce((sum, { done }) => sum + done(), 0)
    rounds.push(now - before)
    before = now
  }
  await Promise.all(ends)
  // A turn is a few parts; all of them at once would be four times as many, without turns all 156.
  expect(Math.max(...rounds)).toBeLessThan(20)
})

it('ends with what is thrown between two turns', async () => {
  const { step, done } = work(1000, 1)
  const refuse = (): void => {
    if (done() > 3) throw new Error('enough')
  }
  await expect(inTurns(step, refuse)).rejects.toThrow('enough')
  expect(done()).toBeLessThan(1000)
})
