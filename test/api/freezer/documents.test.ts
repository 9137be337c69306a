// What documents hold, and what happens to them.
import { describe, expect, it } from 'vitest'
import { smallJob, startApi, type Api, type Loose } from '../harness.ts'

const backup = { action: 'backup', mode: 'fs', backup_name: 'etc', path_to_backup: '/etc' }

/** The refusal of a request. */
const refused = (field: string | RegExp) => ({
  status: 400,
  json: {
    title: 'Bad request format',
    description: typeof field === 'string' ? expect.stringContaining(field) : expect.stringMatching(field),
  },
})

describe('a job', () => {
  it.each([
    [{}, "'job_actions' is a required property"],
    [{ client_id: 'n1' }, "'job_actions' is a required property"],
    [{ job_actions: [] }, "'client_id' is a required property"],
    [smallJob('bad host!'), "client_id: 'bad host!'"],
    [smallJob(''), "client_id: ''"],
    [smallJob('n1', { client_id: 5 }), "client_id: 5 is not of type 'string'"],
    [smallJob('n1', { colour: 1 }), "Additional properties are not allowed ('colour' was unexpected)"],
    [smallJob('n1', { job_schedule: { colour: 1 } }), 'job_schedule.colour'],
    [smallJob('n1', { job_schedule: { status: 'lost' } }), "job_schedule.status: 'lost' is not one of"],
    [smallJob('n1', { session_id: 'a b' }), "session_id: 'a b' does not match"],
    [smallJob('n1', { session_tag: '1' }), "session_tag: '1' is not of type"],
    [smallJob('n1', { session_tag: true }), 'session_tag: true is not of type'],
    [smallJob('n1', { description: null }), "description: null is not of type 'string'"],
    [smallJob('n1', { action_defaults: [] }), "action_defaults: [] is not of type 'object'"],
    [smallJob('n1', { job_actions: {} }), "job_actions: {} is not of type 'array'"],
    [smallJob('n1', { job_actions: [{}] }), "'job_actions.0.freezer_action' is a required property"],
    [smallJob('n1', { job_actions: [{ freezer_action: { action: 'a b' } }] }), "'a b' does not match"],
    [
      smallJob('n1', { job_actions: [{ freezer_action: {}, max_retries: '3' }] }),
      'job_actions.0.max_retries',
    ],
    [smallJob('n1', { firn: { colour: 1 } }), 'firn.colour'],
    [smallJob('n1', { firn: { client_selector: { tier: 5 } } }), 'firn.client_selector.tier'],
    [smallJob('n1', { job_actions: [{ action_id: 'nowhere' }] }), 'job_actions.0.action_id'],
  ])('%j is refused', async (document, told) => {
    const { ask } = await startApi()
    for (const path of ['/v1/jobs', '/v2/p1/jobs', '/v2/p1/jobs/mine'])
      expect(await ask('POST', path, document)).toMatchObject(refused(told))
    expect((await ask('GET', '/v1/jobs')).json.jobs).toEqual([])
  })

  it('takes every form of a client, and descriptions of 255 characters', async () => {
    const { ask } = await startApi()
    for (const client of ['p1_node1', 'node1.example.com', '6f3d_host-2', 'a', `${'x'.repeat(63)}.org`])
      expect((await ask('POST', '/v1/jobs', smallJob(client, { description: 'ü'.repeat(255) }))).status).toBe(
        201,
      )
  })

  it('ignores an id in its body, and what the server alone says of it', async () => {
    const { ask } = await startApi()
    const document = { ...smallJob('n1'), job_id: 'mine', _version: 'x', user_id: 5, project_id: null }
    const made = await ask('POST', '/v1/jobs', document)
    expect(made.json.job_id).toMatch(/^[0-9a-f]{32}$/)
    expect((await ask('POST', '/v1/jobs/mine', document)).json).toEqual({ job_id: 'mine', version: 1 })
  })

  it('is shown as it was sent, with its defaults', async () => {
    const { ask } = await startApi()
    const document = {
      client_id: 'p1_db1.example.org',
      description: 'nightly etc',
      session_name: 'web',
      job_schedule: { schedule_interval: '1 days', schedule_start_date: '2031-01-01T02:00:00' },
      job_actions: [
        {
          freezer_action: { ...backup, container: '/var/backups', 'odd key': [1, { deep: null }] },
          max_retries: 2,
          mandatory: true,
          note: 'kept',
        },
      ],
    }
    await ask('POST', '/v2/p1/jobs/j', document)
    expect((await ask('GET', '/v2/p1/jobs/j')).json).toEqual({
      ...document,
      ...{ job_id: 'j', project_id: 'p1', user_id: 'u-admin', session_id: '', session_tag: 0, _version: 1 },
      job_schedule: {
        ...document.job_schedule,
        ...{ time_created: expect.any(Number), time_started: -1, time_ended: -1 },
        ...{ status: '', event: '', result: '' },
      },
      job_actions: [
        {
          ...document.job_actions[0],
          ...{ action_id: expect.stringMatching(/^[0-9a-f]{32}$/), max_retries_interval: 60 },
          ...{ user_id: 'u-admin', project_id: 'p1' },
        },
      ],
    })
  })

  it('has action_defaults copied into every action that lacks the key, and does not keep them', async () => {
    const { ask } = await startApi()
    await ask('POST', '/v1/jobs/j', {
      client_id: 'n1',
      job_actions: [{ freezer_action: { mode: null, storage: 's3' } }, { freezer_action: {} }],
      action_defaults: { mode: 'fs', storage: 'local', action: 'backup' },
    })
    const shown = (await ask('GET', '/v1/jobs/j')).json
    expect(shown).not.toHaveProperty('action_defaults')
    expect(shown.job_actions.map((entry: Loose) => entry.freezer_action)).toEqual([
      { mode: 'fs', storage: 's3', action: 'backup' },
      { mode: 'fs', storage: 'local', action: 'backup' },
    ])
  })

  it('is replaced whole by a POST to its id, and merged by a PATCH', async () => {
    const { ask } = await startApi()
    const job_schedule = { schedule_hour: '3', schedule_minute: '30' }
    await ask('POST', '/v1/jobs/j', smallJob('n1', { description: 'x', job_schedule, session_name: 's' }))
    const changed = await ask('PATCH', '/v1/jobs/j', { job_schedule: { schedule_hour: '4' } })
    expect(changed).toMatchObject({ status: 200, json: { job_id: 'j', version: 2 } })
    expect((await ask('GET', '/v1/jobs/j')).json).toMatchObject({
      description: 'x',
      job_schedule: { schedule_hour: '4', schedule_minute: '30' },
    })
    expect((await ask('POST', '/v1/jobs/j', smallJob('n1'))).json).toEqual({ job_id: 'j', version: 3 })
    const replaced = (await ask('GET', '/v1/jobs/j')).json
    expect(replaced).toMatchObject({ description: '', _version: 3 })
    expect(replaced).not.toHaveProperty('session_name')
    expect(replaced.job_schedule).not.toHaveProperty('schedule_hour')
  })

  it('keeps its schedule when only its description is changed, and counts that', async () => {
    const { ask } = await startApi()
    await ask('POST', '/v1/jobs/j', smallJob('n1', { job_schedule: { schedule_interval: '1 days' } }))
    const before = (await ask('GET', '/v1/jobs/j')).json
    await ask('PATCH', '/v1/jobs/j', { description: 'y', _version: 0, job_id: 'k' })
    expect((await ask('GET', '/v1/jobs/j')).json).toEqual({ ...before, description: 'y', _version: 2 })
  })

  it('has its actions replaced whole by a PATCH', async () => {
    const { ask } = await startApi()
    await ask('POST', '/v1/jobs/j', {
      client_id: 'n1',
      job_actions: [{ freezer_action: backup }, { freezer_action: {} }],
    })
    await ask('PATCH', '/v1/jobs/j', { job_actions: [{ freezer_action: { action: 'exec' } }] })
    const { job_actions } = (await ask('GET', '/v1/jobs/j')).json
    expect(job_actions.map((entry: Loose) => entry.freezer_action)).toEqual([{ action: 'exec' }])
  })

  it('is gone when it is deleted, for its session, too; again it is 404', async () => {
    const { ask } = await startApi()
    await ask('POST', '/v1/sessions/s', { schedule: {} })
    await ask('POST', '/v1/jobs/j', smallJob('n1', { session_id: 's' }))
    for (const base of ['/v1', '/v2/p1']) {
      expect((await ask('DELETE', `${base}/jobs/j`)).status).toBe(base === '/v1' ? 204 : 404)
      expect((await ask('GET', `${base}/sessions/s`)).json.jobs).toEqual({})
    }
  })
})

