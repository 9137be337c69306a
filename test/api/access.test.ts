import { describe, expect, it } from 'vitest'
import { smallJob, startApi, type Loose } from './harness.ts'

describe('who asks', () => {
  it('is asked for everywhere but where it cannot be', async () => {
    const { ask } = await startApi()
    for (const path of ['/', '/healthz', '/readyz', '/healthcheck'])
      expect([path, (await ask('GET', path, undefined, '')).status < 400]).toEqual([path, true])
    for (const path of ['/v1', '/v2', '/v1/jobs', '/v1/runs', '/metrics', '/v1/nowhere', '/nowhere'])
      expect([path, (await ask('GET', path, undefined, '')).status]).toEqual([path, 401])
  })

  it('is told no more than that a token is not valid', async () => {
    const { ask } = await startApi()
    const refused = await ask('GET', '/v1/jobs', undefined, 'firn_wrong')
    expect(refused.status).toBe(401)
    expect(refused.json.error).toEqual({
      code: 401,
      title: 'Unauthorized',
      message: 'the token is not valid',
    })
    expect(refused.headers.get('www-authenticate')).toBeTruthy()
    expect((await ask('GET', '/v1/runs', undefined, 'firn_wrong')).json).toMatchObject({
      status: 401,
      code: 'unauthenticated',
    })
  })

  it('is nobody any more once the token is revoked or over its time', async () => {
    const { ask, pass } = await startApi()
    const made = await ask('POST', '/v1/tokens', { user_id: 'u-bob', role: 'viewer', ttl_seconds: 60 })
    expect(made.json).toMatchObject({
      project_id: 'p1',
      user_id: 'u-bob',
      role: 'viewer',
      token: expect.any(String),
    })
    const { token, token_id } = made.json
    expect((await ask('GET', '/v1/whoami', undefined, token)).json).toEqual({
      ...{ project_id: 'p1', user_id: 'u-bob', user_name: 'u-bob', role: 'viewer' },
    })
    expect((await ask('GET', '/v1/tokens')).text).not.toContain(token.slice(-43))
    pass(61_000)
    expect((await ask('GET', '/v1/whoami', undefined, token)).status).toBe(401)
    const other = (await ask('POST', '/v1/tokens', { user_id: 'u-eve', role: 'viewer' })).json
    expect((await ask('GET', '/v1/whoami', undefined, other.token)).status).toBe(200)
    expect((await ask('DELETE', `/v1/tokens/${other.token_id}`)).status).toBe(204)
    expect((await ask('GET', '/v1/whoami', undefined, other.token)).status).toBe(401)
    expect((await ask('DELETE', `/v1/tokens/${token_id}`)).status).toBe(204)
  })

  it('may do what the role allows', async () => {
    const { ask, token } = await startApi()
    const viewer = await token('viewer')
    const operator = await token('operator')
    expect((await ask('GET', '/v1/jobs', undefined, viewer)).status).toBe(200)
    const refused = await ask('POST', '/v1/jobs', smallJob('n1'), viewer)
    expect([refused.status, refused.json.title]).toEqual([403, 'Access Forbidden'])
    expect((await ask('POST', '/v1/jobs', smallJob('n1'), operator)).status).toBe(201)
    expect((await ask('GET', '/v1/tokens', undefined, operator)).status).toBe(403)
    expect((await ask('POST', '/v1/join-tokens', {}, operator)).status).toBe(403)
  })
})

