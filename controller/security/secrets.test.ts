import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseJoinToken, parseToken } from '../../core/tokens.ts'
import { hashOfSecret, makeJoinToken, makeToken, secretMatches } from './secrets.ts'

const fingerprint = 'ab'.repeat(32)

describe('a token', () => {
  it('is shown once; its id and the hash of its secret are what is kept', () => {
    const token = makeToken()
    const parts = parseToken(token.text)!
    expect(parts.id).toBe(token.id)
    expect(hashOfSecret(parts.secret)).toBe(token.hash)
    expect(secretMatches(parts.secret, token.hash)).toBe(true)
    expect(secretMatches(makeToken().hash, token.hash)).toBe(false)
    expect(secretMatches(parts.secret, 'short')).toBe(false)
  })

  it('to join names the CA that the agent must meet', () => {
    const token = makeJoinToken(fingerprint)
    expect(parseJoinToken(token.text)).toMatchObject({ id: token.id, fingerprint })
    expect(secretMatches(parseJoinToken(token.text)!.secret, token.hash)).toBe(true)
  })

  it('is never taken for one of the other kind, nor for one when it is cut or longer', () => {
    const texts = [makeToken().text, makeJoinToken(fingerprint).text]
    expect(parseToken(texts[1]!)).toBeUndefined()
    expect(parseJoinToken(texts[0]!)).toBeUndefined()
    for (const text of texts)
      for (const changed of [text.slice(0, -1), `${text}a`, ` ${text}`, `${text}\n`, text.toUpperCase()]) {
        expect(parseToken(changed)).toBeUndefined()
        expect(parseJoinToken(changed)).toBeUndefined()
      }
  })

  it('is read from any text without a failure', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(parseToken(text)).toBeUndefined()
        expect(parseJoinToken(`firnjoin_${text}`)).toBeUndefined()
      }),
    )
  })
})