describe("a job's actions", () => {
  const actionsOf = async ({ ask }: Api, id = 'j'): Promise<Loose[]> =>
    (await ask('GET', `/v1/jobs/${id}`)).json.job_actions

  it('are action documents, too: made, stored under the id that they name, or left alone', async () => {
    const api = await startApi()
    const { ask } = api
    const job_actions = [{ freezer_action: backup }, { freezer_action: backup, action_id: 'mine' }]
    await ask('POST', '/v1/jobs/j', { client_id: 'n1', job_actions })
    const [made, named] = await actionsOf(api)
    expect(named.action_id).toBe('mine')
    for (const id of [made.action_id, 'mine'])
      expect((await ask('GET', `/v1/actions/${id}`)).json).toMatchObject({
        action_id: id,
        freezer_action: backup,
      })
    await ask('POST', '/v1/jobs/k', {
      client_id: 'n1',
      job_actions: [{ freezer_action: backup, action_id: 'mine' }],
    })
    expect((await ask('GET', '/v1/actions/mine')).json._version).toBe(1)
  })

  it('may be shown, edited and sent back', async () => {
    const api = await startApi()
    await api.ask('POST', '/v1/jobs/j', { client_id: 'n1', job_actions: [{ freezer_action: backup }] })
    const shown = (await api.ask('GET', '/v1/jobs/j')).json
    shown.job_actions[0].freezer_action.path_to_backup = '/home'
    expect((await api.ask('PATCH', '/v1/jobs/j', shown)).status).toBe(200)
    const [edited] = await actionsOf(api)
    expect(edited.freezer_action).toEqual({ ...backup, path_to_backup: '/home' })
    expect((await api.ask('GET', `/v1/actions/${edited.action_id}`)).json.freezer_action).toEqual(
      edited.freezer_action,
    )
  })

  it('may be named by the id of a stored action alone', async () => {
    const api = await startApi()
    const stored = {
      action_id: 'saved',
      freezer_action: { ...backup, ssh_password: 'hunter2' },
      max_retries: 9,
    }
    await api.ask('POST', '/v1/actions', stored)
    const job_actions = [{ action_id: 'saved' }, { action_id: 'saved', max_retries: 1, mandatory: true }]
    expect((await api.ask('POST', '/v1/jobs/j', { client_id: 'n1', job_actions })).status).toBe(201)
    expect(await actionsOf(api)).toMatchObject([
      { action_id: 'saved', max_retries: 9, freezer_action: { ...backup, ssh_password: '***' } },
      { action_id: 'saved', max_retries: 1, mandatory: true },
    ])
    const shown = (await api.ask('GET', '/v1/jobs/j')).json
    expect((await api.ask('PATCH', '/v1/jobs/j', shown)).status).toBe(200)
    expect(await actionsOf(api)).toEqual(shown.job_actions)
  })
})

