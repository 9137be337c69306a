import { createHash } from 'node:crypto'
import type { Role, Token } from '../../core/catalogue.ts'
import { later, type Instant } from '../../core/clock.ts'
import { Fault, badField } from '../../core/fault.ts'
import type { ProjectId, UserId } from '../../core/ids.ts'
import { parseToken, tokenText } from '../../core/tokens.ts'
import { put, unchanged, type Stored } from '../state/documents.ts'
import type { Caller, Context } from './context.ts'
import { retrying } from './retrying.ts'

export interface TokenWish {
  readonly user: UserId
  readonly userName: string
  readonly role: Role
  /** Seconds; absent: it does not expire. */
  readonly ttlS?: number
}

/** SHA-256, hex: what is stored of a secret of 256 random bits. */
export const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex')

/**
 * Who presents this token. Throws Fault('unauthenticated') for one that is unknown, expired or revoked, in words that do not
 * tell which. The look-up is by hash: its time says nothing about a secret.
 */
export function authenticate({ state, clock }: Pick<Context, 'state' | 'clock'>, text: string): Caller {
  const secret = parseToken(text)?.secret ?? ''
  const [stored] = state.where('token', 'hash', hashOf(secret))
  const token = stored?.value
  if (!token || !isValid(token, clock.now())) throw new Fault('unauthenticated', 'the token is not valid')
  return { project: token.project, user: token.user, userName: token.userName, role: token.role }
}

const isValid = ({ expiresAt, revokedAt }: Token, now: Instant): boolean =>
  revokedAt === undefined && (expiresAt === undefined || expiresAt > now)

/** Makes a token of the caller's project. `text` is its only copy. Throws Fault 'store_down'. */
export async function createToken(
  context: Context,
  { project }: Pick<Caller, 'project'>,
  wish: TokenWish,
): Promise<{ text: string; token: Stored<Token> }> {
  const id = context.secrets.uuid().slice(0, idLength)
  const secret = context.secrets.random(secretBytes)
  const token = await storeToken(context, project, id, secret, wish)
  return { text: tokenText({ id, secret }), token }
}

/** Lengths that `parseToken` knows: hex digits of the id, random bytes of the secret. */
const idLength = 16
const secretBytes = 32

/**
 * Makes sure that the token with this text exists, as whoever starts an installation wants it: its first administrator's.
 * It may be called at each start, by several servers. Throws Fault 'bad_request' for a text that is no token,
 * 'conflict' when its id is another's, 'store_down'.
 */
export async function ensureToken(
  context: Context,
  text: string,
  wish: TokenWish & { readonly project: ProjectId },
): Promise<void> {
  const parts = parseToken(text)
  if (!parts) throw badField('token', 'is no token')
  await retrying(context, async () => {
    const known = context.state.get('token', wish.project, parts.id)
    if (!known) await storeToken(context, wish.project, parts.id, parts.secret, wish)
    else if (known.value.hash !== hashOf(parts.secret))
      throw new Fault('conflict', `another token has the id ${parts.id}`)
  })
}

async function storeToken(
  { state, clock }: Context,
  project: ProjectId,
  id: string,
  secret: string,
  { user, userName, role, ttlS }: TokenWish,
): Promise<Stored<Token>> {
  const createdAt = clock.now()
  const token: Token = {
    ...{ id, project, user, userName, role, createdAt },
    hash: hashOf(secret),
    ...(ttlS === undefined ? {} : { expiresAt: later(createdAt, ttlS * 1000) }),
  }
  const revision = await state.commit({
    requires: [unchanged('token', project, id, undefined)],
    puts: [put('token', project, id, token)],
  })
  return { value: token, revision }
}

/** Ends a token at once. Throws Fault 'not_found', 'store_down'. Done again it changes nothing. */
export async function revokeToken(context: Context, { project }: Caller, id: string): Promise<void> {
  await retrying(context, async () => {
    const token = context.state.get('token', project, id)
    if (!token) throw new Fault('not_found', `no token ${id}`)
    if (token.value.revokedAt !== undefined) return
    await context.state.commit({
      requires: [unchanged('token', project, id, token)],
      puts: [put('token', project, id, { ...token.value, revokedAt: context.clock.now() })],
    })
  })
}