describe('documents', () => {
  it('of another project are not there', async () => {
    const { ask, token } = await startApi()
    const stranger = await token('operator', 'u-admin', 'p2')
    await ask('POST', '/v1/jobs/j', smallJob('n1'))
    for (const path of ['/v1/jobs/j', '/v2/p2/jobs/j'])
      expect([path, (await ask('GET', path, undefined, stranger)).status]).toEqual([path, 404])
    expect((await ask('DELETE', '/v1/jobs/j', undefined, stranger)).status).toBe(404)
    expect((await ask('POST', '/v1/jobs/j/event', { stop: 1 }, stranger)).status).toBe(404)
    expect((await ask('POST', '/v1/runs', { job_id: 'j' }, stranger)).status).toBe(404)
    expect((await ask('GET', '/v1/jobs', undefined, stranger)).json.jobs).toEqual([])
  })

  it('of the project of the path are refused to strangers, and there for an administrator', async () => {
    const { ask, token } = await startApi()
    await ask('POST', '/v1/jobs/j', smallJob('n1'))
    const stranger = await token('operator', 'u-bob', 'p2')
    const refused = await ask('GET', '/v2/p1/jobs/j', undefined, stranger)
    expect([refused.status, refused.json.title]).toEqual([403, 'Access Forbidden'])
    expect((await ask('POST', '/v2/p1/jobs', smallJob('n1'), stranger)).status).toBe(403)
    const administrator = await token('admin', 'u-root', 'p2')
    expect((await ask('GET', '/v2/p1/jobs/j', undefined, administrator)).status).toBe(200)
    expect((await ask('POST', '/v2/p1/jobs', smallJob('n1'), administrator)).status).toBe(201)
    expect((await ask('GET', '/v2/p1/jobs')).json.jobs).toMatchObject([
      { job_id: 'j' },
      { project_id: 'p1', user_id: 'u-root' },
    ])
    expect((await ask('GET', '/v2/no%20project/jobs', undefined, administrator)).status).toBe(400)
  })

  it('of another user are not there in v1, and are in v2', async () => {
    const { ask, token } = await startApi()
    const colleague = await token('operator', 'u-bob')
    await ask('POST', '/v1/jobs/j', smallJob('n1'))
    expect((await ask('GET', '/v1/jobs', undefined, colleague)).json.jobs).toEqual([])
    expect((await ask('PATCH', '/v1/jobs/j', {}, colleague)).status).toBe(404)
    expect((await ask('POST', '/v1/jobs/j', smallJob('n2'), colleague)).status).toBe(403)
    expect((await ask('GET', '/v2/p1/jobs/j', undefined, colleague)).json).toMatchObject({
      project_id: 'p1',
      user_id: 'u-admin',
    })
  })

  it('of the whole project are there in v1 for who asks for that', async () => {
    const { ask, token } = await startApi()
    const colleague = await token('operator', 'u-bob')
    await ask('POST', '/v1/jobs/j', smallJob('n1'))
    const scope = { 'firn-scope': 'project' }
    const { json } = await ask('GET', '/v1/jobs', undefined, colleague, scope)
    expect(json.jobs).toMatchObject([{ job_id: 'j' }])
    expect((await ask('GET', '/v1/jobs/j', undefined, colleague, scope)).status).toBe(200)
  })
})

describe('every answer', () => {
  it('has an id of its own', async () => {
    const { ask } = await startApi()
    const ids = await Promise.all(
      [1, 2].map(async () => (await ask('GET', '/v1/jobs')).headers.get('x-openstack-request-id')),
    )
    expect(new Set(ids).size).toBe(2)
    for (const id of ids) expect(id).toMatch(/^req-[0-9a-f]{8}-[0-9a-f-]{27}$/)
  })

  it('is the same with a slash at the end of the path', async () => {
    const { ask } = await startApi()
    await ask('POST', '/v1/jobs/', smallJob('n1'))
    expect((await ask('GET', '/v1/jobs/')).json.jobs).toHaveLength(1)
    await ask('POST', '/v1/jobs/j/', smallJob('n1'))
    expect((await ask('GET', '/v1/jobs/j/')).status).toBe(200)
  })

  it('is 404 for unknown paths and 405 for unknown methods', async () => {
    const { ask } = await startApi()
    expect((await ask('GET', '/v1/nowhere')).json).toEqual({
      title: 'Not Found',
      description: expect.any(String),
    })
    for (const [method, path] of [
      ['PUT', '/v1/jobs/j'],
      ['DELETE', '/v1/jobs'],
      ['PATCH', '/v1/clients/n1'],
    ] as const) {
      const refused = await ask(method, path)
      expect([path, refused.status, refused.json.title]).toEqual([path, 405, 'Bad Method'])
      expect(refused.headers.get('allow')).toBeTruthy()
    }
    expect((await ask('DELETE', '/v1/runs')).json).toMatchObject({ status: 405, code: 'wrong_method' })
  })

  it('is 406 to those who take no JSON', async () => {
    const { ask } = await startApi()
    for (const accept of ['*/*', '', 'application/*', 'text/html, application/json;q=0.5'])
      expect([accept, (await ask('GET', '/v1/jobs', undefined, undefined, { accept })).status]).toEqual([
        accept,
        200,
      ])
    expect((await ask('GET', '/v1/jobs', undefined, undefined, { accept: 'text/html' })).status).toBe(406)
  })

  it('says nothing of an error that nobody foresaw, which is logged', async () => {
    const api = await startApi()
    api.deps.live.health = () => {
      throw new Error('secret detail')
    }
    const broken = await api.ask('GET', '/readyz')
    expect(broken.status).toBe(500)
    expect(broken.text).not.toContain('secret detail')
    expect(api.failures).toEqual([expect.objectContaining({ message: 'secret detail' })])
  })
})

