import { setImmediate as turn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { Outbox } from './outbox.ts'

/** Pushes numbers and says which have been written. */
function pushed(outbox: Outbox, numbers: Iterable<number>, written: number[] = []): number[] {
  for (const n of numbers) outbox.push(() => void written.push(n))
  return written
}
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i)

it('writes a few messages at once', () => {
  expect(pushed(new Outbox(), upTo(3))).toEqual([0, 1, 2])
})

it('gives other work its turn after 500, and keeps the order', async () => {
  const outbox = new Outbox()
  const written = pushed(outbox, upTo(1_200))
  expect(written).toHaveLength(500)
  await turn()
  expect(written.length).toBeLessThanOrEqual(1_000)
  pushed(outbox, [1_200], written)
  while (written.length < 1_201) await turn()
  expect(written).toEqual(upTo(1_201))
})

it('never grows under a load that never lets it run empty', async () => {
  const outbox = new Outbox()
  const written: number[] = []
  let next = 0
  for (let i = 0; i < 30; i++) {
    pushed(
      outbox,
      Array.from({ length: 600 }, () => next++),
      written,
    )
    await turn()
  }
  while (written.length < next) await turn()
  expect(written).toEqual(upTo(next))
})

it('lets a write push more', async () => {
  const outbox = new Outbox()
  const written: number[] = []
  outbox.push(() => pushed(outbox, upTo(700), written))
  while (written.length < 700) await turn()
  expect(written).toEqual(upTo(700))
})
