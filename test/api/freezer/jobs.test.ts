import { describe, expect, it } from 'vitest'
import { byHand, smallJob, startApi } from '../harness.ts'

describe('creating a job', () => {
  it('gives it an id and shows it with its defaults', async () => {
    const { ask } = await startApi()
    const made = await ask('POST', '/v1/jobs', smallJob('n1', { description: 'etc' }))
    expect(made.status).toBe(201)
    expect(made.json).toEqual({ job_id: expect.stringMatching(/^[0-9a-f]{32}$/) })
    const shown = await ask('GET', `/v1/jobs/${made.json.job_id}`)
    expect(shown.status).toBe(200)
    expect(shown.json).toMatchObject({
      ...{ job_id: made.json.job_id, client_id: 'n1', description: 'etc', session_id: '', session_tag: 0 },
      ...{ user_id: 'u-admin', _version: 1 },
      job_schedule: { time_started: -1, time_ended: -1, event: '', status: '', result: '' },
    })
    expect(shown.json).not.toHaveProperty('project_id')
    const [action] = shown.json.job_actions
    expect(action).toMatchObject({ max_retries: 0, max_retries_interval: 60, mandatory: false })
    expect(action.freezer_action).toEqual({ action: 'exec', command: 'true' })
    expect((await ask('GET', `/v1/actions/${action.action_id}`)).json.freezer_action).toEqual(
      action.freezer_action,
    )
  })

  it.each([
    [{}, /'job_actions' is a required property|'client_id' is a required property/],
    [{ job_actions: [] }, /'client_id' is a required property/],
    [{ client_id: 'n1' }, /'job_actions' is a required property/],
    [{ ...smallJob('n1'), colour: 'red' }, /'colour' was unexpected/],
    [smallJob('bad host!'), /client_id/],
    [smallJob('n1', { description: 7 }), /description: 7 is not of type 'string'/],
    [smallJob('n1', { session_id: 'nowhere' }), /session_id: 'nowhere' is no session/],
    [smallJob('n1', { job_schedule: { event: 'jump' } }), /job_schedule.event: 'jump' is not one of/],
    [smallJob('n1', { job_schedule: { schedule_hour: 'banana' } }), /schedule_hour/],
    [smallJob('n1', { job_schedule: { schedule_date: '2030-02-31T00:00:00' } }), /schedule_date/],
    [smallJob('n1', { job_schedule: { time_started: true } }), /job_schedule.time_started/],
    [smallJob('n1', { job_actions: [{}] }), /job_actions.0.freezer_action/],
    [smallJob('n1', { job_actions: [{ freezer_action: {}, mandatory: 'yes' }] }), /job_actions.0.mandatory/],
    [smallJob('n1', { firn: { client_selector: {} } }), /firn.client_selector/],
    [smallJob('n1', { firn: { timezone: 'Mars/Base' } }), /timezone/],
    [[], /body: \[\] is not of type 'object'/],
    ['"x"', /body/],
    ['null', /body/],
  ])('refuses %j and stores nothing', async (document, told) => {
    const { ask } = await startApi()
    const refused = await ask('POST', '/v1/jobs', document)
    expect(refused.status).toBe(400)
    expect(refused.json.title).toBe('Bad request format')
    expect(refused.json.description).toMatch(told)
    expect((await ask('GET', '/v1/jobs')).json.jobs).toEqual([])
  })

  it('answers 753 to what is no JSON', async () => {
    const { ask } = await startApi()
    const refused = await ask('POST', '/v1/jobs', '{"client_id":')
    expect(refused.status).toBe(753)
    expect(refused.json).toEqual({ title: 'Malformed JSON', description: expect.any(String) })
  })

  it('under an id of the caller creates, and later replaces it whole', async () => {
    const { ask } = await startApi()
    const made = await ask('POST', '/v1/jobs/nightly', smallJob('n1', { description: 'first' }))
    expect([made.status, made.json]).toEqual([201, { job_id: 'nightly', version: 1 }])
    const again = await ask('POST', '/v1/jobs/nightly', smallJob('n2'))
    expect([again.status, again.json]).toEqual([201, { job_id: 'nightly', version: 2 }])
    expect((await ask('GET', '/v1/jobs/nightly')).json).toMatchObject({ client_id: 'n2', description: '' })
  })

  it('takes action_defaults into every action that lacks the key', async () => {
    const { ask } = await startApi()
    const job_actions = [{ freezer_action: { action: 'backup', mode: null } }]
    await ask('POST', '/v1/jobs/j', {
      ...smallJob('n1'),
      job_actions,
      action_defaults: { mode: 'fs', action: 'exec' },
    })
    const [action] = (await ask('GET', '/v1/jobs/j')).json.job_actions
    expect(action.freezer_action).toEqual({ action: 'backup', mode: 'fs' })
  })

  it('needs no client where a selector names labels', async () => {
    const { ask } = await startApi()
    const job = { job_actions: [], firn: { client_selector: { tier: 'web' } } }
    expect((await ask('POST', '/v1/jobs/j', job)).status).toBe(201)
    expect((await ask('GET', '/v1/jobs/j')).json.firn).toEqual(job.firn)
  })
})