it('a server that is about to end is not ready', async () => {
  const api = await startApi()
  const health = api.deps.live.health()
  api.deps.live.health = () => ({ ...health, draining: true })
  const { status, json } = await api.ask('GET', '/readyz')
  expect([status, json.status, json.draining]).toEqual([503, 'not ready', true])
})

describe('while the store is away', () => {
  it('reads are served and say how old they may be, writes are refused', async () => {
    const { ask, store } = await startApi()
    await ask('POST', '/v1/jobs/j', smallJob('n1'))
    expect((await ask('GET', '/v1/jobs/j')).headers.get('firn-stale')).toBeNull()
    store.stop()
    await Promise.resolve()
    const read = await ask('GET', '/v1/jobs/j')
    expect(read.status).toBe(200)
    expect(read.headers.get('firn-stale')).toMatch(/^\d+$/)
    expect((await ask('POST', '/v1/jobs', smallJob('n1'))).status).toBe(503)
    expect((await ask('GET', '/v1/jobs/nowhere')).status).toBe(404)
    expect((await ask('GET', '/readyz')).status).toBe(503)
    store.resume()
    expect((await ask('POST', '/v1/jobs', smallJob('n1'))).status).toBe(201)
  })
})

describe('several servers on one store', () => {
  it('find what another one has just acknowledged', async () => {
    const one = await startApi()
    const token = await one.token('admin')
    const other = await startApi({}, one.store)
    other.backend.hold()
    await one.ask('POST', '/v1/jobs/j', smallJob('n1'))
    const asked = other.ask('GET', '/v1/jobs/j', undefined, token)
    await Promise.resolve()
    other.backend.release()
    expect((await asked).status).toBe(200)
  })
})

describe('discovery', () => {
  it('names the versions of every façade, by links that this client can follow', async () => {
    const { ask } = await startApi()
    const root = await ask('GET', 'http://backup.example:9090/', undefined, '')
    expect(root.status).toBe(300)
    expect(root.json.versions.map(({ id, links }: Loose) => [id, links[0].href])).toEqual([
      ['v2', 'http://backup.example:9090/v2/'],
      ['v1', 'http://backup.example:9090/v1/'],
      ['v1.0', 'http://backup.example:9090/v1.0/'],
      ['v1.0', 'http://backup.example:9090/qinling/v1'],
    ])
    const home = await ask('GET', '/v1')
    expect(home.headers.get('content-type')).toBe('application/json-home')
    expect(home.json.resources['rel/backups']['href-template']).toBe('/v1/backups/{backup_id}')
  })
})

describe('metrics', () => {
  it('are of the whole installation, so for its administrators', async () => {
    const { ask, token } = await startApi()
    for (const role of ['viewer', 'operator'] as const)
      expect((await ask('GET', '/metrics', undefined, await token(role))).status).toBe(403)
  })

  it('count requests by route and status', async () => {
    const { ask } = await startApi()
    await ask('POST', '/v1/jobs/j', smallJob('n1'))
    await ask('GET', '/v1/jobs/j')
    const { text } = await ask('GET', '/metrics', undefined, undefined, { accept: 'text/plain' })
    expect(text).toContain('firn_http_requests_total{route="/v1/jobs/:job_id",status="200"} 1\n')
    expect(text).toContain('firn_documents{kind="job"} 1\n')
    for (const line of text.trim().split('\n'))
      expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{[^}]*\})? -?[\d.e+-]+)$/)
  })
})
