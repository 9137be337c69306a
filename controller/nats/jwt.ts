import { createHash } from 'node:crypto'
import type { Instant } from '../../core/clock.ts'
import { base32 } from '../../proto/nats/keys.ts'
import type { NatsKey } from '../../proto/nats/keys.ts'

/** NATS's JWTs, version 2: an operator signs accounts, an account's signing key signs users. */
interface Claims {
  /** Public key of whom it speaks. */
  readonly subject: string
  readonly name: string
  readonly issuedAt: Instant
  /** Absent: valid for ever. Rounded down to seconds. */
  readonly expiresAt?: Instant
  readonly nats: object
}

export interface Permissions {
  readonly publish: { readonly allow: readonly string[] } | { readonly deny: readonly string[] }
  readonly subscribe: { readonly allow: readonly string[] }
}

/** -1 means without limit; a missing number would mean none at all. */
const unlimited = {
  subs: -1,
  data: -1,
  payload: -1,
  imports: -1,
  exports: -1,
  wildcards: true,
  conn: -1,
  leaf: -1,
}
/** nats-server refuses a system account that has them. */
const jetStreamUnlimited = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 }

export const operatorJwt = (operator: NatsKey, systemAccount: string, issuedAt: Instant): string =>
  signed(operator, {
    subject: operator.publicKey,
    name: 'firn',
    issuedAt,
    nats: { type: 'operator', version: 2, system_account: systemAccount },
  })

/** `signingKey`: whose signature on users counts besides the account's own; absent for the system account. */
export const accountJwt = (
  operator: NatsKey,
  account: { readonly publicKey: string; readonly name: string; readonly signingKey?: string },
  issuedAt: Instant,
): string =>
  signed(operator, {
    subject: account.publicKey,
    name: account.name,
    issuedAt,
    nats: {
      type: 'account',
      version: 2,
      limits: account.signingKey === undefined ? unlimited : { ...unlimited, ...jetStreamUnlimited },
      ...(account.signingKey === undefined ? {} : { signing_keys: [account.signingKey] }),
      default_permissions: { pub: {}, sub: {} },
    },
  })

export const userJwt = (
  signingKey: NatsKey,
  account: string,
  user: {
    readonly publicKey: string
    readonly name: string
    readonly permissions: Permissions
    readonly issuedAt: Instant
    readonly expiresAt?: Instant
  },
): string =>
  signed(signingKey, {
    subject: user.publicKey,
    name: user.name,
    issuedAt: user.issuedAt,
    ...(user.expiresAt === undefined ? {} : { expiresAt: user.expiresAt }),
    nats: {
      type: 'user',
      version: 2,
      issuer_account: account,
      pub: user.permissions.publish,
      sub: user.permissions.subscribe,
      subs: -1,
      data: -1,
      payload: -1,
    },
  })

const header = base64url(JSON.stringify({ typ: 'JWT', alg: 'ed25519-nkey' }))

function signed(by: NatsKey, claims: Claims): string {
  const body = {
    iat: Math.floor(claims.issuedAt / 1_000),
    iss: by.publicKey,
    name: claims.name,
    sub: claims.subject,
    ...(claims.expiresAt === undefined ? {} : { exp: Math.floor(claims.expiresAt / 1_000) }),
    nats: claims.nats,
  }
  const jti = base32(createHash('sha256').update(JSON.stringify(body)).digest())
  const text = `${header}.${base64url(JSON.stringify({ jti, ...body }))}`
  return `${text}.${by.sign(Buffer.from(text)).toString('base64url')}`
}

function base64url(text: string): string {
  return Buffer.from(text).toString('base64url')
}
