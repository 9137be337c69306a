import { describe, expect, it } from 'vitest'
import { smallJob, startApi, type Api } from '../harness.ts'

const withJobs = async (api: Api, ...clients: string[]) => {
  await api.ask('POST', '/v1/sessions/s', { schedule: {}, session_tag: 0, hold_off: 60, team: 'web' })
  for (const client of clients) {
    await api.ask('POST', `/v1/jobs/j-${client}`, smallJob(client))
    expect((await api.ask('PUT', `/v1/sessions/s/jobs/j-${client}`)).status).toBe(204)
  }
}
const session = async (api: Api) => (await api.ask('GET', '/v1/sessions/s')).json
const job = async (api: Api, id: string) => (await api.ask('GET', `/v1/jobs/${id}`)).json

describe('a session', () => {
  it('is created empty, and keeps the keys that it does not know', async () => {
    const { ask } = await startApi()
    const made = await ask('POST', '/v1/sessions', {
      schedule: { schedule_interval: '1 days' },
      colour: 'red',
    })
    expect([made.status, Object.keys(made.json)]).toEqual([201, ['session_id']])
    expect((await ask('GET', `/v1/sessions/${made.json.session_id}`)).json).toMatchObject({
      ...{
        status: 'active',
        result: '',
        session_tag: 0,
        hold_off: 30,
        jobs: {},
        colour: 'red',
        time_start: -1,
      },
      schedule: { schedule_interval: '1 days' },
    })
  })

  it.each([
    [{}, /'schedule' is a required property/],
    [{ schedule: { colour: 'red' } }, /schedule.colour/],
    [{ schedule: {}, hold_off: -1 }, /hold_off/],
    [{ schedule: {}, hold_off: '5' }, /hold_off/],
    [{ schedule: { schedule_interval: 'often' } }, /schedule_interval/],
    [{ schedule: {}, event: 'jump' }, /event/],
  ])('refuses %j', async (document, told) => {
    const { ask } = await startApi()
    const refused = await ask('POST', '/v1/sessions', document)
    expect([refused.status, refused.json.description]).toEqual([400, expect.stringMatching(told)])
    expect((await ask('GET', '/v1/sessions')).json.sessions).toEqual([])
  })

  it('takes the interval at the top level, spelt in both ways', async () => {
    const { ask } = await startApi()
    for (const key of ['schedule_interval', 'schedule_internval']) {
      const { json } = await ask('POST', '/v1/sessions', { [key]: '2 hours' })
      const shown = (await ask('GET', `/v1/sessions/${json.session_id}`)).json
      expect(shown.schedule).toEqual({ schedule_interval: '2 hours' })
    }
  })

  it('is bounded, however it grows', async () => {
    const { ask } = await startApi()
    const half = 'x'.repeat(140_000)
    await ask('POST', '/v1/sessions/s', { schedule: {}, a: half })
    for (const [method, path, sent] of [
      ['PATCH', '/v1/sessions/s', { b: half }],
      ['POST', '/v1/sessions/s', { schedule: {}, a: half, b: half }],
      ['POST', '/v1/sessions', { schedule: {}, a: half, b: half }],
    ] as const)
      expect(await ask(method, path, sent)).toMatchObject({ status: 413, json: { title: 'Too much' } })
    expect((await ask('GET', '/v1/sessions/s')).json).toMatchObject({ a: half, _version: 1 })
  })

  it.each(['PATCH', 'POST'])('acts on an event that comes by %s', async (method) => {
    const api = await startApi()
    await api.enrolled('n1')
    await withJobs(api, 'n1')
    const send = (event: string) => api.ask(method, '/v1/sessions/s', { schedule: {}, event })
    expect((await send('start')).status).toBeLessThan(300)
    expect(await session(api)).toMatchObject({ session_tag: 1, status: 'running' })
    expect((await send('abort')).status).toBeLessThan(300)
    expect((await api.ask('GET', '/v1/sets/s/1')).json).toMatchObject({ phase: 'cancelling' })
  })

  it('is changed at both of its published paths', async () => {
    const { ask } = await startApi()
    await ask('POST', '/v1/sessions/s', { schedule: {}, session_tag: 0 })
    expect((await ask('PATCH', '/v1/sessions/s', { hold_off: 5 })).json).toEqual({
      session_id: 's',
      version: 2,
    })
    const other = await ask('PATCH', '/v1/sessions', { session_id: 's', description: 'web' })
    expect([other.status, other.json]).toEqual([200, { session_id: 's', version: 3 }])
    expect((await ask('GET', '/v1/sessions/s')).json).toMatchObject({ hold_off: 5, description: 'web' })
  })
})