describe('an action', () => {
  it('is stored under an id of the server or its own, once, and shown with defaults of its own', async () => {
    const { ask } = await startApi()
    const made = await ask('POST', '/v1/actions', { freezer_action: backup, colour: 'red' })
    expect([made.status, made.json]).toEqual([201, { action_id: expect.stringMatching(/^[0-9a-f]{32}$/) }])
    expect((await ask('GET', `/v2/p1/actions/${made.json.action_id}`)).json).toEqual({
      ...{ action_id: made.json.action_id, user_id: 'u-admin', project_id: 'p1', colour: 'red', _version: 1 },
      ...{ max_retries: 5, max_retries_interval: 6, mandatory: false, freezer_action: backup },
    })
    expect((await ask('POST', '/v1/actions', { action_id: 'a', freezer_action: {} })).status).toBe(201)
    expect(await ask('POST', '/v1/actions', { action_id: 'a', freezer_action: {} })).toMatchObject({
      status: 409,
      json: { title: 'Document already existing', description: expect.stringContaining('a') },
    })
  })

  it('is made or replaced under an id, merged by a PATCH, and deleted once', async () => {
    const { ask } = await startApi()
    expect(await ask('POST', '/v1/actions/a', { freezer_action: backup })).toMatchObject({
      status: 201,
      json: { action_id: 'a', version: 1 },
    })
    expect(
      await ask('PATCH', '/v1/actions/a', { freezer_action: { mode: 'mysql' }, max_retries: 1 }),
    ).toMatchObject({ status: 200, json: { action_id: 'a', version: 2 } })
    expect((await ask('GET', '/v1/actions/a')).json).toMatchObject({
      freezer_action: { ...backup, mode: 'mysql' },
      max_retries: 1,
    })
    expect((await ask('POST', '/v1/actions/a', { freezer_action: {} })).json.version).toBe(3)
    expect((await ask('GET', '/v1/actions/a')).json.freezer_action).toEqual({})
    expect((await ask('DELETE', '/v1/actions/a')).status).toBe(204)
    expect((await ask('DELETE', '/v1/actions/a')).status).toBe(404)
  })

  it.each([
    [{}, "'freezer_action' is a required property"],
    [{ freezer_action: [] }, 'freezer_action: []'],
    [{ freezer_action: { mode: 'a b' } }, 'freezer_action.mode'],
    [{ freezer_action: {}, mandatory: 1 }, 'mandatory: 1'],
    [{ freezer_action: {}, max_retries_interval: -1 }, 'max_retries_interval'],
    [{ freezer_action: {}, action_id: 'a b' }, 'action_id'],
  ])('%j is refused', async (document, told) => {
    const { ask } = await startApi()
    expect(await ask('POST', '/v1/actions', document)).toMatchObject(refused(told))
    expect((await ask('GET', '/v1/actions')).json.actions).toEqual([])
  })
})

