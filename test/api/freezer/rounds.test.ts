// Events of jobs, and rounds of sessions whose clients have schedulers of their own.
import { describe, expect, it } from 'vitest'
import { smallJob, startApi, type Loose } from '../harness.ts'

describe('an event of a job of a client without an agent', () => {
  it.each(['start', 'stop', 'abort'])(
    '%s is stored for its scheduler, and told when it was already',
    async (event) => {
      const { ask } = await startApi()
      const report = { status: 'running', result: 'fail', time_started: 3, time_ended: 4, current_pid: 5 }
      await ask('POST', '/v1/jobs/j', smallJob('old'))
      await ask('PATCH', '/v1/jobs/j', { job_schedule: report })
      const before = (await ask('GET', '/v1/jobs/j')).json
      expect(await ask('POST', '/v1/jobs/j/event', { [event]: null })).toMatchObject({
        status: 202,
        json: { result: 'success' },
      })
      const cleared = event === 'start' ? { status: '', result: '' } : {}
      expect((await ask('GET', '/v1/jobs/j')).json).toEqual({
        ...before,
        job_schedule: { ...before.job_schedule, event, ...cleared },
        _version: 3,
      })
      expect(await ask('POST', '/v1/jobs/j/event', { [event]: 'again' })).toMatchObject({
        status: 202,
        json: { result: `${event} already requested` },
      })
      // Its scheduler has done it.
      await ask('PATCH', '/v1/jobs/j', { job_schedule: { event: '' } })
      expect((await ask('POST', '/v1/jobs/j/event', { [event]: {} })).json).toEqual({ result: 'success' })
    },
  )

  it.each([{}, { jump: null }, { start: null, stop: null }, { remove: null }])(
    '%j is refused',
    async (body) => {
      const { ask } = await startApi()
      await ask('POST', '/v1/jobs/j', smallJob('old'))
      expect((await ask('POST', '/v1/jobs/j/event', body)).status).toBe(400)
      expect((await ask('POST', '/v1/jobs/unknown/event', body)).status).toBe(404)
    },
  )

  it('takes a document with event stop as a stopped job', async () => {
    const { ask } = await startApi()
    await ask('POST', '/v1/jobs/j', smallJob('old', { job_schedule: { event: 'stop', status: 'stop' } }))
    expect((await ask('GET', '/v1/jobs/j')).json.job_schedule).toMatchObject({
      event: 'stop',
      status: 'stop',
    })
  })
})

const holdOffS = 60

/** A session of jobs `a`, `b`, … of clients without agents. */
async function withSession(...names: string[]) {
  const api = await startApi()
  await api.ask('POST', '/v1/sessions/s', { schedule: {}, session_tag: 0, hold_off: holdOffS })
  for (const name of names) {
    await api.ask('POST', `/v1/jobs/${name}`, smallJob(`old-${name}`))
    await api.ask('PUT', `/v1/sessions/s/jobs/${name}`)
  }
  const act = (word: 'start' | 'end', job_id: string, current_tag: unknown, result?: string) =>
    api.ask('POST', '/v1/sessions/s/action', {
      [word]: { job_id, current_tag, ...(result ? { result } : {}) },
    })
  const session = async (): Promise<Loose> => (await api.ask('GET', '/v1/sessions/s')).json
  return { ...api, act, session }
}
const answered = (result: string, session_tag: number) => ({ status: 202, json: { result, session_tag } })

describe('a start of a session with tag T, where its own is S', () => {
  it('T > S is refused, whenever it comes', async () => {
    const { act, pass, session } = await withSession('a')
    expect((await act('start', 'a', 1)).status).toBe(400)
    await act('start', 'a', 0)
    expect((await act('start', 'a', 2)).status).toBe(400)
    pass((holdOffS + 1) * 1000)
    expect((await act('start', 'a', 2)).status).toBe(400)
    expect(await session()).toMatchObject({ session_tag: 1 })
  })

  it('T = S within hold_off is held off, and changes nothing', async () => {
    const { act, pass, session } = await withSession('a', 'b')
    await act('start', 'a', 0)
    const before = await session()
    pass((holdOffS - 2) * 1000)
    for (const job of ['a', 'b']) expect(await act('start', job, 1)).toMatchObject(answered('hold-off', 1))
    expect(await session()).toEqual(before)
  })

  it('T < S within hold_off joins', async () => {
    const { act, pass, session } = await withSession('a', 'b')
    await act('start', 'a', '0')
    pass((holdOffS - 2) * 1000)
    expect(await act('start', 'b', '0')).toMatchObject(answered('success', 1))
    const { jobs, session_tag, status } = await session()
    expect([session_tag, status]).toEqual([1, 'running'])
    expect(jobs.b).toMatchObject({ client_id: 'old-b', status: 'running', result: '', time_ended: -1 })
    expect(jobs.b.time_started - jobs.a.time_started).toBeGreaterThanOrEqual(holdOffS - 3)
  })

  it('T = S after hold_off opens a round, in which every other entry begins anew', async () => {
    const { act, pass, session, now } = await withSession('a', 'b')
    await act('start', 'a', 0)
    await act('start', 'b', 0)
    await act('end', 'a', 1, 'success')
    await act('end', 'b', 1, 'fail')
    expect(await session()).toMatchObject({ status: 'completed', result: 'fail', session_tag: 1 })
    pass((holdOffS + 1) * 1000)
    expect(await act('start', 'a', 1)).toMatchObject(answered('success', 2))
    expect(await session()).toMatchObject({
      ...{ status: 'running', result: '', session_tag: 2, time_end: -1 },
      time_start: Math.floor(now() / 1000),
      jobs: { a: { status: 'running', result: '' }, b: { status: '', result: '' } },
    })
    // The end of one is not the end of the round.
    await act('end', 'a', 2, 'success')
    expect(await session()).toMatchObject({ status: 'running', result: '' })
  })

  it('T < S after hold_off is out of sync, and changes nothing', async () => {
    const { act, pass, session } = await withSession('a', 'b')
    await act('start', 'a', 0)
    pass((holdOffS + 1) * 1000)
    const before = await session()
    expect(await act('start', 'b', 0)).toMatchObject(answered('out-of-sync', 1))
    expect(await session()).toEqual(before)
  })
})

