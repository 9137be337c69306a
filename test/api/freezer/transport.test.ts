// How requests and answers travel, who sees what, which paths there are.
import { request } from 'node:http'
import { describe, expect, it } from 'vitest'
import { serveHttp } from '../../../api/serve.ts'
import { smallJob, startApi } from '../harness.ts'

const error = (title: string) => ({ title, description: expect.stringMatching(/./) })

describe('a path', () => {
  it.each(['/v1', '/v2/p1'])('of %s is the same with a slash at its end', async (base) => {
    const { ask } = await startApi()
    for (const things of ['jobs', 'sessions', 'clients', 'actions', 'backups']) {
      expect((await ask('GET', `${base}/${things}`)).json).toEqual({ [things]: [] })
      expect((await ask('GET', `${base}/${things}/`)).json).toEqual({ [things]: [] })
      expect((await ask('GET', `${base}/${things}/unknown/`)).json).toEqual(error('Not Found'))
    }
  })

  it.each([
    ['PUT', '/v1/jobs/j'],
    ['DELETE', '/v1/jobs'],
    ['PATCH', '/v1/clients/n1'],
    ['PATCH', '/v1/backups/b'],
    ['POST', '/v1/backups/b'],
    ['POST', '/v1/clients/n1'],
    ['GET', '/v1/sessions/s/jobs/j'],
    ['GET', '/v1/sessions/s/action'],
    ['PATCH', '/v2/p1/jobs'],
    ['PATCH', '/v2/p1/backups/b'],
  ])('takes no %s %s', async (method, path) => {
    const { ask } = await startApi()
    const { status, json, headers } = await ask(method, path)
    expect([status, json]).toEqual([405, error('Bad Method')])
    expect(headers.get('allow')).toMatch(/[A-Z]/)
  })

  it.each(['/v1/nothing', '/v2/p1/nothing', '/v1/jobs/j/nothing', '/v2', '/v3/jobs'])(
    '%s with DELETE is nothing that there is',
    async (path) => {
      const { ask } = await startApi()
      expect([404, 405]).toContain((await ask('DELETE', path)).status)
    },
  )

  it.each(['GET', 'HEAD', 'POST'])(
    'with two slashes at its end is nothing that there is: %s',
    async (method) => {
      const { ask } = await startApi()
      expect((await ask(method, '/v1/jobs//')).status).toBe(404)
    },
  )

  it('serves both versions over the same documents', async () => {
    const { ask } = await startApi()
    await ask('POST', '/v1/jobs/j', smallJob('n1'))
    expect((await ask('GET', '/v2/p1/jobs/j')).json).toMatchObject({ job_id: 'j', project_id: 'p1' })
    expect((await ask('GET', '/v1/jobs/j')).json).not.toHaveProperty('project_id')
  })
})

describe('an error', () => {
  it.each([
    ['POST', '/v1/jobs', '{', 753, 'Malformed JSON'],
    ['PATCH', '/v2/p1/jobs/j', '{"a":', 753, 'Malformed JSON'],
    ['POST', '/v1/sessions/s/action', 'start', 753, 'Malformed JSON'],
    ['GET', '/v1/jobs', '{', 753, 'Malformed JSON'],
    ['POST', '/v1/jobs', '{}', 400, 'Bad request format'],
    ['GET', '/v1/jobs?limit=x', undefined, 400, 'Invalid parameter'],
    ['GET', '/v1/jobs?offset=-1', undefined, 400, 'Invalid parameter'],
    ['POST', '/v1/backups', '{}', 400, 'Bad Data Format'],
    ['GET', '/v1/jobs/k', undefined, 404, 'Not Found'],
    ['POST', '/v1/clients', '{"client_id": "n1"}', 409, 'Document already existing'],
  ])('of %s %s with %s has a title and says what is wrong', async (method, path, body, status, title) => {
    const { ask } = await startApi()
    await ask('POST', '/v1/jobs/j', smallJob('n1'))
    await ask('POST', '/v1/sessions/s', { schedule: {} })
    await ask('POST', '/v1/clients', { client_id: 'n1' })
    const answer = await ask(method, path, body)
    expect([answer.status, answer.json]).toEqual([status, error(title)])
    expect(answer.headers.get('content-type')).toBe('application/json')
  })

  it('of a stranger has the fields that Keystone gives it', async () => {
    const { ask } = await startApi()
    const { status, json, headers } = await ask('GET', '/v1/jobs', undefined, 'nobody')
    expect([status, json.error]).toEqual([
      401,
      { code: 401, title: 'Unauthorized', message: expect.any(String) },
    ])
    expect(headers.get('www-authenticate')).toBeTruthy()
  })
})