describe('a client', () => {
  it('is registered flat and shown nested, once for its name', async () => {
    const { ask } = await startApi()
    const sent = { client_id: 'p1_db1', hostname: 'db1', description: 'first', is_central: false }
    expect(await ask('POST', '/v2/p1/clients', sent)).toMatchObject({
      status: 201,
      json: { client_id: 'p1_db1' },
    })
    expect((await ask('GET', '/v2/p1/clients/p1_db1')).json).toMatchObject({
      ...{ project_id: 'p1', user_id: 'u-admin' },
      client: { ...sent, uuid: expect.stringMatching(/^[0-9a-f]{32}$/) },
    })
    expect((await ask('POST', '/v2/p1/clients', sent)).status).toBe(409)
    expect((await ask('GET', '/v2/p1/clients')).json.clients).toHaveLength(1)
  })

  it('needs no host name, and may come back with the uuid that it had', async () => {
    const { ask } = await startApi()
    for (let n = 0; n < 2; n++) {
      expect((await ask('POST', '/v1/clients', { client_id: 'n1', uuid: 'u1' })).status).toBe(201)
      expect((await ask('GET', '/v1/clients/n1')).json.client).toMatchObject({ hostname: '', uuid: 'u1' })
      expect((await ask('DELETE', '/v1/clients/n1')).status).toBe(204)
    }
    expect((await ask('DELETE', '/v1/clients/n1')).status).toBe(404)
  })

  it('may be changed in v2', async () => {
    const { ask } = await startApi()
    await ask('POST', '/v2/p1/clients', { client_id: 'n1', hostname: 'h', rack: 7 })
    expect(
      await ask('PATCH', '/v2/p1/clients/n1', { description: 'moved', supported_modes: ['fs'] }),
    ).toMatchObject({
      status: 200,
      json: { client_id: 'n1' },
    })
    expect((await ask('GET', '/v2/p1/clients/n1')).json.client).toMatchObject({
      ...{ client_id: 'n1', hostname: 'h', rack: 7, description: 'moved', supported_modes: ['fs'] },
    })
    expect((await ask('PATCH', '/v2/p1/clients/nobody', {})).status).toBe(404)
  })

  it('keeps nothing under the names of what the server knows of it', async () => {
    const { ask } = await startApi()
    const claims = {
      ...{
        enrolled: true,
        enrolled_at: 'x',
        revoked_at: null,
        line: 'up',
        since: 'x',
        agent: {},
        labels: { a: 'b' },
      },
      ...{ id: 'n2', project: 'p2', user: 'u', extra: {}, createdAt: 1, created_at: 1, version: 9 },
      ...{ user_id: 'u-bob', project_id: 'p2', firn: { line: 'up' } },
    }
    await ask('POST', '/v2/p1/clients', { client_id: 'n1', rack: 7, ...claims })
    const { json: made } = await ask('GET', '/v2/p1/clients/n1')
    expect(Object.keys(made.client).toSorted()).toEqual(
      ['client_id', 'hostname', 'description', 'uuid', 'rack'].toSorted(),
    )
    expect(made).toMatchObject({ project_id: 'p1', firn: { line: 'never', labels: {} } })
    expect((await ask('PATCH', '/v2/p1/clients/n1', claims)).status).toBe(200)
    expect((await ask('GET', '/v2/p1/clients/n1')).json).toEqual(made)
  })

  it.each([
    [{}, "'client_id' is a required property"],
    [{ client_id: 'bad host!' }, 'client_id'],
    [{ client_id: 'n1', hostname: 5 }, 'hostname: 5'],
  ])('%j is refused', async (document, told) => {
    const { ask } = await startApi()
    expect(await ask('POST', '/v1/clients', document)).toMatchObject(refused(told))
  })
})