describe('the jobs of a session', () => {
  it('get its tag and schedule, and do not fire by themselves', async () => {
    const api = await startApi()
    await api.enrolled('n1')
    await api.ask('POST', '/v1/sessions/s', { schedule: { schedule_interval: '2 hours' }, session_tag: 7 })
    await api.ask('POST', '/v1/jobs/j', smallJob('n1', { job_schedule: { schedule_interval: '1 days' } }))
    await api.ask('PUT', '/v1/sessions/s/jobs/j')
    expect(await job(api, 'j')).toMatchObject({
      session_id: 's',
      session_tag: 7,
      job_schedule: { schedule_interval: '2 hours' },
    })
    expect(api.context.state.get('job', 'p1', 'j')?.value.plan.next).toBeUndefined()
    expect(api.context.state.get('session', 'p1', 's')?.value.plan.next).toBeGreaterThan(0)
    expect((await session(api)).jobs.j).toMatchObject({ client_id: 'n1', status: '' })
  })

  it('get a changed schedule of it, too', async () => {
    const api = await startApi()
    await withJobs(api, 'a', 'b')
    await api.ask('PATCH', '/v1/sessions/s', { schedule: { schedule_interval: '3 hours' } })
    expect((await job(api, 'j-a')).job_schedule.schedule_interval).toBe('3 hours')
    expect((await job(api, 'j-b')).job_schedule.schedule_interval).toBe('3 hours')
  })

  it('belong to one session only', async () => {
    const api = await startApi()
    await withJobs(api, 'a')
    await api.ask('POST', '/v1/sessions/t', { schedule: {} })
    await api.ask('PUT', '/v1/sessions/t/jobs/j-a')
    expect((await session(api)).jobs).toEqual({})
    expect((await job(api, 'j-a')).session_id).toBe('t')
  })

  it('leave it stopped, whether they are removed or it is deleted', async () => {
    const api = await startApi()
    await withJobs(api, 'a', 'b')
    expect((await api.ask('DELETE', '/v1/sessions/s/jobs/j-a')).status).toBe(204)
    expect((await api.ask('DELETE', '/v1/sessions/s/jobs/j-a')).status).toBe(204)
    expect((await api.ask('DELETE', '/v1/sessions/s/jobs/nowhere')).status).toBe(404)
    expect(await job(api, 'j-a')).toMatchObject({
      session_id: '',
      session_tag: 0,
      job_schedule: { event: 'stop' },
    })
    expect((await api.ask('DELETE', '/v1/sessions/s')).status).toBe(204)
    expect(await job(api, 'j-b')).toMatchObject({ session_id: '', job_schedule: { event: 'stop' } })
  })

  it('are not in it any more when they are deleted', async () => {
    const api = await startApi()
    await withJobs(api, 'a')
    await api.ask('DELETE', '/v1/jobs/j-a')
    expect((await session(api)).jobs).toEqual({})
  })

  it('may be members from their creation, as if they had been added then', async () => {
    const api = await startApi()
    const schedule = { schedule_hour: '3' }
    await api.ask('POST', '/v1/sessions/s', { schedule, session_tag: 7 })
    const job_schedule = { status: 'completed', result: 'success' }
    for (const client of ['a', 'n1']) {
      if (client === 'n1') await api.enrolled('n1')
      const stale = { session_id: 's', session_tag: 3, job_schedule }
      await api.ask('POST', `/v1/jobs/${client}`, smallJob(client, stale))
      expect(await job(api, client)).toMatchObject({ session_tag: 7, job_schedule: schedule })
    }
    expect((await session(api)).jobs).toMatchObject({ a: job_schedule, n1: { status: '', result: '' } })
    // With the session's tag its scheduler is not out of sync for ever.
    const start = { job_id: 'a', current_tag: 7 }
    expect((await api.ask('POST', '/v1/sessions/s/action', { start })).json).toEqual({
      ...{ result: 'success', session_tag: 8 },
    })
  })

  it('lose of the schedule what their session has lost, and keep what is their own', async () => {
    const api = await startApi()
    await api.ask('POST', '/v1/sessions/s', { schedule: { schedule_interval: '1 days' } })
    const own = { schedule_start_date: '2031-01-01T00:00:00' }
    await api.ask('POST', '/v1/jobs/j', smallJob('a', { job_schedule: own }))
    await api.ask('PUT', '/v1/sessions/s/jobs/j')
    for (const [method, sent] of [
      ['PATCH', { schedule: { schedule_interval: null, schedule_hour: '3' } }],
      ['POST', { schedule: { schedule_minute: '5' } }],
    ] as const) {
      await api.ask(method, '/v1/sessions/s', sent)
      const { schedule } = await session(api)
      const { job_schedule } = await job(api, 'j')
      const triggers = Object.entries(job_schedule).filter(([key]) => key.startsWith('schedule_'))
      expect(Object.fromEntries(triggers)).toEqual({ ...own, ...schedule })
    }
  })

  it.each([
    ['an end before their beginning', { schedule_end_date: '2030-01-01T00:00:00', schedule_hour: '3' }],
    ['a month that lacks their day', { schedule_month: '2' }],
  ])('do not get stuck by a session with %s', async (_what, schedule) => {
    const api = await startApi()
    await api.enrolled('n1')
    await api.ask('POST', '/v1/sessions/s', { schedule: {} })
    const job_schedule = { schedule_day: '31', schedule_start_date: '2031-01-01T00:00:00' }
    for (const client of ['a', 'n1']) {
      await api.ask('POST', `/v1/jobs/${client}`, smallJob(client, { job_schedule }))
      await api.ask('POST', `/v1/jobs/late-${client}`, smallJob(client, { job_schedule }))
      expect((await api.ask('PUT', `/v1/sessions/s/jobs/${client}`)).status).toBe(204)
    }
    expect((await api.ask('PATCH', '/v1/sessions/s', { schedule })).status).toBe(200)
    for (const client of ['a', 'n1']) {
      expect((await api.ask('PUT', `/v1/sessions/s/jobs/late-${client}`)).status).toBe(204)
      const shown = await job(api, client)
      expect(shown.job_schedule).toMatchObject(schedule)
      expect((await api.ask('PATCH', `/v1/jobs/${client}`, shown)).status).toBe(200)
      expect((await api.ask('DELETE', `/v1/sessions/s/jobs/${client}`)).status).toBe(204)
    }
    expect((await api.ask('DELETE', '/v1/sessions/s')).status).toBe(204)
  })

  it('are all there after many were added and removed at once', async () => {
    const api = await startApi()
    await withJobs(api)
    const ids = Array.from({ length: 8 }, (_, index) => `j${index}`)
    for (const id of ids) await api.ask('POST', `/v1/jobs/${id}`, smallJob('a'))
    const added = await Promise.all(ids.map((id) => api.ask('PUT', `/v1/sessions/s/jobs/${id}`)))
    expect(added.map(({ status }) => status)).toEqual(ids.map(() => 204))
    expect(Object.keys((await session(api)).jobs).toSorted()).toEqual(ids)
    await Promise.all(ids.slice(0, 4).map((id) => api.ask('DELETE', `/v1/sessions/s/jobs/${id}`)))
    expect(Object.keys((await session(api)).jobs).toSorted()).toEqual(ids.slice(4))
  })

  it('are all set free when a session of hundreds is deleted', async () => {
    const api = await startApi()
    await withJobs(api)
    const ids = Array.from({ length: 120 }, (_, index) => `j${index}`)
    for (const id of ids) await api.ask('POST', `/v1/jobs/${id}`, smallJob('a', { session_id: 's' }))
    expect((await api.ask('DELETE', '/v1/sessions/s')).status).toBe(204)
    for (const id of ids) expect((await job(api, id)).session_id).toBe('')
  })
})

