import { describe, expect, it } from 'vitest'
import { answerTo } from '../../../api/faults.ts'
import { put } from '../../../controller/state/documents.ts'
import { noUuid, startWorld } from './world.ts'

describe('the list of jobs', () => {
  it('is an object, empty at first, and has every status, oldest first', async () => {
    const w = await startWorld()
    expect((await w.q('GET', '/jobs')).json).toEqual({ jobs: [] })
    const made = [
      await w.job({ name: 'a' }),
      await w.job({ name: 'b' }),
      await w.job({ name: 'c', count: 1 }),
    ]
    await w.q('PUT', `/jobs/${made[0].id}`, { status: 'cancelled' })
    await w.q('PUT', `/jobs/${made[1].id}`, { status: 'paused' })
    await w.fire(made[2].id)
    const listed = await w.q('GET', '/jobs')
    expect(listed.status).toBe(200)
    expect(
      listed.json.jobs.map(({ name, status }: { name: string; status: string }) => [name, status]),
    ).toEqual([
      ['a', 'cancelled'],
      ['b', 'paused'],
      ['c', 'done'],
    ])
    for (const job of listed.json.jobs) expect((await w.q('GET', `/jobs/${job.id}`)).json).toEqual(job)
  })

  it.each([
    'colour=red',
    'pattern=x',
    'filter=x',
    'all_projects=perhaps',
    'limit=0',
    'limit=x',
    'limit=99999',
  ])('refuses ?%s', async (query) => {
    const { q } = await startWorld()
    const refused = await q('GET', `/jobs?${query}`)
    expect([refused.status, refused.json.faultstring]).toEqual([
      400,
      expect.stringContaining(query.slice(0, query.indexOf('='))),
    ])
  })

  it.each([
    ['status=paused', ['b']],
    ['status=eq:paused', ['b']],
    ['status=neq:paused', ['a', 'nightly c']],
    ['name=has:nightly', ['nightly c']],
    ['name=in:a,b', ['a', 'b']],
    ['name=nin:a,b', ['nightly c']],
    ['name=gt:b', ['nightly c']],
    ['name=gte:b', ['b', 'nightly c']],
    ['name=lt:b', ['a']],
    ['name=lte:b', ['a', 'b']],
    ['name=has:a&status=running', ['a']],
    ['limit=2', ['a', 'b']],
  ])('with ?%s has %j', async (query, names) => {
    const w = await startWorld()
    const made = [await w.job({ name: 'a' }), await w.job({ name: 'b' }), await w.job({ name: 'nightly c' })]
    await w.q('PUT', `/jobs/${made[1].id}`, { status: 'paused' })
    await w.q('PUT', `/jobs/${made[2].id}`, { status: 'cancelled' })
    const { jobs } = (await w.q('GET', `/jobs?${query}`)).json
    expect(jobs.map(({ name }: { name: string }) => name)).toEqual(names)
  })

  it('is of one project, unless an administrator asks for more', async () => {
    const w = await startWorld()
    const own = await w.job()
    const [member, elsewhere] = [await w.token('operator', 'u1'), await w.token('admin', 'u2', 'p2')]
    const ids = async (query: string, as?: string) => {
      const answer = await w.q('GET', `/jobs${query}`, undefined, as)
      return answer.status === 200 ? answer.json.jobs.map(({ id }: { id: string }) => id) : answer.status
    }
    expect(await ids('', elsewhere)).toEqual([])
    expect(await ids('?all_projects=false', elsewhere)).toEqual([])
    for (const query of ['?all_projects=true', '?all_projects=1', '?all_projects=yes', '?project_id=p1'])
      expect(await ids(query, elsewhere)).toEqual([own.id])
    expect(await ids('?project_id=in:p1,p2', elsewhere)).toEqual([own.id])
    expect(await ids('?project_id=p2', elsewhere)).toEqual([])
    expect(await ids('?all_projects=true', member)).toBe(403)
    expect(await ids('?all_projects=false', member)).toEqual([own.id])
    expect(await ids('?project_id=p2', member)).toEqual([own.id])
  })

  it('may be asked for with a slash at its end', async () => {
    const { q } = await startWorld()
    expect((await q('GET', '/jobs/')).json).toEqual({ jobs: [] })
  })
})

