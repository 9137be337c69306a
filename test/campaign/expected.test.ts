// When a campaign expects its schedules, by hand.
import { expect, it } from 'vitest'
import { hasSlot, slotsOf, type Rule } from './expected.ts'

const t0 = Date.UTC(2027, 0, 15, 10)
const s = 1_000
const seconds = (rule: Rule, from: number, to: number): number[] =>
  slotsOf(rule, t0 + from * s, t0 + to * s).map((at) => (at - t0) / s)

it.each<[string, Rule, number, number, number[]]>([
  ['an interval, its beginning included', { is: 'grid', from: t0, everyMs: 5 * s }, 0, 15, [0, 5, 10]],
  ['an interval, from its middle', { is: 'grid', from: t0, everyMs: 5 * s }, 6, 16, [10, 15]],
  ['an interval, not before it begins', { is: 'grid', from: t0 + 4 * s, everyMs: 5 * s }, 0, 10, [4, 9]],
  ['seconds', { is: 'cron', pattern: '*/20 * * * * *' }, 0, 60, [0, 20, 40]],
  ['minutes', { is: 'cron', pattern: '*/2 * * * *' }, 0, 300, [0, 120, 240]],
  [
    'seconds, not before they begin',
    { is: 'cron', pattern: '*/20 * * * * *', from: t0 + 20 * s },
    0,
    60,
    [20, 40],
  ],
  ['a date', { is: 'once', at: t0 + 7 * s }, 0, 8, [7]],
  ['a date that is over', { is: 'once', at: t0 + 7 * s }, 8, 20, []],
  ['one run after the other, which nobody can foretell', { is: 'continuous' }, 0, 20, []],
])('%s', (_, rule, from, to, expected) => {
  expect(seconds(rule, from, to)).toEqual(expected)
})

it('tells an instant that is a slot from one that is none', () => {
  expect(hasSlot({ is: 'grid', from: t0, everyMs: 5 * s }, t0 + 5 * s)).toBe(true)
  expect(hasSlot({ is: 'grid', from: t0, everyMs: 5 * s }, t0 + 6 * s)).toBe(false)
  expect(hasSlot({ is: 'continuous' }, t0 + 1)).toBe(true)
})