describe('changing a job', () => {
  it('changes what is sent and nothing else', async () => {
    const { ask } = await startApi()
    const job_schedule = { schedule_interval: '5  days', schedule_start_date: '2031-01-01T00:00:00' }
    await ask('POST', '/v1/jobs/j', smallJob('n1', { job_schedule }))
    const changed = await ask('PATCH', '/v1/jobs/j', {
      description: 'x',
      job_schedule: { schedule_interval: '1 days' },
    })
    expect([changed.status, changed.json]).toEqual([200, { job_id: 'j', version: 2 }])
    const shown = (await ask('GET', '/v1/jobs/j')).json
    expect(shown).toMatchObject({ description: 'x', client_id: 'n1' })
    expect(shown.job_schedule).toMatchObject({ ...job_schedule, schedule_interval: '1 days' })
    expect(shown.job_actions).toHaveLength(1)
  })

  it('takes back the whole document that it showed', async () => {
    const { ask, enrolled } = await startApi()
    await enrolled('n1')
    await ask('POST', '/v1/jobs/j', smallJob('n1', { job_schedule: { schedule_interval: '1 days' } }))
    const shown = (await ask('GET', '/v1/jobs/j')).json
    expect((await ask('PATCH', '/v1/jobs/j', shown)).status).toBe(200)
    expect((await ask('GET', '/v1/jobs/j')).json).toEqual({ ...shown, _version: 2 })
  })

  it('does not move the next slot when nothing about the schedule changed', async () => {
    const { ask, enrolled, context, pass } = await startApi()
    await enrolled('n1')
    await ask('POST', '/v1/jobs/j', smallJob('n1', { job_schedule: { schedule_interval: '1 days' } }))
    const plan = context.state.get('job', 'p1', 'j')?.value.plan
    expect(plan?.next).toBeGreaterThan(0)
    pass(3_600_000)
    await ask('PATCH', '/v1/jobs/j', { description: 'x', job_schedule: { schedule_interval: '1 days' } })
    expect(context.state.get('job', 'p1', 'j')?.value.plan).toEqual(plan)
  })

  it("ignores the fields that are the server's", async () => {
    const { ask } = await startApi()
    await ask('POST', '/v1/jobs/j', smallJob('n1'))
    const stale = { job_id: 'k', user_id: 'x', project_id: 'p2', _version: 99 }
    expect((await ask('PATCH', '/v1/jobs/j', stale)).json).toEqual({ job_id: 'j', version: 2 })
    expect((await ask('GET', '/v1/jobs/j')).json.user_id).toBe('u-admin')
  })

  it('makes a new action of a changed one, so that other jobs keep theirs', async () => {
    const { ask } = await startApi()
    await ask('POST', '/v1/jobs/j', smallJob('n1'))
    const [action] = (await ask('GET', '/v1/jobs/j')).json.job_actions
    action.freezer_action.command = 'false'
    expect((await ask('PATCH', '/v1/jobs/j', { job_actions: [action] })).status).toBe(200)
    const [changed] = (await ask('GET', '/v1/jobs/j')).json.job_actions
    expect(changed.action_id).not.toBe(action.action_id)
    expect((await ask('GET', `/v1/actions/${action.action_id}`)).json.freezer_action.command).toBe('true')
  })

  it.each(['GET', 'PATCH', 'DELETE'])('%s of an unknown one is 404 with a body', async (method) => {
    const { ask } = await startApi()
    const answer = await ask(method, '/v1/jobs/nowhere', method === 'PATCH' ? {} : undefined)
    expect(answer.status).toBe(404)
    expect(answer.json).toEqual({ title: 'Not Found', description: expect.any(String) })
  })

  it('is over when it is deleted', async () => {
    const { ask } = await startApi()
    await ask('POST', '/v1/jobs/j', smallJob('n1'))
    const gone = await ask('DELETE', '/v1/jobs/j')
    expect([gone.status, gone.text]).toEqual([204, ''])
    expect((await ask('DELETE', '/v1/jobs/j')).status).toBe(404)
  })
})

