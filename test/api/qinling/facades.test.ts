import { describe, expect, it } from 'vitest'
import { startWorld, time, type World } from './world.ts'

const cron = (more: object = {}) => ({
  client_id: 'n1',
  description: 'nightly',
  job_actions: [{ freezer_action: { action: 'exec', command: 'true' } }],
  job_schedule: { schedule_hour: '3', schedule_minute: '30' },
  ...more,
})

async function freezerJob(w: World, more: object = {}): Promise<{ id: string; uuid: string }> {
  const { job_id: id } = (await w.ask('POST', '/v1/jobs', cron(more))).json
  const { jobs } = (await w.q('GET', '/jobs')).json
  return { id, uuid: jobs.at(-1)?.id }
}

describe('a job made through Qinling', () => {
  it('is seen through Freezer, with what it calls, and sent back whole it stays as it is', async () => {
    const w = await startWorld()
    const made = await w.job({ name: 'dump', count: 3, first_execution_time: '2099-01-01T00:00:00Z' })
    const path = `/v1/jobs/${w.actionId(made.id)}`
    const shown = (await w.ask('GET', path)).json
    expect(shown).toMatchObject({
      ...{ client_id: 'n1', description: 'dump', firn: { pattern: '30 2 * * *', count: 3 } },
      job_schedule: { status: 'scheduled', schedule_start_date: '2099-01-01T00:00:00' },
      job_actions: [
        { action_id: w.actionId(made.function_id), freezer_action: { action: 'exec', command: 'true' } },
      ],
    })
    expect((await w.ask('PATCH', path, shown)).status).toBe(200)
    expect((await w.ask('POST', path, shown)).status).toBe(201)
    expect((await w.q('GET', `/jobs/${made.id}`)).json).toEqual({ ...made, updated_at: expect.any(String) })
  })

  it('is stopped and started through Freezer, and its runs are the same runs', async () => {
    const w = await startWorld()
    const { id } = await w.job({ count: 4 })
    const freezer = `/v1/jobs/${w.actionId(id)}`
    await w.fire(id)
    await w.ask('POST', `${freezer}/event`, { stop: null })
    expect((await w.q('GET', `/jobs/${id}`)).json).toMatchObject({ status: 'paused', count: 3 })
    expect((await w.ask('GET', freezer)).json.job_schedule.status).toBe('stop')
    await w.ask('POST', `${freezer}/event`, { start: null })
    expect((await w.q('GET', `/jobs/${id}`)).json).toMatchObject({ status: 'running', count: 3 })
    const now = await w.ask('POST', '/v1/runs', { job_id: w.actionId(id) })
    expect(now.status).toBe(202)
    await w.endRuns()
    const { runs } = (await w.ask('GET', `/v1/runs?job_id=${w.actionId(id)}`)).json
    const firings = await w.firings(id)
    expect(firings.map((one) => w.actionId(one.id)).toSorted()).toEqual(
      runs.map(({ run_id }: { run_id: string }) => run_id).toSorted(),
    )
    expect(firings).toHaveLength(2)
    expect((await w.q('GET', `/jobs/${id}`)).json.count).toBe(3)
  })

  it('keeps to the action that it calls', async () => {
    const w = await startWorld()
    const { id } = await w.job()
    const refused = await w.ask('PATCH', `/v1/jobs/${w.actionId(id)}`, {
      job_actions: [{ freezer_action: { action: 'exec', command: 'false' } }],
    })
    expect([refused.status, refused.json.description]).toEqual([400, expect.stringContaining('job_actions')])
  })

  it('that is cancelled does not start again through Freezer', async () => {
    const w = await startWorld()
    const { id } = await w.job()
    await w.q('PUT', `/jobs/${id}`, { status: 'cancelled' })
    const path = `/v1/jobs/${w.actionId(id)}`
    expect((await w.ask('POST', `${path}/event`, { start: null })).status).toBe(409)
    await w.ask('POST', `${path}/event`, { stop: null })
    expect((await w.ask('GET', path)).json.job_schedule.status).toBe('stop')
    expect((await w.q('GET', `/jobs/${id}`)).json.status).toBe('cancelled')
  })

  it('is deleted through Freezer', async () => {
    const w = await startWorld()
    const { id } = await w.job()
    expect((await w.ask('DELETE', `/v1/jobs/${w.actionId(id)}`)).status).toBe(204)
    expect((await w.q('GET', `/jobs/${id}`)).status).toBe(404)
  })

  it('joins a session with its pattern, waits for it there, and fires by itself again when it has left and is started', async () => {
    const w = await startWorld()
    const { id } = await w.job()
    const job = w.actionId(id)
    const document = { description: '', schedule: { schedule_hour: '5' }, hold_off: 0 }
    await w.ask('POST', '/v1/sessions/s', document)
    expect((await w.ask('PUT', `/v1/sessions/s/jobs/${job}`)).status).toBe(204)
    expect((await w.q('GET', `/jobs/${id}`)).json).toMatchObject({ status: 'paused', pattern: '30 2 * * *' })
    expect((await w.q('PUT', `/jobs/${id}`, { status: 'running' })).json.faultstring).toContain('session')
    expect((await w.ask('PATCH', `/v1/jobs/${job}`, { description: 'x' })).status).toBe(200)
    expect((await w.ask('PATCH', '/v1/sessions/s', { schedule: { schedule_hour: '6' } })).status).toBe(200)
    expect((await w.ask('DELETE', `/v1/sessions/s/jobs/${job}`)).status).toBe(204)
    await w.ask('POST', `/v1/jobs/${job}/event`, { start: null })
    expect((await w.q('GET', `/jobs/${id}`)).json).toMatchObject({ status: 'running', pattern: '30 2 * * *' })
  })
})

