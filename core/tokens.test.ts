import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { joinTokenText, parseJoinToken, parseToken, tokenText } from './tokens.ts'

const id = fc.stringMatching(/^[0-9a-f]{16}$/)
/** 32 bytes in base64url: "_" and "-" are among its characters. */
const secret = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => Buffer.from(bytes).toString('base64url'))
const fingerprint = fc.stringMatching(/^[0-9a-f]{64}$/)
const token = fc.record({ id, secret })
const joinToken = fc.record({ id, secret, fingerprint })

describe('a token', () => {
  it('is read as what it was made of', () => {
    fc.assert(
      fc.property(token, joinToken, (parts, joinParts) => {
        expect(parseToken(tokenText(parts))).toEqual(parts)
        expect(parseJoinToken(joinTokenText(joinParts))).toEqual(joinParts)
      }),
    )
  })

  it('is never taken for one of the other kind, nor for one when it is cut or longer', () => {
    fc.assert(
      fc.property(joinToken, (parts) => {
        const texts = [tokenText(parts), joinTokenText(parts)]
        const others = texts.flatMap((text) => [text.slice(0, -1), `${text}a`, ` ${text}`, `${text}\n`])
        for (const text of [...others, joinTokenText(parts)]) expect(parseToken(text)).toBeUndefined()
        for (const text of [...others, tokenText(parts)]) expect(parseJoinToken(text)).toBeUndefined()
      }),
    )
  })

  it('is nothing that any other text holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        for (const any of [text, `firn_${text}`, `firnjoin_${text}`]) {
          expect(parseToken(any)).toBeUndefined()
          expect(parseJoinToken(any)).toBeUndefined()
        }
      }),
    )
  })
})