describe('secrets of an action', () => {
  const withPassword = (ssh_password: string) =>
    smallJob('n1', {
      job_actions: [{ freezer_action: { action: 'backup', ssh_password, nested: { secret_key: 'k2' } } }],
    })

  it('are sealed in the store and masked wherever they are shown', async () => {
    const { ask, context } = await startApi()
    await ask('POST', '/v1/jobs/j', withPassword('hunter2'))
    const stored = JSON.stringify([...context.state.of('job', 'p1'), ...context.state.of('action', 'p1')])
    expect(stored).not.toContain('hunter2')
    const shown = await ask('GET', '/v1/jobs/j')
    expect(shown.json.job_actions[0].freezer_action).toMatchObject({
      ssh_password: '***',
      nested: { secret_key: '***' },
    })
    expect((await ask('GET', '/v1/jobs')).text + (await ask('GET', '/v1/actions')).text).not.toContain(
      'hunter2',
    )
    expect((await ask('GET', '/v1/jobs', { match: [{ ssh_password: 'hunter2' }] })).json.jobs).toEqual([])
  })

  it('are kept when the mask is sent back', async () => {
    const { ask, context } = await startApi()
    await ask('POST', '/v1/jobs/j', withPassword('hunter2'))
    const before = context.state.get('job', 'p1', 'j')?.value.actions
    const { job_actions } = (await ask('GET', '/v1/jobs/j')).json
    expect((await ask('PATCH', '/v1/jobs/j', { job_actions })).status).toBe(200)
    expect(context.state.get('job', 'p1', 'j')?.value.actions).toEqual(before)
  })

  it('cannot be made of the mask', async () => {
    const { ask } = await startApi()
    const refused = await ask('POST', '/v1/jobs/j', withPassword('***'))
    expect(refused.status).toBe(400)
    expect(refused.json.description).toContain('job_actions.0.freezer_action.ssh_password')
  })
})

