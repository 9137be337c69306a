import { describe, expect, it } from 'vitest'
import type { IKeyValue } from 'etcd3'
import type { RawTransaction } from '../ports/backend.ts'
import { provenRevision } from './transaction.ts'

const doc = (id: string) => ({ kind: 'job' as const, project: 'p', id })
const found = (text: string, revision: number) =>
  ({ value: Buffer.from(text), mod_revision: String(revision) }) as IKeyValue
const replaceBoth: RawTransaction = {
  requires: [
    { ...doc('a'), revision: 7 },
    { ...doc('b'), revision: 9 },
  ],
  writes: [
    { ...doc('a'), text: 'A' },
    { ...doc('b'), text: 'B' },
  ],
}

describe('what proves, read back, that a transaction of unknown outcome was stored', () => {
  it('is every text as written, at one revision behind those required', () => {
    expect(provenRevision(replaceBoth, [found('A', 12), found('B', 12)])).toBe(12)
  })

  it.each([
    ['one still as before', [found('A', 7), found('B', 9)]],
    ['another text', [found('A', 12), found('other', 12)]],
    ['equal texts by different writes', [found('A', 12), found('B', 13)]],
    ['a document gone', [found('A', 12), undefined]],
    ['nothing at all', [undefined, undefined]],
    ['equal texts that were there before', [found('A', 9), found('B', 9)]],
  ])('is not %s', (_, both) => {
    expect(provenRevision(replaceBoth, both)).toBe(undefined)
  })

  it('is for a deletion beside a text that it happened too', () => {
    const move = {
      requires: [],
      writes: [
        { ...doc('a'), text: undefined },
        { ...doc('b'), text: 'B' },
      ],
    }
    expect(provenRevision(move, [undefined, found('B', 12)])).toBe(12)
    expect(provenRevision(move, [found('A', 3), found('B', 12)])).toBe(undefined)
  })

  it('is nothing for a deletion alone: another may have deleted it', () => {
    expect(provenRevision({ requires: [], writes: [{ ...doc('a'), text: undefined }] }, [undefined])).toBe(
      undefined,
    )
  })
})