describe('a body', () => {
  it.each([undefined, '', '{}', '{"match": []}', '{"match_not": [], "unknown": 5}'])(
    'of a list that is %j finds everything',
    async (body) => {
      const { ask } = await startApi()
      await ask('POST', '/v1/jobs/j', smallJob('n1'))
      expect((await ask('GET', '/v1/jobs', body)).json.jobs).toHaveLength(1)
    },
  )

  it.each(['null', '[]', '"x"', '5', 'true'])('that is %s is no document', async (body) => {
    const { ask } = await startApi()
    await ask('POST', '/v1/jobs/j', smallJob('n1'))
    await ask('POST', '/v1/sessions/s', { schedule: {} })
    for (const target of [
      'POST /v1/jobs',
      'POST /v1/jobs/k',
      'PATCH /v1/jobs/j',
      'POST /v1/jobs/j/event',
      'POST /v1/sessions',
      'PATCH /v1/sessions/s',
      'PATCH /v1/sessions',
      'POST /v1/sessions/s/action',
      'POST /v1/clients',
      'POST /v1/actions',
      'POST /v1/backups',
      'GET /v1/jobs',
    ]) {
      const [method = '', path = ''] = target.split(' ')
      expect([target, (await ask(method, path, body)).status]).toEqual([target, 400])
    }
  })
})

describe('a viewer', () => {
  it('is refused every change', async () => {
    const { ask, token } = await startApi()
    const viewer = await token('viewer')
    await ask('POST', '/v2/p1/jobs/j', smallJob('n1'))
    for (const target of [
      'POST jobs',
      'POST jobs/j',
      'PATCH jobs/j',
      'DELETE jobs/j',
      'POST jobs/j/event',
      'POST sessions',
      'PATCH sessions',
      'PUT sessions/s/jobs/j',
      'POST sessions/s/action',
      'POST clients',
      'PATCH clients/n1',
      'DELETE clients/n1',
      'POST actions',
      'DELETE actions/a',
      'POST backups',
      'DELETE backups/b',
    ]) {
      const [method = '', path = ''] = target.split(' ')
      const { status, json } = await ask(method, `/v2/p1/${path}`, undefined, viewer)
      expect([target, status, json]).toEqual([target, 403, error('Access Forbidden')])
    }
    expect((await ask('GET', '/v2/p1/jobs/j', undefined, viewer)).status).toBe(200)
  })
})

