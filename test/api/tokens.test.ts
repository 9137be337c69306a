import { describe, expect, it } from 'vitest'
import type { ApiDeps } from '../../api/deps.ts'
import type { Identity, IdentityService } from '../../controller/ports/identity.ts'
import { Fault } from '../../core/fault.ts'
import { projectId, userId } from '../../core/ids.ts'
import { manualClock } from '../support/manual-clock.ts'
import { startApi } from './harness.ts'

describe('tokens', () => {
  it('are made, listed and ended by administrators for every project', async () => {
    const { ask, token } = await startApi()
    const made = await ask('POST', '/v1/tokens', { project_id: 'p9', user_id: 'u', role: 'operator' })
    expect((await ask('GET', '/v1/whoami', undefined, made.json.token)).json).toMatchObject({
      ...{ project_id: 'p9', role: 'operator' },
    })
    expect((await ask('GET', '/v1/tokens')).text).not.toContain('p9')
    const all = await ask('GET', '/v1/tokens?all_projects=true')
    expect(all.json.tokens).toMatchObject([{ project_id: 'p1' }, { project_id: 'p9' }])
    expect(all.text).not.toContain(made.json.token.slice(-43))
    const first = (await ask('GET', '/v1/tokens?all_projects=true&limit=1')).json
    const second = await ask('GET', `/v1/tokens?all_projects=true&limit=1&cursor=${first.next}`)
    expect(second.json).toMatchObject({ tokens: [{ project_id: 'p9' }], next: null })
    expect((await ask('DELETE', `/v1/tokens/${made.json.token_id}`)).status).toBe(204)
    expect((await ask('GET', '/v1/whoami', undefined, made.json.token)).status).toBe(401)
    expect((await ask('DELETE', '/v1/tokens/0000')).status).toBe(404)
    expect((await ask('GET', '/v1/tokens', undefined, await token('operator'))).status).toBe(403)
  })

  it('work at every server as soon as one has made them', async () => {
    const one = await startApi()
    const two = await startApi({}, one.store)
    two.backend.hold()
    const { token } = (await one.ask('POST', '/v1/tokens', { user_id: 'u', role: 'viewer' })).json
    const asked = two.ask('GET', '/v1/whoami', undefined, token)
    await Promise.resolve()
    two.backend.release()
    expect((await asked).status).toBe(200)
    one.store.stop()
    await Promise.resolve()
    expect(
      (await two.ask('GET', '/v1/whoami', undefined, `firn_${'0'.repeat(16)}_${'a'.repeat(43)}`)).status,
    ).toBe(401)
    expect((await two.ask('GET', '/v1/whoami', undefined, token)).status).toBe(200)
  })

  it('keep the last administrator in', async () => {
    const { ask, pass } = await startApi()
    const [own] = (await ask('GET', '/v1/tokens')).json.tokens
    await ask('POST', '/v1/tokens', { user_id: 'brief', role: 'admin', ttl_seconds: 60 })
    pass(61_000)
    const refused = await ask('DELETE', `/v1/tokens/${own.token_id}`)
    expect([refused.status, refused.json.detail]).toEqual([
      409,
      expect.stringContaining('make another one first'),
    ])
    const next = (await ask('POST', '/v1/tokens', { project_id: 'p2', user_id: 'u', role: 'admin' })).json
    expect((await ask('DELETE', `/v1/tokens/${own.token_id}`)).status).toBe(204)
    expect((await ask('DELETE', `/v1/tokens/${next.token_id}`, undefined, next.token)).status).toBe(409)
  })

  it('keep one administrator in when several are ended at once, at two servers', async () => {
    for (let round = 0; round < 10; round++) {
      const one = await startApi()
      const two = await startApi({}, one.store)
      const made = await Promise.all(
        [1, 2, 3].map(() => one.ask('POST', '/v1/tokens', { user_id: 'u', role: 'admin' })),
      )
      const { tokens } = (await one.ask('GET', '/v1/tokens')).json
      const viewer = (made[0]?.json.token ?? '') as string
      await Promise.all(
        tokens.map(({ token_id }: { token_id: string }, index: number) =>
          [one, two][index % 2]?.ask('DELETE', `/v1/tokens/${token_id}`, undefined, viewer),
        ),
      )
      const left = [...one.context.state.of('token', 'p1')].filter(
        ({ value }) => value.role === 'admin' && value.revokedAt === undefined,
      )
      expect(left.length).toBeGreaterThan(0)
    }
  })
})