// Contract 9: what the schedulers of clients without an agent say.
describe('a round of schedulers', () => {
  const start = async (api: Api, client: string, current_tag: number | string) =>
    (await api.ask('POST', '/v1/sessions/s/action', { start: { job_id: `j-${client}`, current_tag } })).json
  const end = async (api: Api, client: string, current_tag: number, result = 'success') =>
    (await api.ask('POST', '/v1/sessions/s/actions', { end: { job_id: `j-${client}`, current_tag, result } }))
      .json

  it('is opened by the first, joined by the others, and over when all have ended', async () => {
    const api = await startApi()
    await withJobs(api, 'a', 'b')
    expect(await start(api, 'a', '0')).toEqual({ result: 'success', session_tag: 1 })
    expect(await start(api, 'b', 0)).toEqual({ result: 'success', session_tag: 1 })
    expect(await session(api)).toMatchObject({
      status: 'running',
      session_tag: 1,
      jobs: { 'j-a': { status: 'running' } },
    })
    expect(await end(api, 'a', 1)).toEqual({ result: 'success', session_tag: 1 })
    expect((await session(api)).status).toBe('running')
    await end(api, 'b', 1, 'fail')
    expect(await session(api)).toMatchObject({ status: 'completed', result: 'fail' })
  })

  it('holds off those that want another too early, and leaves behind those that come too late', async () => {
    const api = await startApi()
    await withJobs(api, 'a', 'b')
    await start(api, 'a', 0)
    expect(await start(api, 'a', 1)).toEqual({ result: 'hold-off', session_tag: 1 })
    api.pass(61_000)
    expect(await start(api, 'b', 0)).toEqual({ result: 'out-of-sync', session_tag: 1 })
    expect(await start(api, 'a', 1)).toEqual({ result: 'success', session_tag: 2 })
    expect((await session(api)).jobs['j-b']).toMatchObject({ status: '', result: '' })
  })

  it('does not end by the end of an older one', async () => {
    const api = await startApi()
    await withJobs(api, 'a')
    await start(api, 'a', 0)
    await end(api, 'a', 1)
    api.pass(61_000)
    await start(api, 'a', 1)
    await end(api, 'a', 1)
    expect(await session(api)).toMatchObject({ status: 'running', session_tag: 2 })
  })

  it('is opened once, however many ask at once', async () => {
    const api = await startApi()
    const clients = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
    await withJobs(api, ...clients)
    for (let round = 0; round < 5; round++) {
      const answers = await Promise.all(clients.map((client) => start(api, client, round)))
      expect(answers).toEqual(clients.map(() => ({ result: 'success', session_tag: round + 1 })))
      await Promise.all(clients.map((client) => end(api, client, round + 1)))
      expect(await session(api)).toMatchObject({ status: 'completed', result: 'success' })
      api.pass(61_000)
    }
  })

  it.each([
    [{ start: { job_id: 'j-a', current_tag: 9 } }, 400],
    [{ start: { job_id: 'stranger', current_tag: 0 } }, 400],
    [{ start: { job_id: 'j-a' } }, 400],
    [{ end: { job_id: 'j-a', current_tag: 0 } }, 400],
    [{}, 400],
    [{ jump: {} }, 405],
  ])('refuses %j', async (body, status) => {
    const api = await startApi()
    await withJobs(api, 'a')
    expect((await api.ask('POST', '/v1/sessions/s/action', body)).status).toBe(status)
  })

  it('starts the members that have agents, too', async () => {
    const api = await startApi()
    await api.enrolled('n1')
    await withJobs(api, 'n1', 'old')
    expect(await start(api, 'old', 0)).toEqual({ result: 'success', session_tag: 1 })
    const { sets } = (await api.ask('GET', '/v1/sets?session_id=s')).json
    expect(sets).toMatchObject([
      { tag: 1, phase: 'preparing', members: [{ client_id: 'n1', state: 'waiting' }] },
    ])
    expect(await session(api)).toMatchObject({
      status: 'running',
      jobs: { 'j-old': { status: 'running' }, 'j-n1': { status: 'running' } },
    })
  })
})