describe('a job made through Freezer', () => {
  it('whose fields a cron pattern expresses is seen through Qinling', async () => {
    const w = await startWorld()
    w.until('2027-01-15T10:00:00Z')
    const { uuid } = await freezerJob(w)
    const { job_actions } = (await w.ask('GET', `/v1/jobs/${w.actionId(uuid)}`)).json
    expect((await w.q('GET', `/jobs/${uuid}`)).json).toMatchObject({
      ...{ name: 'nightly', pattern: '30 3 * * *', count: null, status: 'running', function_input: null },
      ...{ first_execution_time: '2027-01-16T03:30:00Z', next_execution_time: '2027-01-16T03:30:00Z' },
      ...{ function_alias: null, function_version: 0 },
    })
    const { function_id } = (await w.q('GET', `/jobs/${uuid}`)).json
    expect(w.actionId(function_id)).toBe(job_actions[0].action_id)
    expect((await w.q('GET', `/functions/${function_id}`)).status).toBe(200)
  })

  it('is paused, resumed, given another pattern and time, and fires by them', async () => {
    const w = await startWorld()
    w.until('2027-01-15T10:00:00Z')
    const { uuid } = await freezerJob(w)
    const freezer = `/v1/jobs/${w.actionId(uuid)}`
    expect((await w.q('PUT', `/jobs/${uuid}`, { status: 'paused' })).json.status).toBe('paused')
    expect((await w.ask('GET', freezer)).json.job_schedule.status).toBe('stop')
    w.pass(5 * 86_400_000)
    expect((await w.q('PUT', `/jobs/${uuid}`, { status: 'running' })).json.next_execution_time).toBe(
      '2027-01-21T03:30:00Z',
    )
    expect((await w.ask('GET', freezer)).json.job_schedule.status).toBe('scheduled')
    await w.fire(uuid)
    await w.q('PUT', `/jobs/${uuid}`, { next_execution_time: '2027-01-21T09:00:00Z' })
    expect((await w.fire(uuid)).next_execution_time).toBe('2027-01-22T03:30:00Z')
    const changed = (await w.q('PUT', `/jobs/${uuid}`, { pattern: '@hourly' })).json
    expect(changed).toMatchObject({ pattern: '@hourly', next_execution_time: '2027-01-21T10:00:00Z' })
    const shown = (await w.ask('GET', freezer)).json
    expect(shown.firn).toEqual({ pattern: '@hourly' })
    expect(shown.job_schedule).not.toHaveProperty('schedule_hour')
    await w.fire(uuid)
    expect(await w.firings(uuid)).toHaveLength(3)
  })

  it('leaves its executions when it is deleted', async () => {
    const w = await startWorld()
    const { uuid } = await freezerJob(w)
    await w.fire(uuid)
    const before = await w.firings(uuid)
    expect(before).toHaveLength(1)
    expect((await w.q('DELETE', `/jobs/${uuid}`)).status).toBe(204)
    expect(await w.firings(uuid)).toEqual(before)
    expect((await w.q('GET', `/executions/${before[0].id}`)).json).toEqual(before[0])
  })

  it('at one date is a job that runs once', async () => {
    const w = await startWorld()
    const at = time(w.now() + 3_600_000)
    const { uuid } = await freezerJob(w, { job_schedule: { schedule_date: at.slice(0, 19) } })
    expect((await w.q('GET', `/jobs/${uuid}`)).json).toMatchObject({
      ...{ pattern: null, count: 1, first_execution_time: at, next_execution_time: at, status: 'running' },
    })
    expect(await w.fire(uuid)).toMatchObject({ status: 'done', count: 0, next_execution_time: at })
    expect(await w.firings(uuid)).toMatchObject([
      { status: 'success', description: `Created by Job ${uuid}` },
    ])
  })

  it('with a pattern and a count among its extensions is counted', async () => {
    const w = await startWorld()
    const { uuid, id } = await freezerJob(w, { job_schedule: {}, firn: { pattern: '*/5 * * * *', count: 2 } })
    expect((await w.q('GET', `/jobs/${uuid}`)).json).toMatchObject({ pattern: '*/5 * * * *', count: 2 })
    await w.fire(uuid)
    expect((await w.q('GET', `/jobs/${uuid}`)).json.count).toBe(1)
    await w.ask('PATCH', `/v1/jobs/${id}`, { description: 'x' })
    expect((await w.q('GET', `/jobs/${uuid}`)).json.count).toBe(1)
    expect(await w.fire(uuid)).toMatchObject({ count: 0, status: 'done' })
    expect((await w.ask('GET', `/v1/jobs/${id}`)).json.job_schedule.status).toBe('completed')
    await w.ask('PATCH', `/v1/jobs/${id}`, { firn: { count: 4 } })
    expect((await w.q('GET', `/jobs/${uuid}`)).json).toMatchObject({ count: 4, status: 'running' })
  })

  it.each([
    [{ schedule_hour: '3' }, 'schedule_hour'],
    [{ schedule_interval: '1 days' }, 'schedule_interval'],
    [{ schedule_date: '2099-01-01T00:00:00' }, 'schedule_date'],
  ])('cannot have a pattern beside %j', async (job_schedule, field) => {
    const w = await startWorld()
    const refused = await w.ask('POST', '/v1/jobs', cron({ job_schedule, firn: { pattern: '@daily' } }))
    expect([refused.status, refused.json.description]).toEqual([400, expect.stringContaining(field)])
  })

  it.each([
    [{ pattern: '0 0 31 2 *' }, 'firn.pattern'],
    [{ pattern: 'often' }, 'firn.pattern'],
    [{ pattern: '@daily', count: 0 }, 'firn.count'],
    [{ count: 2 }, 'firn.count'],
  ])('cannot have %j', async (firn, field) => {
    const w = await startWorld()
    const refused = await w.ask('POST', '/v1/jobs', cron({ job_schedule: {}, firn }))
    expect([refused.status, refused.json.description]).toEqual([400, expect.stringContaining(field)])
  })

  it('has actions of its own, which take no input', async () => {
    const w = await startWorld()
    const { uuid } = await freezerJob(w)
    const refused = await w.q('PUT', `/jobs/${uuid}`, { function_input: 'x' })
    expect([refused.status, refused.json.faultstring]).toEqual([
      400,
      expect.stringContaining('function_input'),
    ])
    expect((await w.q('PUT', `/jobs/${uuid}`, { name: 'renamed' })).json.name).toBe('renamed')
  })

  it('of a client without an agent is not Qinling’s: its own scheduler says when it fires', async () => {
    const w = await startWorld()
    await freezerJob(w, { client_id: 'elsewhere' })
    expect((await w.q('GET', '/jobs')).json.jobs).toEqual([])
  })
})

