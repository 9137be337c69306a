import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { joinTokenText, tokenText } from '../../core/tokens.ts'

/** A new credential: `text` is shown once to its owner, `id` and `hash` are stored. */
export interface NewSecret {
  readonly id: string
  readonly text: string
  /** SHA-256 of the secret part, hex. */
  readonly hash: string
}

const idBytes = 8
/** 256 random bits: nothing slower than SHA-256 is needed against guessing. */
const secretBytes = 32

/** A REST token `firn_<id>_<secret>`. */
export function makeToken(): NewSecret {
  const { id, secret, hash } = randomParts()
  return { id, hash, text: tokenText({ id, secret }) }
}

/** A join token `firnjoin_<id>_<secret>_<fingerprint>`; the fingerprint is that of the agents' CA. */
export function makeJoinToken(fingerprint: string): NewSecret {
  const { id, secret, hash } = randomParts()
  return { id, hash, text: joinTokenText({ id, secret, fingerprint }) }
}

/** What is stored of a secret: SHA-256, hex. */
export const hashOfSecret = (secret: string): string => createHash('sha256').update(secret).digest('hex')

/** Whether the secret has this hash, in a time that does not tell how much of it is right. */
export function secretMatches(secret: string, hash: string): boolean {
  const found = Buffer.from(hashOfSecret(secret))
  const wanted = Buffer.from(hash)
  return found.length === wanted.length && timingSafeEqual(found, wanted)
}

function randomParts() {
  const secret = randomBytes(secretBytes).toString('base64url')
  return { id: randomBytes(idBytes).toString('hex'), secret, hash: hashOfSecret(secret) }
}