describe('a backup record', () => {
  const metadata = {
    container: '/b',
    hostname: 'db1',
    backup_name: 'etc',
    time_stamp: 5,
    curr_backup_level: 0,
    odd: [1],
  }

  it('is kept as it was sent, under an id of the server', async () => {
    const { ask } = await startApi()
    const made = await ask('POST', '/v2/p1/backups', metadata)
    expect([made.status, made.json]).toEqual([201, { backup_id: expect.stringMatching(/^[0-9a-f]{32}$/) }])
    const shown = {
      ...{ backup_id: made.json.backup_id, project_id: 'p1', user_id: 'u-admin', user_name: 'u-admin' },
      backup_metadata: metadata,
    }
    expect((await ask('GET', `/v2/p1/backups/${made.json.backup_id}`)).json).toEqual(shown)
    expect((await ask('GET', '/v2/p1/backups')).json).toEqual({ backups: [shown] })
    expect((await ask('DELETE', `/v2/p1/backups/${made.json.backup_id}`)).status).toBe(204)
    expect((await ask('DELETE', `/v2/p1/backups/${made.json.backup_id}`)).status).toBe(404)
  })

  it.each(['unknown', 'no.id', 'x'.repeat(65), '%00'])('is not there under the id %s', async (id) => {
    const { ask } = await startApi()
    for (const method of ['GET', 'DELETE'])
      expect(await ask(method, `/v2/p1/backups/${id}`)).toMatchObject({
        status: 404,
        json: { title: 'Not Found' },
      })
  })

  it.each(['container', 'hostname', 'backup_name'])('needs a %s', async (key) => {
    const { ask } = await startApi()
    for (const lacking of [
      { ...metadata, [key]: '' },
      { ...metadata, [key]: undefined },
    ])
      expect(await ask('POST', '/v1/backups', lacking)).toMatchObject({
        status: 400,
        json: { title: 'Bad Data Format', description: expect.stringContaining(key) },
      })
  })
})

describe('a version', () => {
  it('in an If-Match must be the one that there is', async () => {
    const { ask } = await startApi()
    const changes = [
      ['jobs', smallJob('n1'), { description: 'x' }],
      ['sessions', { schedule: {} }, { description: 'x' }],
      ['actions', { freezer_action: {} }, { max_retries: 1 }],
    ] as const
    for (const [things, document, change] of changes) {
      const path = `/v2/p1/${things}/one`
      const etag = (await ask('POST', path, document)).headers.get('etag') ?? ''
      expect((await ask('GET', path)).headers.get('etag')).toBe(etag)
      const match = { 'if-match': etag }
      expect((await ask('PATCH', path, change, undefined, match)).status).toBe(200)
      for (const method of ['PATCH', 'DELETE', 'POST'])
        expect([things, method, await ask(method, path, document, undefined, match)]).toMatchObject([
          things,
          method,
          { status: 412, json: { title: 'Precondition Failed', description: expect.any(String) } },
        ])
      expect((await ask('PATCH', path, { ...change, _version: 1 })).json.version).toBe(3)
    }
  })
})