describe('starting a session by its native path', () => {
  it('goes on counting where an earlier session of this id ended', async () => {
    const api = await startApi()
    await api.enrolled('n1')
    await withJobs(api, 'n1')
    expect((await api.ask('POST', '/v1/sessions/s/start', {})).json.tag).toBe(1)
    expect((await api.ask('DELETE', '/v1/sessions/s')).status).toBe(204)
    await withJobs(api, 'n1')
    // Its sets are kept: a second set 1 could not be made.
    expect(await session(api)).toMatchObject({ session_tag: 1 })
  })

  it('gives a set, and the same one for the same key', async () => {
    const api = await startApi()
    await api.enrolled('n1')
    await withJobs(api, 'n1')
    const key = { 'idempotency-key': 'k1' }
    const first = await api.ask('POST', '/v1/sessions/s/start', {}, undefined, key)
    expect([first.status, first.json.tag]).toEqual([202, 1])
    expect((await api.ask('POST', '/v1/sessions/s/start', {}, undefined, key)).json).toEqual(first.json)
    const early = await api.ask('POST', '/v1/sessions/s/start', {})
    expect(early.status).toBe(409)
    expect(Number(early.headers.get('retry-after'))).toBeGreaterThan(50)
    expect(early.json).toMatchObject({ status: 409, code: 'busy' })
    expect((await api.ask('POST', '/v1/sets/s/1/cancel', {})).json).toMatchObject({ phase: 'cancelling' })
  })
})
