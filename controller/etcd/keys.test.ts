import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { kinds } from '../ports/backend.ts'
import { everything, keyOf, leaderKey, refOf } from './keys.ts'

describe('keys', () => {
  it('spell a document by kind, project and id', () => {
    expect(keyOf({ kind: 'run', project: 'p1', id: 'a.b:c_D-9' }).toString()).toBe('/firn/1/run/p1/a.b:c_D-9')
    expect(keyOf({ kind: 'token', project: '', id: 'ä/%' }).toString()).toBe('/firn/1/token//%C3%A4%2F%25')
  })

  const ref = fc.record({
    kind: fc.constantFrom(...kinds),
    project: fc.string({ unit: 'grapheme' }),
    id: fc.string({ unit: 'grapheme' }),
  })

  it('give the document back, whatever its name', () => {
    fc.assert(
      fc.property(ref, (one) => {
        expect(refOf(keyOf(one))).toEqual(one)
      }),
    )
  })

  it('lie in the range of all keys, and none is the leader’s', () => {
    fc.assert(
      fc.property(ref, (one) => {
        const key = keyOf(one)
        expect(key.compare(everything.start)).toBe(1)
        expect(key.compare(everything.end)).toBe(-1)
        expect(key.equals(leaderKey)).toBe(false)
      }),
    )
  })

  it('say nothing about a key that is not ours', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(refOf(Buffer.from(bytes))).toBe(undefined)
      }),
    )
    for (const key of [
      '/firn/1/leader',
      '/firn/1/mark',
      '/firn/1/job/a',
      '/firn/1/job/a/b/c',
      '/firn/1/job/%41/b',
      '/firn/1/x/a/b',
    ])
      expect([key, refOf(Buffer.from(key))]).toEqual([key, undefined])
    expect(refOf(Buffer.from('/firn/1/job/%/b'))).toBe(undefined)
  })

  it('refuse a name that is no text', () => {
    expect(() => keyOf({ kind: 'job', project: 'p', id: '\ud800' })).toThrow('Unicode')
  })
})
