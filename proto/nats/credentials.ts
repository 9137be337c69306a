import type { Authenticator } from 'nats'
import { instant } from '../../core/clock.ts'
import type { Instant } from '../../core/clock.ts'
import { Fault } from '../../core/fault.ts'
import { keyFromSeed } from './keys.ts'
import type { NatsKey } from './keys.ts'

/** What a NATS user proves itself with. */
export interface Credentials {
  /** Says who the user is and what it may do, signed by its account. */
  readonly jwt: string
  readonly key: NatsKey
  /** Absent: never. By nats-server's wall clock. */
  readonly expiresAt?: Instant
}

/** The text of a .creds file, as every NATS client reads it. Holds a secret: 0600, never logged. */
export const credentialsText = (jwt: string, key: NatsKey): string =>
  `-----BEGIN NATS USER JWT-----
${jwt}
------END NATS USER JWT------

-----BEGIN USER NKEY SEED-----
${key.seed}
------END USER NKEY SEED------
`

const credentialsForm =
  /^-+BEGIN NATS USER JWT-+\s+(\S+)\s+-+END NATS USER JWT-+\s+(?:[^-][^\n]*\s+)*?-+BEGIN USER NKEY SEED-+\s+(\S+)\s+-+END USER NKEY SEED-+\s*/

/** Throws Fault('bad_message') when it is not the text of a .creds file; the text is not in the message. */
export function parseCredentials(text: string): Credentials {
  const [, jwt, seed] = credentialsForm.exec(text.trimStart()) ?? []
  if (jwt === undefined || seed === undefined) throw new Fault('bad_message', 'not NATS credentials')
  const expiresAt = expiryOf(jwt)
  return { jwt, key: keyFromSeed(seed), ...(expiresAt === undefined ? {} : { expiresAt }) }
}

function expiryOf(jwt: string): Instant | undefined {
  try {
    const claims: unknown = JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString())
    const seconds = (claims as { exp?: unknown } | null)?.exp
    return typeof seconds === 'number' ? instant(seconds * 1_000) : undefined
  } catch (cause) {
    throw new Fault('bad_message', 'not NATS credentials: the JWT is unreadable', { cause })
  }
}

/** Answers nats-server's challenge. */
export const authenticatorOf =
  (credentials: Credentials): Authenticator =>
  (nonce) => ({
    jwt: credentials.jwt,
    nkey: credentials.key.publicKey,
    sig: credentials.key.sign(Buffer.from(nonce ?? '')).toString('base64url'),
  })