describe('an end in a session', () => {
  it('with fail waits for the others', async () => {
    const { act, session } = await withSession('a', 'b')
    for (const job of ['a', 'b']) await act('start', job, 0)
    expect(await act('end', 'a', 1, 'fail')).toMatchObject(answered('success', 1))
    expect(await session()).toMatchObject({
      status: 'running',
      jobs: { a: { status: 'completed', result: 'fail' } },
    })
    await act('end', 'b', '1', 'success')
    expect(await session()).toMatchObject({
      status: 'completed',
      result: 'fail',
      time_end: expect.any(Number),
    })
  })

  it('of an older round answers success with the current tag, and changes nothing', async () => {
    const { act, pass, session } = await withSession('a')
    await act('start', 'a', 0)
    pass((holdOffS + 1) * 1000)
    await act('start', 'a', 1)
    const before = await session()
    expect(await act('end', 'a', 1, 'success')).toMatchObject(answered('success', 2))
    expect(await session()).toEqual(before)
  })

  it('is the end for good: a job that is added later does not open the round again', async () => {
    const { ask, act, session } = await withSession('a')
    await act('start', 'a', 0)
    await act('end', 'a', 1, 'success')
    await ask('POST', '/v1/jobs/late', smallJob('old-late'))
    await ask('PUT', '/v1/sessions/s/jobs/late')
    expect(await session()).toMatchObject({ status: 'completed', result: 'success' })
  })

  it.each([
    ['start', { start: {} }, 400],
    ['no member', { start: { job_id: 'stranger', current_tag: 0 } }, 400],
    ['no tag', { start: { job_id: 'a' } }, 400],
    ['a negative tag', { start: { job_id: 'a', current_tag: -1 } }, 400],
    ['a tag that is no number', { end: { job_id: 'a', current_tag: 'x', result: 'success' } }, 400],
    ['no result', { end: { job_id: 'a', current_tag: 0 } }, 400],
    ['another result', { end: { job_id: 'a', current_tag: 0, result: 'lost' } }, 400],
    ['both', { start: { job_id: 'a', current_tag: 0 }, end: {} }, 400],
    ['nothing', {}, 400],
    ['an unknown action', { jump: {} }, 405],
  ])('or a start with %s is refused at both paths', async (_, body, status) => {
    const { ask } = await withSession('a')
    for (const path of ['/v1/sessions/s/action', '/v1/sessions/s/actions'])
      expect((await ask('POST', path, body)).status).toBe(status)
    expect((await ask('POST', '/v1/sessions/unknown/action', body)).status).toBe(404)
  })
})

