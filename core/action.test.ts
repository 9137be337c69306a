import { expect, it } from 'vitest'
import { isObject, keeperOf } from './action.ts'

it('tells objects from everything else in a document', () => {
  expect([{}, { a: 1 }].map(isObject)).toEqual([true, true])
  expect([null, [], 'x', 1, true, undefined].some(isObject)).toBe(false)
})

it('knows which engine keeps what another one copies', () => {
  expect([keeperOf('sqlite'), keeperOf('restic')]).toEqual(['restic', 'restic'])
})