describe('who may do what', () => {
  it('without a token or with a bad one nobody does anything, and nothing has happened', async () => {
    const w = await startWorld()
    const { id } = await w.job()
    for (const as of ['', 'nonsense'])
      for (const [method, path] of [
        ['GET', '/jobs'],
        ['POST', '/jobs'],
        ['DELETE', `/jobs/${id}`],
        ['GET', '/nowhere'],
        ['PATCH', '/jobs'],
      ] as const) {
        const refused = await w.q(method, path, method === 'POST' ? {} : undefined, as)
        expect([refused.status, refused.json]).toEqual([
          401,
          { faultcode: 'Client', faultstring: expect.any(String), debuginfo: null },
        ])
      }
    expect((await w.q('GET', '/jobs')).json.jobs).toHaveLength(1)
  })

  it('a viewer looks, and changes nothing', async () => {
    const w = await startWorld()
    const viewer = await w.token('viewer', 'u1')
    const { id, function_id } = await w.job()
    await w.q('POST', '/aliases', { name: 'a', function_id })
    for (const path of [
      '/jobs',
      `/jobs/${id}`,
      '/executions',
      '/functions',
      `/functions/${function_id}`,
      '/aliases',
      '/aliases/a',
    ])
      expect((await w.q('GET', path, undefined, viewer)).status).toBe(200)
    for (const [method, path] of [
      ['POST', '/jobs'],
      ['PUT', `/jobs/${id}`],
      ['DELETE', `/jobs/${id}`],
      ['POST', '/executions'],
      ['DELETE', `/functions/${function_id}`],
      ['POST', '/aliases'],
      ['PUT', '/aliases/a'],
      ['DELETE', '/aliases/a'],
    ] as const)
      expect([method, path, (await w.q(method, path, {}, viewer)).status]).toEqual([method, path, 403])
  })

  it('another project’s job is unknown, except to an administrator who has its id', async () => {
    const w = await startWorld()
    const { id } = await w.job()
    const [member, admin] = [await w.token('operator', 'u2', 'p2'), await w.token('admin', 'u3', 'p2')]
    for (const [method, body] of [['GET'], ['PUT', { name: 'x' }], ['DELETE']] as const)
      expect((await w.q(method, `/jobs/${id}`, body, member)).status).toBe(404)
    expect((await w.q('GET', `/jobs/${id}`, undefined, admin)).json.project_id).toBe('p1')
    expect((await w.q('PUT', `/jobs/${id}`, { name: 'x' }, admin)).json).toMatchObject({
      name: 'x',
      project_id: 'p1',
    })
    expect((await w.q('DELETE', `/jobs/${id}`, undefined, admin)).status).toBe(204)
  })
})

describe('what is not there, or not so', () => {
  it.each([
    ['GET', '/jobs/x', 400],
    ['PUT', '/jobs/x', 400],
    ['DELETE', '/jobs/x', 400],
    ['GET', `/jobs/${noUuid}`, 404],
    ['PUT', `/jobs/${noUuid}`, 404],
    ['DELETE', `/jobs/${noUuid}`, 404],
    ['GET', '/executions/x', 400],
    ['GET', `/executions/${noUuid}`, 404],
    ['DELETE', `/executions/${noUuid}`, 404],
    ['GET', `/executions/${noUuid}/log`, 404],
    ['GET', '/functions/x', 400],
    ['GET', `/functions/${noUuid}`, 404],
    ['DELETE', `/functions/${noUuid}`, 404],
    ['GET', '/aliases/x', 404],
    ['PUT', '/aliases/x', 404],
    ['DELETE', '/aliases/x', 404],
    ['GET', '/nowhere', 404],
    ['GET', '/%E0%A4%A', 404],
    ['GET', '/jobs/%00', 400],
    ['PATCH', `/jobs/${noUuid}`, 405],
    ['PUT', '/jobs', 405],
    ['DELETE', '/jobs', 405],
    ['POST', `/jobs/${noUuid}`, 405],
  ])('%s %s: %i', async (method, path, status) => {
    const { q } = await startWorld()
    const refused = await q(method, path, method === 'PUT' ? {} : undefined)
    expect([refused.status, refused.headers.get('content-type'), refused.json]).toEqual([
      status,
      'application/json',
      { faultcode: 'Client', faultstring: expect.any(String), debuginfo: null },
    ])
  })

  it('is never a 500, which its client cannot read: not even what nobody foresaw', () => {
    const { status, body, unexpected } = answerTo(new Error('the password is x'), 'qinling')
    expect([status, unexpected, body]).toEqual([
      ...[503, true],
      { faultcode: 'Server', faultstring: expect.not.stringContaining('password'), debuginfo: null },
    ])
  })

  it('is said as a fault of the server where the store is away', async () => {
    const w = await startWorld()
    const { id } = await w.job()
    w.store.stop()
    const refused = await w.q('PUT', `/jobs/${id}`, { name: 'x' })
    expect([refused.status, refused.json]).toEqual([
      503,
      { faultcode: 'Server', faultstring: expect.any(String), debuginfo: null },
    ])
    expect((await w.q('GET', `/jobs/${id}`)).status).toBe(200)
  })
})