describe('a member', () => {
  it('is shown as its job stands until a round begins, and gets the tag and schedule of its session', async () => {
    const { ask } = await startApi()
    await ask('POST', '/v1/sessions/s', { schedule: { schedule_hour: '3' }, session_tag: 4 })
    await ask('POST', '/v1/jobs/j', smallJob('old', { job_schedule: { schedule_minute: '5' } }))
    await ask('PATCH', '/v1/jobs/j', {
      job_schedule: { status: 'completed', result: 'fail', time_started: 3, time_ended: 4 },
    })
    for (let n = 0; n < 2; n++) expect((await ask('PUT', '/v1/sessions/s/jobs/j')).status).toBe(204)
    expect((await ask('GET', '/v1/sessions/s')).json).toMatchObject({
      status: 'active',
      jobs: { j: { client_id: 'old', status: 'completed', result: 'fail', time_started: 3, time_ended: 4 } },
    })
    expect((await ask('GET', '/v1/jobs/j')).json).toMatchObject({
      ...{ session_id: 's', session_tag: 4 },
      job_schedule: { schedule_hour: '3', schedule_minute: '5' },
    })
  })

  it('leaves the first session when it is added to a second', async () => {
    const { ask, session } = await withSession('a')
    await ask('POST', '/v1/sessions/t', { schedule: {} })
    await ask('PUT', '/v1/sessions/t/jobs/a')
    expect((await session()).jobs).toEqual({})
    expect((await ask('GET', '/v1/sessions/t')).json.jobs).toHaveProperty('a')
    // Taken out of the session that it left, it stays where it is.
    expect((await ask('DELETE', '/v1/sessions/s/jobs/a')).status).toBe(204)
    expect((await ask('GET', '/v1/jobs/a')).json.session_id).toBe('t')
  })

  it.each(['PUT', 'DELETE'])('%s of an unknown job or session is 404', async (method) => {
    const { ask } = await withSession('a')
    for (const id of ['unknown', 'no.id', 'x'.repeat(65)])
      expect((await ask(method, `/v1/sessions/s/jobs/${id}`)).status).toBe(404)
    expect((await ask(method, '/v1/sessions/unknown/jobs/a')).status).toBe(404)
  })

  it('is set free, stopped, when its session is deleted', async () => {
    const { ask } = await withSession('a')
    expect((await ask('DELETE', '/v1/sessions/s')).status).toBe(204)
    expect((await ask('DELETE', '/v1/sessions/s')).status).toBe(404)
    expect((await ask('GET', '/v1/jobs/a')).json).toMatchObject({
      ...{ session_id: '', session_tag: 0 },
      job_schedule: { event: 'stop' },
    })
  })
})

describe('a session document', () => {
  it('is shown whole, with what it does not know', async () => {
    const { ask } = await startApi()
    const sent = { schedule: { schedule_interval: '1 days' }, description: 'web', hold_off: 5, team: ['a'] }
    const made = await ask('POST', '/v2/p1/sessions', { ...sent, status: 'odd', jobs: null, time_start: 'x' })
    expect([made.status, Object.keys(made.json)]).toEqual([201, ['session_id']])
    expect((await ask('GET', `/v2/p1/sessions/${made.json.session_id}`)).json).toEqual({
      ...sent,
      ...{ session_id: made.json.session_id, project_id: 'p1', user_id: 'u-admin', _version: 1 },
      ...{ session_tag: 0, status: 'active', result: '', last_start: '', jobs: {} },
      ...{ time_start: -1, time_end: -1, time_started: -1, time_ended: -1 },
    })
  })

  it.each([
    [{}, "'schedule' is a required property"],
    [{ schedule: [] }, 'schedule: []'],
    [{ schedule: {}, hold_off: '30' }, "hold_off: '30'"],
    [{ schedule: {}, hold_off: -1 }, 'hold_off: -1 is less than the minimum of 0'],
    [{ schedule: {}, session_tag: 1.5 }, 'session_tag'],
    [{ schedule: {}, firn: { missing: 'ignore' } }, 'firn.missing'],
    [{ schedule: {}, firn: { client_selector: { a: 'b' } } }, 'firn.client_selector'],
    [{ schedule_interval: 'often' }, /^schedule_interval: /],
    [{ schedule_internval: 'often' }, /^schedule_internval: /],
    [{ schedule: { schedule_interval: 'often' } }, /^schedule.schedule_interval: /],
  ])('%j is refused, by the name that its sender knows', async (document, told) => {
    const { ask } = await startApi()
    for (const path of ['/v1/sessions', '/v1/sessions/mine']) {
      const { status, json } = await ask('POST', path, document)
      expect([status, json.description]).toEqual([
        400,
        typeof told === 'string' ? expect.stringContaining(told) : expect.stringMatching(told),
      ])
    }
    expect((await ask('GET', '/v1/sessions')).json.sessions).toEqual([])
  })

  it('is changed at both paths, and keeps what it does not know', async () => {
    const { ask } = await startApi()
    await ask('POST', '/v1/sessions/s', { schedule: { schedule_hour: '3' }, session_tag: 2 })
    expect(await ask('PATCH', '/v1/sessions/s', { colour: 'red', session_tag: 9, jobs: {} })).toMatchObject({
      status: 200,
      json: { session_id: 's', version: 2 },
    })
    expect(
      await ask('PATCH', '/v2/p1/sessions/', { session_id: 's', schedule: { schedule_minute: '5' } }),
    ).toMatchObject({ status: 200, json: { session_id: 's', version: 3 } })
    expect((await ask('GET', '/v1/sessions/s')).json).toMatchObject({
      ...{ colour: 'red', session_tag: 2, _version: 3 },
      schedule: { schedule_hour: '3', schedule_minute: '5' },
    })
    expect((await ask('PATCH', '/v1/sessions', { description: 'x' })).status).toBe(400)
    expect((await ask('PATCH', '/v1/sessions', { session_id: 'unknown' })).status).toBe(404)
    expect((await ask('PATCH', '/v1/sessions/unknown', {})).status).toBe(404)
    expect((await ask('PATCH', '/v1/sessions/s', { hold_off: 'x' })).status).toBe(400)
  })
})