describe('a session with a pattern and a count', () => {
  it('is counted by its starts, not by slots that are passed over', async () => {
    const w = await startWorld()
    w.until('2027-01-15T10:00:00Z')
    const { id } = await freezerJob(w, { job_schedule: {} })
    const firn = { pattern: '30 2 * * *', count: 2 }
    await w.ask('POST', '/v1/sessions/s', { description: '', schedule: {}, hold_off: 0, firn })
    await w.ask('PUT', `/v1/sessions/s/jobs/${id}`)
    const plan = () => w.context.state.get('session', 'p1', 's')?.value.plan
    expect(plan()).toMatchObject({ left: 2, next: Date.parse('2027-01-16T02:30:00Z') })
    w.until('2027-01-16T02:30:00Z')
    await w.lookAtSession('s')
    expect(plan()).toMatchObject({ left: 1, next: Date.parse('2027-01-17T02:30:00Z') })
    w.until('2027-01-17T02:30:00Z')
    await w.lookAtSession('s')
    expect(plan()).toMatchObject({ left: 1, skips: [{ reason: 'overlap' }] })
  })
})

it('a secret that an input masks stays the action’s', async () => {
  const w = await startWorld()
  const freezer_action = { action: 'exec', command: 'true', ssh_password: 'hush' }
  const function_id = await w.saved({ freezer_action })
  const { id } = await w.job({ function_id, function_input: '{"ssh_password": "***", "command": "false"}' })
  expect(await w.fire(id)).toMatchObject({ status: 'running' })
  const [run] = [...w.context.state.where('run', 'job', `p1/${w.actionId(id)}`)]
  expect(run?.value.tasks).toMatchObject([{ action: { commands: [['false']] } }])
  expect((await w.q('GET', '/jobs')).text + (await w.q('GET', '/executions')).text).not.toContain('hush')
})
