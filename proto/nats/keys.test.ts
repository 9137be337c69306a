import fc from 'fast-check'
import { nkeys } from 'nats'
import { describe, expect, it } from 'vitest'
import { isFault } from '../../core/fault.ts'
import { credentialsText, parseCredentials } from './credentials.ts'
import { base32, keyFromSeed, newKey } from './keys.ts'
import type { KeyKind } from './keys.ts'

const kinds: KeyKind[] = ['operator', 'account', 'user']
const bytesOf = (text: string) => new TextEncoder().encode(text)

/** A JWT as far as anybody reads it without checking its signature. */
const jwtWith = (claims: object) => `h.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.s`

describe('a NATS key', () => {
  it.each(kinds)('of an %s is the same in the implementation of the nats package', (kind) => {
    const key = newKey(kind)
    const theirs = nkeys.fromSeed(bytesOf(key.seed))
    expect(theirs.getPublicKey()).toBe(key.publicKey)
    const data = bytesOf('a challenge')
    expect(theirs.verify(data, key.sign(data))).toBe(true)
    expect(key.publicKey[0]).toBe({ operator: 'O', account: 'A', user: 'U' }[kind])
  })

  it.each(kinds)('of an %s comes back from its seed', (kind) => {
    const { seed, publicKey } = newKey(kind)
    expect(keyFromSeed(`${seed}\n`)).toMatchObject({ kind, seed, publicKey })
  })

  it('is refused when a letter of its seed is wrong, without telling the seed', () => {
    const { seed } = newKey('user')
    fc.assert(
      fc.property(
        fc.nat(seed.length - 1),
        fc.constantFrom(...'ABCDEFGHIJKLMNOPQRSTUVWXYZ2345671!'.split('')),
        (at, letter) => {
          fc.pre(seed[at] !== letter)
          const wrong = seed.slice(0, at) + letter + seed.slice(at + 1)
          expect(() => keyFromSeed(wrong)).toThrow(
            expect.toSatisfy((it) => isFault(it, 'bad_message') && !it.message.includes(wrong)),
          )
        },
      ),
    )
  })

  it('is not made of a public key or of any other text', () => {
    expect(() => keyFromSeed(newKey('user').publicKey)).toThrow('not a seed')
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(() => keyFromSeed(text)).toThrow('not a')
      }),
    )
  })

  it('spells base32 as RFC 4648 does', () => {
    const spelled = ['', 'f', 'fo', 'foo', 'foob', 'fooba', 'foobar'].map((it) => base32(bytesOf(it)))
    expect(spelled).toEqual(['', 'MY', 'MZXQ', 'MZXW6', 'MZXW6YQ', 'MZXW6YTB', 'MZXW6YTBOI'])
  })
})

describe('credentials', () => {
  it('come back from their text, with their expiry', () => {
    const key = newKey('user')
    const jwt = jwtWith({ exp: 1_800_000_000 })
    const parsed = parseCredentials(`\n${credentialsText(jwt, key)}`)
    expect(parsed).toMatchObject({ jwt, expiresAt: 1_800_000_000_000 })
    expect(parsed.key.publicKey).toBe(key.publicKey)
    expect(parseCredentials(credentialsText(jwtWith({}), key))).not.toHaveProperty('expiresAt')
  })

  it('are read with the words of warning that other tools put between', () => {
    const [jwtPart, keyPart] = credentialsText(jwtWith({}), newKey('user')).split('\n\n')
    const warning = '************************* IMPORTANT *************************\nKeep this private!'
    expect(parseCredentials(`${jwtPart}\n\n${warning}\n\n${keyPart}\n*****`).jwt).toBe(jwtWith({}))
  })

  it('are refused when they are something else', () => {
    const good = credentialsText(jwtWith({}), newKey('user'))
    const bad = [
      '',
      'x',
      good.slice(0, 60),
      good.replace('SEED', 'SEAT'),
      good.replace(jwtWith({}), 'no.jwt'),
    ]
    for (const text of bad) expect(() => parseCredentials(text)).toThrow('not NATS credentials')
  })
})
