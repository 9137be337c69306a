import { hash } from 'node:crypto'
import type { Clock } from '../../core/clock.ts'
import { Fault, isFault } from '../../core/fault.ts'
import type { Identity, IdentityService } from '../ports/identity.ts'
import { validatedFrom, type RoleNames, type Validated } from './answers.ts'
import { Cache } from './cache.ts'
import { ServiceToken, type ServiceUser } from './service-token.ts'
import { away, request, type Answer } from './wire.ts'

export interface KeystoneOptions {
  /** Of version 3: `http://127.0.0.1:5000/v3`. */
  readonly url: string
  readonly as: ServiceUser
  readonly roles: RoleNames
  /** How long an answer is believed, and so how long a revoked token may still work. Milliseconds. */
  readonly cacheMs: number
  /** How long a caller waits for Keystone. Milliseconds. */
  readonly deadlineMs: number
  readonly clock: Clock
  /** Told now and then while Keystone cannot be used; what it is given holds no secret. */
  readonly trouble: (what: string, err: unknown) => void
}

/** How long a refusal is believed. Milliseconds. */
const refusalMs = 5_000

/** So many tokens are remembered, and as many refusals: some MB. */
const rememberedMax = 10_000

/** So many are asked about at once; who comes then is told to come again. */
const atOnceMax = 64

/** Trouble is told at most so often. Milliseconds. */
const troubleEveryMs = 5_000

/** Keystone v3, asked what tokens are. Tokens themselves are kept nowhere: what is remembered goes by their SHA-256. */
export class Keystone implements IdentityService {
  readonly uri: string
  readonly #options: KeystoneOptions
  readonly #own: ServiceToken
  readonly #known = new Cache<Identity>(rememberedMax)
  readonly #refused = new Cache<Fault>(rememberedMax)
  readonly #underWay = new Map<string, Promise<Identity>>()
  #toldAt = -Infinity

  constructor(options: KeystoneOptions) {
    this.uri = options.url
    this.#options = options
    this.#own = new ServiceToken(options.url, options.as, options.clock, options.deadlineMs)
  }

  known(token: string): Identity | undefined {
    return this.#known.get(keyOf(token), this.#options.clock.monotonic())
  }

  async identify(token: string): Promise<Identity> {
    const key = keyOf(token)
    const now = this.#options.clock.monotonic()
    const known = this.#known.get(key, now)
    if (known) return known
    const refused = this.#refused.get(key, now)
    if (refused) throw refused
    const asked = this.#underWay.get(key)
    if (asked) return asked
    if (this.#underWay.size >= atOnceMax)
      throw new Fault('identity_down', 'Keystone is being asked about too many tokens', {
        retryAfterMs: 1000,
      })
    const asking = this.#learn(token, key).finally(() => this.#underWay.delete(key))
    this.#underWay.set(key, asking)
    return asking
  }

  async #learn(token: string, key: string): Promise<Identity> {
    const { clock, cacheMs } = this.#options
    try {
      const { identity, expiresAt } = await this.#validated(token)
      const before = this.#known.last(key)
      // One token stays one caller.
      const same = before && isSame(before, identity) ? before : identity
      this.#known.set(key, same, clock.monotonic() + Math.min(cacheMs, expiresAt - clock.now()))
      return same
    } catch (error) {
      if (isFault(error, 'unauthenticated', 'forbidden')) {
        this.#refused.set(key, error, clock.monotonic() + refusalMs)
        throw error
      }
      this.#tell(error)
      if (isFault(error, 'identity_down')) throw error
      throw new Fault('identity_down', 'Keystone cannot be understood', { cause: error })
    }
  }

  async #validated(token: string): Promise<Validated> {
    const signal = AbortSignal.timeout(this.#options.deadlineMs)
    let answer = await this.#lookUp(token, signal)
    // The server's own token was revoked, or Keystone has changed its keys.
    if (answer.status === 401) answer = await this.#lookUp(token, signal)
    if (answer.status === 200) return validatedFrom(answer.document, this.#options.roles)
    if (answer.status === 404) throw new Fault('unauthenticated', 'the token is not valid')
    throw new Fault('identity_down', `Keystone does not look a token up: it answers ${answer.status}`)
  }

  async #lookUp(token: string, signal: AbortSignal): Promise<Answer> {
    const own = await within(this.#own.get(), signal)
    const headers = { 'x-auth-token': own, 'x-subject-token': token }
    const url = `${this.uri}/auth/tokens?nocatalog`
    const answer = await request(url, { method: 'GET', headers }, signal)
    if (answer.status === 401) this.#own.drop(own)
    return answer
  }

  #tell(error: unknown): void {
    const now = this.#options.clock.monotonic()
    if (now - this.#toldAt < troubleEveryMs) return
    this.#toldAt = now
    this.#options.trouble('keystone', error)
  }
}

const keyOf = (token: string): string => hash('sha256', token, 'base64')

const isSame = (one: Identity, other: Identity): boolean =>
  one.project === other.project &&
  one.user === other.user &&
  one.userName === other.userName &&
  one.role === other.role

/** Does not wait longer than the signal allows. Throws Fault('identity_down') then. */
async function within<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) throw away(signal.reason)
  const { promise: over, reject } = Promise.withResolvers<never>()
  const late = () => reject(away(signal.reason))
  signal.addEventListener('abort', late, { once: true })
  try {
    return await Promise.race([promise, over])
  } finally {
    signal.removeEventListener('abort', late)
  }
}