describe('events of a job', () => {
  it('are stored for the scheduler of a client without an agent', async () => {
    const { ask } = await startApi()
    await ask('POST', '/v1/jobs/j', smallJob('old'))
    await ask('PATCH', '/v1/jobs/j', {
      job_schedule: { status: 'completed', result: 'success', time_ended: 5 },
    })
    const started = await ask('POST', '/v1/jobs/j/event', { start: null })
    expect([started.status, started.json]).toEqual([202, { result: 'success' }])
    expect((await ask('GET', '/v1/jobs/j')).json.job_schedule).toMatchObject({
      ...{ event: 'start', status: '', result: '', time_ended: 5 },
    })
    expect((await ask('POST', '/v1/jobs/j/event', { start: null })).json).toEqual({
      result: 'start already requested',
    })
  })

  it('act at once where an agent is, and leave no event behind', async () => {
    const { ask, enrolled, context } = await startApi()
    await enrolled('n1')
    await ask('POST', '/v1/jobs/j', smallJob('n1', { job_schedule: { schedule_interval: '1 days' } }))
    const schedule = async () => (await ask('GET', '/v1/jobs/j')).json.job_schedule
    expect(await schedule()).toMatchObject({ status: 'scheduled', event: '' })
    await ask('POST', '/v1/jobs/j/event', { stop: null })
    expect(await schedule()).toMatchObject({ status: 'stop', event: '' })
    expect(context.state.get('job', 'p1', 'j')?.value.plan.next).toBeUndefined()
    await ask('POST', '/v1/jobs/j/event', { start: null })
    expect(await schedule()).toMatchObject({ status: 'scheduled', event: '' })
    expect([...context.state.of('run', 'p1')]).toEqual([])
  })

  it('start runs a job without a trigger, once; abort cancels it, and it is over', async () => {
    const { ask, enrolled } = await startApi()
    await enrolled('n1')
    await ask('POST', '/v1/jobs/j', smallJob('n1', byHand))
    const standing = async () => (await ask('GET', '/v1/jobs/j')).json.job_schedule
    expect(await standing()).toMatchObject({ status: '', result: '' })
    await ask('POST', '/v1/jobs/j/event', { start: null })
    await ask('POST', '/v1/jobs/j/event', { start: null })
    expect(await standing()).toMatchObject({ status: 'running', result: '' })
    await ask('POST', '/v1/jobs/j/event', { abort: null })
    expect(await standing()).toMatchObject({ status: 'completed', result: 'aborted' })
    const { runs } = (await ask('GET', '/v1/runs?job_id=j')).json
    expect(runs).toMatchObject([{ state: 'finished', result: 'aborted' }])
  })

  it('stop lets what runs go on to its end, and the job is over then; one that does not run is stopped', async () => {
    const { ask, enrolled, pass } = await startApi()
    await enrolled('n1')
    await ask('POST', '/v1/jobs/j', smallJob('n1', byHand))
    const status = async () => (await ask('GET', '/v1/jobs/j')).json.job_schedule.status
    await ask('POST', '/v1/jobs/j/event', { stop: null })
    expect(await status()).toBe('stop')
    pass(1_000)
    await ask('POST', '/v1/jobs/j/event', { start: null })
    await ask('POST', '/v1/jobs/j/event', { stop: null })
    expect(await status()).toBe('running')
    pass(1_000)
    const [run] = (await ask('GET', '/v1/runs?job_id=j')).json.runs
    await ask('POST', `/v1/runs/${run.run_id}/cancel`)
    expect(await status()).toBe('completed')
  })

  it.each([{}, { jump: 1 }, { start: 1, stop: 1 }])('refuses %j', async (body) => {
    const { ask } = await startApi()
    await ask('POST', '/v1/jobs/j', smallJob('n1'))
    expect((await ask('POST', '/v1/jobs/j/event', body)).status).toBe(400)
  })
})

describe.each(['stop', 'abort'])('a job created with the event %s', (event) => {
  it.each([{ schedule_interval: '1 days' }, {}])(
    'and the schedule %j is created stopped',
    async (schedule) => {
      const { ask, enrolled, context } = await startApi()
      await enrolled('n1')
      const job_schedule = { event, ...schedule }
      await ask('POST', '/v1/jobs/j', smallJob('n1', { job_schedule }))
      expect((await ask('GET', '/v1/jobs/j')).json.job_schedule).toMatchObject({ status: 'stop', event: '' })
      expect(context.state.get('job', 'p1', 'j')?.value.plan.next).toBeUndefined()
    },
  )
})
