import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Json } from '../core/action.ts'
import { isFault } from '../core/fault.ts'
import { demandBounds, demandUnicode } from './json-bounds.ts'

const bound = (text: string): void => demandBounds(Buffer.from(text))
const fields = (count: number, value = '0'): string =>
  `{${Array.from({ length: count }, (_, at) => `"k${at}":${value}`).join(',')}}`

describe('the bounds of a JSON text', () => {
  it('hold for every ordinary document, however it is written', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 10 }), fc.integer({ min: 0, max: 3 }), (text, indent) => {
        expect(() => bound(JSON.stringify(JSON.parse(text), undefined, indent))).not.toThrow()
      }),
    )
  })

  it('are bounds, and no fault of ours comes out of any bytes', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[{}[\],:"\\a]{0,400}$/), (text) => {
        try {
          bound(text)
        } catch (error) {
          expect(isFault(error, 'bad_request')).toBe(true)
        }
      }),
    )
  })

  it.each([
    ['64 levels', `${'['.repeat(64)}${']'.repeat(64)}`, undefined],
    ['65 levels', `${'['.repeat(65)}${']'.repeat(65)}`, 'more than 64 levels'],
    ['brackets without an end', '{"a":'.repeat(100_000), 'more than 64 levels'],
    ['20,000 values', `[${'0,'.repeat(19_998)}0]`, undefined],
    ['one more', `[${'0,'.repeat(20_000)}0]`, 'more than 20000 values'],
    ['empty objects', `[${'{},'.repeat(12_000)}{}]`, 'more than 20000 values'],
    ['1,000 fields', fields(1_000), undefined],
    ['one field more', fields(1_001), 'more than 1000 fields'],
    ['fields beside one that is nested', `{"a":${fields(990, '{"x":[1,2]}')},"b":${fields(990)}}`, undefined],
    ['signs in a string', JSON.stringify('[{,"\\'.repeat(50_000)), undefined],
    ['a string without an end', `"${'['.repeat(100)}`, undefined],
  ])('of %s', (_name, text, message) => {
    if (message === undefined) expect(() => bound(text)).not.toThrow()
    else expect(() => bound(text)).toThrow(message)
  })
})

describe('a text that is no Unicode', () => {
  const isIn = (value: Json) => () => demandUnicode(value)

  it.each<[Json, string]>([
    ['\ud800', 'body: must be Unicode'],
    [{ a: [1, { b: 'x\udfff' }] }, 'a.1.b: must be Unicode'],
    [{ a: { 'x\ud800': 1 } }, 'a: must be Unicode'],
    [{ 'x\ud800': 1 }, 'body: must be Unicode'],
  ])('is found in %j', (value, message) => {
    expect(isIn(value)).toThrow(message)
  })

  it('is found wherever it is, and nowhere else', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'binary' }), (value) => {
        expect(isIn(value as Json)).not.toThrow()
        expect(isIn([value as Json, ['\udc00']])).toThrow('1.0: must be Unicode')
      }),
    )
  })
})