describe('documents of somebody else', () => {
  it('are not there in v1, whatever is done to them, and stay as they are', async () => {
    const { ask, token } = await startApi()
    const other = await token('operator', 'u-bob')
    await ask('POST', '/v1/jobs/j', smallJob('n1'))
    await ask('POST', '/v1/sessions/s', { schedule: {} })
    await ask('PUT', '/v1/sessions/s/jobs/j')
    await ask('POST', '/v1/clients', { client_id: 'n1' })
    const { job_actions } = (await ask('GET', '/v1/jobs/j')).json
    const { backup_id } = (
      await ask('POST', '/v1/backups', { container: 'c', hostname: 'h', backup_name: 'b' })
    ).json
    const action = `actions/${job_actions[0].action_id}`
    const before = (await ask('GET', '/v1/sessions/s')).text + (await ask('GET', '/v1/jobs/j')).text
    for (const target of [
      ...['GET jobs/j', 'PATCH jobs/j', 'DELETE jobs/j', 'POST jobs/j/event', 'GET sessions/s'],
      ...['PATCH sessions/s', 'DELETE sessions/s', 'PUT sessions/s/jobs/j', 'DELETE sessions/s/jobs/j'],
      ...['POST sessions/s/action', 'GET clients/n1', 'DELETE clients/n1', `GET ${action}`],
      ...[`PATCH ${action}`, `DELETE ${action}`, `GET backups/${backup_id}`, `DELETE backups/${backup_id}`],
    ]) {
      const [method = '', path = ''] = target.split(' ')
      const body = method === 'PATCH' || method === 'POST' ? {} : undefined
      expect([target, (await ask(method, `/v1/${path}`, body, other)).status]).toEqual([target, 404])
    }
    expect((await ask('POST', '/v1/jobs', smallJob('n1', { session_id: 's' }), other)).status).toBe(400)
    expect((await ask('GET', '/v1/sessions/s')).text + (await ask('GET', '/v1/jobs/j')).text).toBe(before)
  })

  it('cannot be called by their ids in v1', async () => {
    const { ask, token } = await startApi()
    await ask('POST', '/v1/actions/a', { freezer_action: { action: 'exec', password: 'p' } })
    const bob = await token('operator', 'u-bob')
    const job = { client_id: 'n1', job_actions: [{ action_id: 'a' }] }
    await ask('POST', '/v1/jobs/own', smallJob('n1'), bob)
    for (const [method, path] of [
      ['POST', '/v1/jobs'],
      ['POST', '/v1/jobs/new'],
      ['PATCH', '/v1/jobs/own'],
    ] as const) {
      const { status, json } = await ask(method, path, job, bob)
      expect([status, json.description]).toEqual([
        400,
        'job_actions.0.action_id: there is no stored action a',
      ])
    }
    expect((await ask('POST', '/v2/p1/jobs', job, bob)).status).toBe(201)
  })

  it('cannot be moved into a project, nor out of it', async () => {
    const { ask } = await startApi()
    await ask('POST', '/v2/p1/jobs/j', { ...smallJob('n1'), project_id: 'p2', user_id: 'u-bob' })
    await ask('PATCH', '/v2/p1/jobs/j', { project_id: 'p2', user_id: 'u-bob' })
    expect((await ask('GET', '/v2/p1/jobs/j')).json).toMatchObject({ project_id: 'p1', user_id: 'u-admin' })
  })
})

describe('discovery', () => {
  it('of v2 has the project in its template', async () => {
    const { ask } = await startApi()
    const { headers, json } = await ask('GET', '/v2/')
    expect(headers.get('content-type')).toBe('application/json-home')
    expect(json.resources['rel/backups']).toEqual({
      'href-template': '/v2/{project_id}/backups/{backup_id}',
      'href-vars': { backup_id: 'param/backup_id', project_id: 'param/project_id' },
      hints: { allow: ['GET'], formats: { 'application/json': {} } },
    })
  })
})

describe('over a connection', () => {
  it('a HEAD gets what a GET would get, without its body', async () => {
    const api = await startApi()
    await using server = await serveHttp(api.deps, { port: 0, host: '127.0.0.1' })
    const token = await api.token('admin')
    const head = (path: string, body = '') =>
      new Promise<number | undefined>((resolve, reject) => {
        const headers = { 'x-auth-token': token, 'content-length': body.length }
        const sent = request(server.url + path, { method: 'HEAD', headers })
        sent.on('response', (response) => {
          response.resume().on('end', () => resolve(response.statusCode))
        })
        sent.on('error', reject).end(body)
      })
    expect(await head('/v1/jobs')).toBe(200)
    expect(await head('/v1/jobs/unknown')).toBe(404)
    expect(await head('/v1/jobs', '{')).toBe(753)
    expect(api.failures).toEqual([])
  })
})