describe('the roots', () => {
  it('need no token', async () => {
    const { ask } = await startWorld()
    for (const path of ['/qinling', '/qinling/'])
      expect((await ask('GET', path, undefined, '')).json).toEqual({
        versions: [
          {
            ...{ id: 'v1.0', status: 'CURRENT' },
            links: [{ href: 'http://localhost/qinling/v1', target: 'v1', rel: 'self' }],
          },
        ],
      })
    for (const path of ['/qinling/v1', '/qinling/v1/'])
      expect((await ask('GET', path, undefined, '')).json).toEqual({ uri: 'http://localhost/qinling/v1' })
  })
})

describe('ids', () => {
  it('may be written without dashes and in capitals', async () => {
    const w = await startWorld()
    const { id } = await w.job()
    for (const written of [id.replaceAll('-', ''), id.toUpperCase()])
      expect((await w.q('GET', `/jobs/${written}`)).json.id).toBe(id)
  })

  it('of another form appear as a UUID that stays, and finds them', async () => {
    const w = await startWorld()
    const document = {
      client_id: 'n1',
      job_actions: [{ action_id: 'dump', freezer_action: { action: 'exec', command: 'true' } }],
    }
    for (const id of [
      'nightly',
      'A41D6A5E-8B0C-4A6F-9D3B-6F1F0F6F2B11',
      'a41d6a5e-8b0c-4a6f-9d3b-6f1f0f6f2b12',
    ])
      await w.ask('POST', `/v1/jobs/${id}`, { ...document, job_schedule: { schedule_hour: '3' } })
    const { jobs } = (await w.q('GET', '/jobs')).json
    expect(jobs).toHaveLength(3)
    expect(jobs[0].id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5/)
    expect(jobs[1].id).toBe('a41d6a5e-8b0c-4a6f-9d3b-6f1f0f6f2b11')
    for (const { id, function_id } of jobs) {
      expect((await w.q('GET', `/jobs/${id}`)).json.id).toBe(id)
      expect((await w.q('GET', `/functions/${function_id}`)).json).toMatchObject({
        id: function_id,
        name: 'dump',
      })
    }
    const called = await w.q('POST', '/jobs', { function_id: jobs[0].function_id, pattern: '@daily' })
    expect(called.json.function_id).toBe(jobs[0].function_id)
    expect(
      (await w.q('GET', `/jobs/${jobs[0].id}`, undefined, await w.token('admin', 'u', 'p2'))).status,
    ).toBe(200)
    expect(
      (await w.q('GET', `/jobs/${jobs[0].id}`, undefined, await w.token('viewer', 'u', 'p2'))).status,
    ).toBe(404)
  })

  it('of jobs that nothing of the kind expresses find nothing', async () => {
    const w = await startWorld()
    const document = {
      client_id: 'n1',
      job_actions: [{ freezer_action: { action: 'exec', command: 'true' } }],
    }
    const made = await w.ask('POST', '/v1/jobs', {
      ...document,
      job_schedule: { schedule_interval: '5 minutes' },
    })
    expect((await w.q('GET', '/jobs')).json.jobs).toEqual([])
    for (const method of ['GET', 'PUT', 'DELETE'])
      expect((await w.q(method, `/jobs/${made.json.job_id}`)).status).toBe(404)
  })
})

it('a bad job does not hide the others', async () => {
  const w = await startWorld()
  const bad = await w.job()
  const good = await w.job()
  const stored = w.context.state.get('job', 'p1', w.actionId(bad.id))
  if (!stored) throw new Error('no job')
  const broken = { ...stored.value, firn: { pattern: '@daily', timezone: 'Gone/Away' } }
  await w.context.state.commit({ requires: [], puts: [put('job', 'p1', stored.value.id, broken)] })
  expect((await w.q('GET', '/jobs')).json.jobs.map(({ id }: { id: string }) => id)).toEqual([good.id])
  w.until(bad.next_execution_time)
  await expect(w.look(bad.id)).rejects.toThrow('Gone/Away')
  expect(await w.fire(good.id)).toMatchObject({ status: 'running', updated_at: expect.any(String) })
})
