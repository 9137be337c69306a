import { expect, it } from 'vitest'
import { readRecords, recordOf } from './records.ts'

const records = ['first', '', 'a\nb', 'x'.repeat(5_000)].map((text, nth) => recordOf(nth, Buffer.from(text)))
const whole = Buffer.concat(records)

it('reads what was written', () => {
  expect(readRecords(whole)).toEqual({ count: 4, rest: 0 })
  expect(readRecords(Buffer.alloc(0))).toEqual({ count: 0, rest: 0 })
})

it('takes every beginning of a file for whole records and the beginning of another', () => {
  for (let length = 0; length < 200; length++) {
    const { count, rest, damage } = readRecords(whole.subarray(0, length))
    expect(damage).toBeUndefined()
    expect(Buffer.concat(records.slice(0, count)).length + rest).toBe(length)
  }
})

it('calls a changed byte damage, wherever it is', () => {
  for (let at = 0; at < 150; at++) {
    const changed = Buffer.from(whole)
    changed[at] = (changed[at] ?? 0) ^ 0x04
    const { count, damage } = readRecords(changed)
    expect(damage ?? count, `byte ${at}`).not.toBe(4)
  }
})

it('calls a gap between records damage', () => {
  const [first, , third] = records
  expect(readRecords(Buffer.concat([first!, third!])).damage).toBe(
    'where record 1 should be is something else',
  )
})
