import { describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { startApi } from '../harness.ts'
import { noUuid, startWorld } from './world.ts'

const keys = [
  ...['created_at', 'description', 'function_alias', 'function_id', 'function_version', 'id', 'input'],
  ...['project_id', 'result', 'status', 'sync', 'updated_at'],
]

describe('an execution by hand', () => {
  it('runs a saved action with its input as arguments, and is shown with every key', async () => {
    const w = await startWorld()
    const function_id = await w.saved()
    const input = '{"command": ["echo", "hi"], "client_id": "n1"}'
    const sent = { function_id, function_alias: null, function_version: 0, sync: false, input }
    const made = await w.q('POST', '/executions', sent)
    expect(made.status).toBe(201)
    expect(Object.keys(made.json).toSorted()).toEqual(keys)
    expect(made.json).toMatchObject({
      ...{ function_id, function_alias: null, function_version: 0, input, status: 'running', result: null },
      ...{ description: null, sync: false, project_id: 'p1', updated_at: null },
    })
    const run = w.context.state.get('run', 'p1', w.actionId(made.json.id))?.value
    expect(run).toMatchObject({ client: 'n1', tasks: [{ action: { commands: [['echo', 'hi']] } }] })
    expect((await w.q('GET', `/executions/${made.json.id}`)).json).toEqual(made.json)
    expect((await w.ask('GET', `/v1/runs/${run?.id}`)).json).toMatchObject({
      run_id: run?.id,
      client_id: 'n1',
    })
  })

  it('is waited for, unless its caller says otherwise', async () => {
    const w = await startWorld()
    const asked = w.q('POST', '/executions', { function_id: await w.saved() })
    await eventually(() => w.context.state.countWhere('run', 'open', '*') === 1)
    w.pass(1_500)
    await w.endRuns()
    const { json } = await asked
    expect(json).toMatchObject({ status: 'success', sync: true })
    expect(JSON.parse(json.result)).toMatchObject({ duration: expect.any(Number), output: 'success' })
    expect(JSON.parse(json.result).duration).toBeGreaterThanOrEqual(1.5)
  })

  it('follows an alias, and says which function that was', async () => {
    const w = await startWorld()
    const function_id = await w.saved()
    await w.q('POST', '/aliases', { name: 'a', function_id })
    const made = await w.q('POST', '/executions', { function_alias: 'a', sync: false })
    expect(made.json).toMatchObject({ function_alias: 'a', function_id })
  })

  it.each([
    [{}, 400, 'function_id'],
    [{ function_id: 'x' }, 400, 'function_id'],
    [{ function_id: noUuid }, 404, 'function'],
    [{ function_alias: 'none' }, 404, 'alias'],
    [{ function_id: noUuid, sync: 'yes' }, 400, 'sync'],
    [{ function_id: noUuid, input: {} }, 400, 'input'],
    [{ function_id: noUuid, colour: 1 }, 400, 'colour'],
    [[], 400, 'body'],
  ])('of %j is %i, naming %s', async (body, status, named) => {
    const w = await startWorld()
    const refused = await w.q('POST', '/executions', body)
    expect([refused.status, refused.json.faultstring]).toEqual([status, expect.stringContaining(named)])
    expect((await w.q('GET', '/executions')).json).toEqual({ executions: [] })
  })

  it('needs a client that is there', async () => {
    const w = await startWorld()
    const function_id = await w.saved({ firn: { client_selector: { tier: 'none' } } })
    for (const body of [{ function_id }, { function_id, input: '{"client_id": "n9"}' }]) {
      const refused = await w.q('POST', '/executions', body)
      expect([refused.status, refused.json.faultstring]).toEqual([400, expect.stringContaining('client')])
    }
  })
})

describe('executions', () => {
  it.each([
    ['success', 'success'],
    ['partial', 'failed'],
    ['failed', 'failed'],
    ['aborted', 'failed'],
    ['lost', 'failed'],
  ] as const)('that end as %s are %s', async (result, status) => {
    const w = await startWorld()
    const { json } = await w.q('POST', '/executions', { function_id: await w.saved(), sync: false })
    await w.endRuns(result)
    const ended = (await w.q('GET', `/executions/${json.id}`)).json
    expect(ended).toMatchObject({ status, updated_at: expect.any(String) })
    expect(JSON.parse(ended.result)).toMatchObject({ duration: expect.any(Number), output: result, result })
  })

  it('that could not be done at all are an error', async () => {
    const w = await startWorld()
    const function_id = await w.saved({ freezer_action: { action: 'backup' } })
    const { json } = await w.q('POST', '/executions', { function_id })
    expect(json.status).toBe('error')
    expect(JSON.parse(json.result)).toMatchObject({
      reason: 'bad_action',
      output: expect.stringContaining('path_to_backup'),
    })
  })

  it('are listed oldest first, the newest of many, and by what they are', async () => {
    const w = await startWorld()
    const { id, function_id } = await w.job({ pattern: '* * * * *' })
    await w.fire(id)
    await w.fire(id)
    const other = await w.saved()
    w.pass(1_000)
    await w.q('POST', '/executions', { function_id: other, sync: false })
    const list = async (query = '') => (await w.q('GET', `/executions${query}`)).json.executions
    const all = await list()
    expect(all).toHaveLength(3)
    expect(all.map(({ created_at }: { created_at: string }) => created_at)).toEqual(
      all.map(({ created_at }: { created_at: string }) => created_at).toSorted(),
    )
    expect(await list('?limit=2')).toEqual(all.slice(1))
    expect(await list(`?function_id=${other}`)).toEqual(all.slice(2))
    expect(await list(`?function_id=neq:${other}`)).toEqual(all.slice(0, 2))
    expect(await list('?status=eq:success')).toEqual(all.slice(0, 2))
    expect(await list(`?description=has:${id.slice(0, 8)}`)).toEqual(all.slice(0, 2))
    expect(await list(`?description=Created%20by%20Job%20${id}`)).toEqual(all.slice(0, 2))
    expect(await list('?project_id=p2')).toEqual([])
    expect(await list('?all_projects=yes')).toEqual(all)
    expect((await w.q('GET', '/executions?input=x')).status).toBe(400)
    expect(all[0].function_id).toBe(function_id)
  })

  it('are forgotten on request once they have ended', async () => {
    const w = await startWorld()
    const { json } = await w.q('POST', '/executions', { function_id: await w.saved(), sync: false })
    expect((await w.q('DELETE', `/executions/${json.id}`)).status).toBe(403)
    await w.endRuns()
    expect((await w.q('DELETE', `/executions/${json.id}`)).status).toBe(204)
    expect((await w.q('DELETE', `/executions/${json.id}`)).status).toBe(404)
  })

  it('have a log: one text, as JSON', async () => {
    const w = await startWorld()
    const { json } = await w.q('POST', '/executions', { function_id: await w.saved(), sync: false })
    const log = await w.q('GET', `/executions/${json.id}/log`)
    expect([log.status, log.headers.get('content-type'), log.json]).toEqual([
      200,
      'application/json',
      'hello',
    ])
  })

  it('of another project are unknown', async () => {
    const w = await startWorld()
    const { json } = await w.q('POST', '/executions', { function_id: await w.saved(), sync: false })
    const stranger = await w.token('operator', 'u2', 'p2')
    for (const [method, path] of [
      ['GET', ''],
      ['DELETE', ''],
      ['GET', '/log'],
    ] as const)
      expect((await w.q(method, `/executions/${json.id}${path}`, undefined, stranger)).status).toBe(404)
  })
})

describe('functions', () => {
  it('are the saved actions, with every key, found by name', async () => {
    const w = await startWorld()
    const named = await w.saved({ firn: { name: 'dump', description: 'of the database' } })
    const backup = await w.saved({
      freezer_action: { action: 'backup', backup_name: 'etc', path_to_backup: '/etc' },
    })
    await w.q('POST', '/executions', { function_id: named, sync: false })
    const { functions } = (await w.q('GET', '/functions')).json
    expect(functions).toEqual([
      {
        ...{
          id: named,
          name: 'dump',
          description: 'of the database',
          count: 1,
          runtime_id: null,
          entry: null,
        },
        ...{ code: { source: 'action', action: 'exec' }, project_id: 'p1', cpu: null, memory_size: null },
        ...{ timeout: null, updated_at: null, latest_version: 1, created_at: expect.any(String) },
      },
      expect.objectContaining({ id: backup, name: 'etc', description: null, count: 0 }),
    ])
    expect((await w.q('GET', `/functions/${named}`)).json).toEqual(functions[0])
    expect((await w.q('GET', '/functions?name=dump')).json.functions).toEqual([functions[0]])
    expect((await w.q('GET', '/functions?runtime_id=x')).status).toBe(400)
    const stranger = await w.token('viewer', 'u2', 'p2')
    expect((await w.q('GET', `/functions/${named}`, undefined, stranger)).status).toBe(404)
  })

  it('cannot be deleted while a job that is neither done nor cancelled calls them', async () => {
    const w = await startWorld()
    const [first, second] = [await w.job(), await w.job({ count: 1 })]
    for (const { id, function_id } of [first, second]) {
      const refused = await w.q('DELETE', `/functions/${function_id}`)
      expect([refused.status, refused.json.faultstring]).toEqual([403, expect.stringContaining(id)])
    }
    await w.q('PUT', `/jobs/${first.id}`, { status: 'paused' })
    expect((await w.q('DELETE', `/functions/${first.function_id}`)).status).toBe(403)
    await w.q('PUT', `/jobs/${first.id}`, { status: 'cancelled' })
    await w.fire(second.id)
    for (const { function_id } of [first, second]) {
      expect((await w.q('DELETE', `/functions/${function_id}`)).status).toBe(204)
      expect((await w.q('DELETE', `/functions/${function_id}`)).status).toBe(404)
    }
  })

  it('cannot be deleted by a server that has not heard yet of the job that calls them', async () => {
    const w = await startWorld()
    const function_id = await w.saved()
    const behind = await startApi({}, w.store)
    behind.backend.hold()
    const { id } = await w.job({ function_id })
    const asked = behind.ask('DELETE', `/qinling/v1/functions/${function_id}`)
    setTimeout(() => behind.backend.release(), 50)
    const refused = await asked
    expect([refused.status, refused.json.faultstring]).toEqual([403, expect.stringContaining(id)])
  })

  it('cannot be deleted while they are shown with a job that Freezer’s API has made', async () => {
    const w = await startWorld()
    const freezer_action = { action: 'exec', command: 'true' }
    const document = { client_id: 'n1', job_actions: [{ freezer_action }] }
    await w.ask('POST', '/v1/jobs', { ...document, job_schedule: { schedule_hour: '3' } })
    const [{ id, function_id }] = (await w.q('GET', '/jobs')).json.jobs
    const refused = await w.q('DELETE', `/functions/${function_id}`)
    expect([refused.status, refused.json.faultstring]).toEqual([403, expect.stringContaining(id)])
    await w.q('PUT', `/jobs/${id}`, { status: 'cancelled' })
    expect((await w.q('DELETE', `/functions/${function_id}`)).status).toBe(204)
    // One that is no job here keeps nothing: it has a copy of its own.
    await w.ask('POST', '/v1/jobs', { ...document, job_schedule: { schedule_interval: '5 minutes' } })
    const [{ id: other }] = (await w.q('GET', '/functions')).json.functions
    expect((await w.q('DELETE', `/functions/${other}`)).status).toBe(204)
  })
})

describe('aliases', () => {
  it.each(['.', '..'])('are not called %j, which no path could name', async (name) => {
    const w = await startWorld()
    const refused = await w.q('POST', '/aliases', { name, function_id: await w.saved() })
    expect([refused.status, refused.json.faultstring]).toEqual([400, expect.stringContaining('name')])
  })

  it('are made, listed, shown, changed and deleted by name', async () => {
    const w = await startWorld()
    const [one, other] = [await w.saved(), await w.saved()]
    const made = await w.q('POST', '/aliases', {
      name: 'to the db',
      function_id: one,
      function_version: 0,
      description: '',
    })
    expect([made.status, made.json]).toEqual([
      201,
      {
        ...{
          id: expect.any(String),
          name: 'to the db',
          function_id: one,
          function_version: 0,
          description: '',
        },
        ...{ project_id: 'p1', created_at: expect.any(String), updated_at: null },
      },
    ])
    const path = '/aliases/to%20the%20db'
    expect((await w.q('GET', path)).json).toEqual(made.json)
    expect((await w.q('GET', '/aliases')).json).toEqual({ function_aliases: [made.json] })
    const same = { function_id: null, function_version: null, description: null }
    expect((await w.q('PUT', path, same)).json).toEqual(made.json)
    const moved = await w.q('PUT', path, {
      ...same,
      function_id: other,
      function_version: '1',
      description: 'x',
    })
    expect([moved.status, moved.json]).toEqual([
      200,
      {
        ...made.json,
        function_id: other,
        function_version: 1,
        description: 'x',
        updated_at: expect.any(String),
      },
    ])
    expect((await w.q('DELETE', path)).status).toBe(204)
    expect((await w.q('GET', path)).status).toBe(404)
  })

  it('have names of their own in each project', async () => {
    const w = await startWorld()
    const function_id = await w.saved()
    expect((await w.q('POST', '/aliases', { name: 'a', function_id })).status).toBe(201)
    const twice = await w.q('POST', '/aliases', { name: 'a', function_id })
    expect([twice.status, twice.json.faultstring]).toEqual([409, expect.stringContaining('name')])
    const stranger = await w.token('operator', 'u2', 'p2')
    expect((await w.q('GET', '/aliases/a', undefined, stranger)).status).toBe(404)
    expect((await w.q('GET', '/aliases', undefined, stranger)).json).toEqual({ function_aliases: [] })
  })

  it.each([
    [{ function_id: noUuid }, 400, 'name'],
    [{ name: '', function_id: noUuid }, 400, 'name'],
    [{ name: 'a\nb', function_id: noUuid }, 400, 'name'],
    [{ name: '\ud800', function_id: noUuid }, 400, 'name'],
    [{ name: 'a' }, 400, 'function_id'],
    [{ name: 'a', function_id: 'x' }, 400, 'function_id'],
    [{ name: 'a', function_id: noUuid }, 404, 'function'],
    [{ name: 'a', function_id: noUuid, colour: 1 }, 400, 'colour'],
  ])('of %j are %i, naming %s', async (body, status, named) => {
    const w = await startWorld()
    const refused = await w.q('POST', '/aliases', body)
    expect([refused.status, refused.json.faultstring]).toEqual([status, expect.stringContaining(named)])
    expect((await w.q('GET', '/aliases')).json).toEqual({ function_aliases: [] })
  })

  it('to a version that there is not are refused', async () => {
    const w = await startWorld()
    const refused = await w.q('POST', '/aliases', {
      name: 'a',
      function_id: await w.saved(),
      function_version: 3,
    })
    expect([refused.status, refused.json.faultstring]).toEqual([404, expect.stringContaining('version 1')])
  })
})

describe('a job that follows an alias', () => {
  it('calls what it points to at each firing', async () => {
    const w = await startWorld()
    const [one, other] = [await w.saved(), await w.saved()]
    await w.q('POST', '/aliases', { name: 'a', function_id: one })
    const { id } = await w.job({ function_alias: 'a', function_id: null })
    await w.fire(id)
    await w.q('PUT', '/aliases/a', { function_id: other })
    await w.fire(id)
    expect(await w.firings(id)).toMatchObject([
      { function_alias: 'a', function_id: one },
      { function_alias: 'a', function_id: other },
    ])
  })

  it('moves to the client of what it points to', async () => {
    const w = await startWorld()
    const one = await w.saved({ firn: { client_id: 'n1' } })
    await w.enrolled('n2')
    const other = await w.saved({ firn: { client_id: 'n2' } })
    await w.q('POST', '/aliases', { name: 'a', function_id: one })
    const { id } = await w.job({ function_alias: 'a', function_id: null })
    await w.fire(id)
    await w.q('PUT', '/aliases/a', { function_id: other })
    await w.fire(id)
    const runs = [...w.context.state.where('run', 'job', `p1/${w.actionId(id)}`)]
    expect(runs.map(({ value }) => value.client)).toEqual(['n1', 'n2'])
    expect(w.context.state.get('job', 'p1', w.actionId(id))?.value.client).toBe('n2')
  })

  it('has a failed execution for each firing while there is none, each counted, and goes on', async () => {
    const w = await startWorld()
    const function_id = await w.saved()
    await w.q('POST', '/aliases', { name: 'a', function_id })
    const broken = await w.job({ function_alias: 'a', function_id: null, count: 5 })
    const other = await w.job()
    expect((await w.q('DELETE', '/aliases/a')).status).toBe(204)
    expect(await w.fire(broken.id)).toMatchObject({ status: 'running', count: 4 })
    await w.look(other.id)
    const [failed] = await w.firings(broken.id)
    expect(failed).toMatchObject({
      status: 'error',
      function_alias: 'a',
      function_id: null,
      description: `Created by Job ${broken.id}`,
    })
    expect(JSON.parse(failed.result)).toMatchObject({
      duration: 0,
      output: 'no alias a',
      reason: 'alias_missing',
    })
    expect(await w.firings(other.id)).toMatchObject([{ status: 'running' }])
    await w.q('POST', '/aliases', { name: 'a', function_id })
    expect(await w.fire(broken.id)).toMatchObject({ count: 3 })
    expect(await w.firings(broken.id)).toMatchObject([
      { status: 'error' },
      { status: 'success', function_id },
    ])
  })

  it('fails the same way where the function behind it, or the version that it wants, has gone', async () => {
    const w = await startWorld()
    const function_id = await w.saved()
    await w.q('POST', '/aliases', { name: 'a', function_id })
    const followed = await w.job({ function_alias: 'a', function_id: null })
    const pinned = await w.job({ function_id, function_version: 1 })
    const direct = await w.job({ function_id })
    await w.ask('PATCH', `/v1/actions/${w.actionId(function_id)}`, { max_retries: 2 })
    await w.fire(pinned.id)
    const [outdated] = await w.firings(pinned.id)
    expect(JSON.parse(outdated.result)).toMatchObject({ reason: 'version_missing' })
    expect(outdated).toMatchObject({ status: 'error', function_version: 1 })
    expect((await w.ask('DELETE', `/v1/actions/${w.actionId(function_id)}`)).status).toBe(204)
    for (const { id } of [followed, direct]) {
      await w.fire(id)
      const last = (await w.firings(id)).at(-1)
      expect(last.status).toBe('error')
      expect(JSON.parse(last.result).reason).toBe('function_missing')
    }
    expect((await w.q('GET', `/jobs/${direct.id}`)).json).toMatchObject({ function_id, status: 'running' })
  })

  it('fails the same way where the function has come to say nonsense of its client', async () => {
    const w = await startWorld()
    const { id, function_id } = await w.job()
    await w.ask('PATCH', `/v1/actions/${w.actionId(function_id)}`, { firn: { client_selector: {} } })
    await w.fire(id)
    const [failed] = await w.firings(id)
    expect(JSON.parse(failed.result)).toMatchObject({ reason: 'bad_call' })
  })
})