/** Durations move by hand there. */
async function withTime(deps: Partial<ApiDeps>) {
  const time = manualClock()
  const { context, store } = await startApi()
  const clock = { ...context.clock, monotonic: () => time.monotonic() }
  return { ...(await startApi({ ...deps, context: { ...context, clock } }, store)), time }
}

/** An identity service that knows one token and counts how often it is asked. */
class Directory implements IdentityService {
  readonly uri = 'http://127.0.0.1:5000/v3'
  readonly asked: string[] = []
  readonly known = (): undefined => undefined
  readonly #identity: Identity = {
    ...{ project: projectId('p7'), user: userId('u7'), userName: 'seven', role: 'operator' },
  }

  async identify(token: string): Promise<Identity> {
    this.asked.push(token)
    if (token === 'away') throw new Fault('identity_down', 'it is away')
    if (token !== 'good') throw new Fault('unauthenticated', 'the token is not valid')
    return this.#identity
  }
}

describe('tokens of another service', () => {
  it('are asked about there; own ones never get there', async () => {
    const identity = new Directory()
    const { ask, token } = await startApi({ identity })
    expect((await ask('GET', '/v1/whoami', undefined, 'good')).json).toMatchObject({ project_id: 'p7' })
    expect((await ask('GET', '/v2/p7/jobs', undefined, 'good')).status).toBe(200)
    expect((await ask('GET', '/v2/p1/jobs', undefined, 'good')).status).toBe(403)
    expect((await ask('GET', '/nowhere', undefined, 'good')).status).toBe(404)
    expect((await ask('GET', '/v1/whoami', undefined, 'away')).status).toBe(503)
    expect(identity.asked).toHaveLength(5)
    expect((await ask('GET', '/v1/whoami', undefined, await token('viewer'))).status).toBe(200)
    expect(
      (await ask('GET', '/v1/whoami', undefined, `firn_${'0'.repeat(16)}_${'a'.repeat(43)}`)).status,
    ).toBe(401)
    expect((await ask('GET', '/v1/whoami', undefined, 'with blanks')).status).toBe(401)
    expect(identity.asked).toHaveLength(5)
  })

  it('are challenged by its name in every façade', async () => {
    const { ask } = await startApi({ identity: new Directory() })
    for (const path of [
      '/v1/jobs',
      '/v2/p1/jobs',
      '/v1.0/p1/backups',
      '/qinling/v1/jobs',
      '/v1/runs',
      '/none',
    ]) {
      const { status, headers } = await ask('GET', path, undefined, 'bad')
      expect([path, status, headers.get('www-authenticate')]).toEqual([
        ...[path, 401, 'Keystone uri="http://127.0.0.1:5000/v3"'],
      ])
    }
  })

  it('are not asked about without end for one address', async () => {
    const identity = new Directory()
    const { ask, time } = await withTime({ identity })
    let refused = 0
    for (let i = 0; i < 600; i++)
      refused += (await ask('GET', '/v1/jobs', undefined, `bad${i}`)).status === 429 ? 1 : 0
    expect([refused, identity.asked.length]).toEqual([100, 500])
    expect((await ask('GET', '/v1/jobs')).status).toBe(200)
    time.advance(1_000)
    expect((await ask('GET', '/v1/jobs', undefined, 'good')).status).toBe(200)
    expect((await ask('GET', '/v1/jobs', undefined, 'bad')).status).toBe(401)
  })
})

describe('requests of one token', () => {
  it('are limited, in the form that the clients of each façade bear', async () => {
    const { token: made, ask, time } = await withTime({ requests: { perSecond: 0.1, burst: 4 } })
    const [token, other] = [await made('viewer'), await made('viewer')]
    const asked = (path: string, as = token) => ask('GET', path, undefined, as)
    for (let i = 0; i < 4; i++) expect((await asked('/v1/jobs')).status).toBe(200)
    for (const path of ['/v1/jobs', '/v2/p1/jobs', '/qinling/v1/jobs', '/v1/runs']) {
      const { status, headers } = await asked(path)
      expect([path, status, headers.get('retry-after')]).toEqual([path, 429, '10'])
    }
    const trove = await asked('/v1.0/p1/backups')
    expect([trove.status, trove.headers.get('retry-after')]).toEqual([413, '10'])
    expect(trove.json).toMatchObject({
      overLimit: { code: 413, message: expect.any(String), retryAfter: '10' },
    })
    expect((await asked('/v1/jobs', other)).status).toBe(200)
    time.advance(9_999)
    expect((await asked('/v1/jobs')).status).toBe(429)
    time.advance(1)
    expect((await asked('/v1/jobs')).status).toBe(200)
  })
})
