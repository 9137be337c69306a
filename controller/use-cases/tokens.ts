import { hash } from 'node:crypto'
import type { Role, Token } from '../../core/catalogue.ts'
import { later, type Instant } from '../../core/clock.ts'
import { Fault, badField } from '../../core/fault.ts'
import type { ProjectId, UserId } from '../../core/ids.ts'
import { parseToken, tokenText } from '../../core/tokens.ts'
import { put, unchanged, type Stored } from '../state/documents.ts'
import type { Caller, Context } from './context.ts'
import { retrying } from './retrying.ts'

export interface TokenWish {
  readonly project: ProjectId
  readonly user: UserId
  readonly userName: string
  readonly role: Role
  /** Seconds; absent: it does not expire. */
  readonly ttlS?: number
}

/** SHA-256, hex: what is stored of a secret of 256 random bits. */
export const hashOf = (secret: string): string => hash('sha256', secret, 'hex')

/**
 * Who presents this token; undefined for a text that has not the form of one. Throws Fault('unauthenticated') for one that is
 * unknown, expired or revoked, in words that do not tell which. The look-up is by hash: its time says nothing about a secret.
 * As long as a token is as it was, its caller is the same object.
 */
export function authenticate(
  { state, clock }: Pick<Context, 'state' | 'clock'>,
  text: string,
): Caller | undefined {
  const before = presented.get(text)
  // Still the very document that is stored: it was neither revoked nor removed meanwhile.
  const isStored = before !== undefined && state.get('token', before.project, before.id)?.value === before
  const token = isStored ? before : lookedUp(state, text)
  if (!token) return undefined
  if (!isValid(token, clock.now())) throw notValid()
  return callers.get(token) ?? callerOf(token)
}

const notValid = (): Fault => new Fault('unauthenticated', 'the token is not valid')

/** Stored tokens by their texts, those that came last: whoever sends requests sends many with the same one. */
const presented = new Map<string, Token>()
const presentedMax = 1_000

function lookedUp(state: Context['state'], text: string): Token | undefined {
  const parts = parseToken(text)
  if (!parts) return undefined
  presented.delete(text)
  const [stored] = state.where('token', 'hash', hashOf(parts.secret))
  if (!stored) throw notValid()
  presented.set(text, stored.value)
  for (const oldest of presented.keys()) {
    if (presented.size <= presentedMax) break
    presented.delete(oldest)
  }
  return stored.value
}

const callers = new WeakMap<Token, Caller>()

function callerOf(token: Token): Caller {
  const { project, user, userName, role } = token
  const caller = { project, user, userName, role }
  callers.set(token, caller)
  return caller
}

const isValid = ({ expiresAt, revokedAt }: Token, now: Instant): boolean =>
  revokedAt === undefined && (expiresAt === undefined || expiresAt > now)

/** Makes a token of any project. `text` is its only copy. Throws Fault 'store_down'. */
export async function createToken(
  context: Context,
  wish: TokenWish,
): Promise<{ text: string; token: Stored<Token> }> {
  const id = context.secrets.uuid().slice(0, idLength)
  const secret = context.secrets.random(secretBytes)
  const token = await storeToken(context, id, secret, wish)
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
export async function ensureToken(context: Context, text: string, wish: TokenWish): Promise<void> {
  const parts = parseToken(text)
  if (!parts) throw badField('token', 'is no token')
  await retrying(context, async () => {
    const known = context.state.get('token', wish.project, parts.id)
    if (!known) await storeToken(context, parts.id, parts.secret, wish)
    else if (known.value.hash !== hashOf(parts.secret))
      throw new Fault('conflict', `another token has the id ${parts.id}`)
  })
}

async function storeToken(
  { state, clock }: Context,
  id: string,
  secret: string,
  { project, user, userName, role, ttlS }: TokenWish,
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

/**
 * Ends a token of any project at once. Throws Fault 'not_found', 'store_down', and 'conflict' for the last valid one of an
 * administrator: nobody could make another. Done again it changes nothing.
 */
export async function revokeToken(context: Context, { project }: Caller, id: string): Promise<void> {
  const { state, clock } = context
  await retrying(context, async () => {
    const token = state.get('token', project, id) ?? ofAny(state, (other) => other.id === id)
    if (!token) throw new Fault('not_found', `no token ${id}`)
    if (token.value.revokedAt !== undefined) return
    const now = clock.now()
    const requires = [unchanged('token', token.value.project, id, token)]
    if (token.value.role === 'admin' && isValid(token.value, now)) {
      const other = ofAny(state, (it) => it.role === 'admin' && it !== token.value && isValid(it, now))
      if (!other)
        throw new Fault(
          'conflict',
          'this is the last valid token of an administrator: make another one first',
        )
      // Two that are revoked at once must not each count on the other.
      requires.push(unchanged('token', other.value.project, other.value.id, other))
    }
    const revoked = { ...token.value, revokedAt: now }
    await state.commit({ requires, puts: [put('token', revoked.project, id, revoked)] })
  })
}

/** The first of all projects that is so. */
function ofAny(state: Context['state'], is: (token: Token) => boolean): Stored<Token> | undefined {
  for (const stored of state.all('token')) if (is(stored.value)) return stored
  return undefined
}
