import { expect, it } from 'vitest'
import { oneAtATime } from './one-at-a-time.ts'

it('serves everybody who asked before it began by one call, and those who ask meanwhile by the next', async () => {
  const calls: (() => void)[] = []
  const ask = oneAtATime(() => new Promise<void>((resolve) => calls.push(resolve)))
  const settle = async () => {
    for (let turns = 0; turns < 20; turns++) await Promise.resolve()
  }
  const [first, second, third] = [ask(), ask(), ask()]
  expect(calls).toHaveLength(1)
  calls[0]?.()
  await first
  await settle()
  expect(calls).toHaveLength(2)
  calls[1]?.()
  await Promise.all([second, third])
  const last = ask()
  expect(calls).toHaveLength(3)
  calls[2]?.()
  await last
})

it('passes a failure on to those who waited for it, and to nobody else', async () => {
  let tries = 0
  const ask = oneAtATime(async () => {
    if (tries++ === 0) throw new Error('away')
  })
  const [first, second] = [ask(), ask()]
  await expect(first).rejects.toThrow('away')
  await second
})
