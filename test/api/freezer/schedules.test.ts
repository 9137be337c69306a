// Every schedule is understood, or refused when it is sent.
import { describe, expect, it } from 'vitest'
import { byHand, smallJob, startApi } from '../harness.ts'

describe('a schedule', () => {
  it.each([
    { schedule_date: '2031-05-01T02:00:00' },
    { schedule_date: '2031-05-01T02:00:00.250Z' },
    { schedule_date: '2031-05-01T02:00:00+02:00' },
    { schedule_interval: '5  days' },
    { schedule_interval: '1 hours' },
    { schedule_interval: 'continuous' },
    { schedule_interval: '2 weeks', schedule_start_date: '2031-01-01T00:00:00Z' },
    { schedule_interval: '30 seconds', schedule_end_date: '2031-01-01T00:00:00-05:00' },
    { schedule_hour: '3' },
    { schedule_minute: '*/15', schedule_hour: '1-6,9-12' },
    { schedule_day_of_week: 'mon,wed,fri', schedule_hour: '22' },
    { schedule_day_of_week: '0', schedule_hour: '22' },
    { schedule_day: 'last' },
    { schedule_day: '2nd fri' },
    { schedule_month: '1-12', schedule_week: '1-53', schedule_year: '2031' },
    { schedule_date: '2031-05-01T02:00:00', schedule_interval: '1 days', schedule_hour: '3' },
    {},
  ])('%j is kept as it was sent', async (job_schedule) => {
    const { ask } = await startApi()
    for (const base of ['/v1', '/v2/p1']) {
      const made = await ask('POST', `${base}/jobs`, smallJob('n1', { job_schedule }))
      expect(made.status, made.text).toBe(201)
      const shown = (await ask('GET', `${base}/jobs/${made.json.job_id}`)).json.job_schedule
      expect(shown).toMatchObject(job_schedule)
      expect((await ask('PATCH', `${base}/jobs/${made.json.job_id}`, { job_schedule: shown })).status).toBe(
        200,
      )
      expect((await ask('POST', `${base}/sessions`, { schedule: job_schedule })).status).toBe(201)
    }
  })

  it.each([
    [{ schedule_hour: 'banana' }, 'schedule_hour'],
    [{ schedule_hour: '24' }, 'schedule_hour'],
    [{ schedule_minute: '60' }, 'schedule_minute'],
    [{ schedule_second: '-1' }, 'schedule_second'],
    [{ schedule_month: '0' }, 'schedule_month'],
    [{ schedule_month: '13' }, 'schedule_month'],
    [{ schedule_day: '32' }, 'schedule_day'],
    [{ schedule_day: '6th fri' }, 'schedule_day'],
    [{ schedule_day: '30', schedule_month: '2' }, 'schedule'],
    [{ schedule_week: '54' }, 'schedule_week'],
    [{ schedule_day_of_week: '7' }, 'schedule_day_of_week'],
    [{ schedule_day_of_week: 'monday' }, 'schedule_day_of_week'],
    [{ schedule_year: '31' }, 'schedule_year'],
    [{ schedule_date: '2030-02-31T00:00:00' }, 'schedule_date'],
    [{ schedule_date: '2030-02-01' }, 'schedule_date'],
    [{ schedule_date: '2030-02-01T24:00:00' }, 'schedule_date'],
    [{ schedule_start_date: 'tomorrow' }, 'schedule_start_date'],
    [
      { schedule_start_date: '2031-01-02T00:00:00', schedule_end_date: '2031-01-01T00:00:00' },
      'schedule_end_date',
    ],
    [{ schedule_interval: '5 day' }, 'schedule_interval'],
    [{ schedule_interval: '0 days' }, 'schedule_interval'],
    [{ schedule_interval: '-1 days' }, 'schedule_interval'],
    [{ schedule_interval: 'often' }, 'schedule_interval'],
    [{ schedule_hour: 3 }, 'schedule_hour'],
    [{ schedule_hours: '3' }, 'schedule_hours'],
    [{ time_started: true }, 'time_started'],
    [{ time_ended: '5' }, 'time_ended'],
    [{ current_pid: 1.5 }, 'current_pid'],
    [{ event: 'jump' }, 'event'],
    [{ status: 'lost' }, 'status'],
    [{ result: 'partial' }, 'result'],
  ])('%j is refused, naming %s where it stands', async (schedule, field) => {
    const { ask } = await startApi()
    for (const base of ['/v1', '/v2/p1']) {
      const refused = await ask('POST', `${base}/jobs`, smallJob('n1', { job_schedule: schedule }))
      expect([refused.status, refused.json.title]).toEqual([400, 'Bad request format'])
      expect(refused.json.description).toContain(`job_schedule${field === 'schedule' ? '' : `.${field}`}`)
    }
    const session = await ask('POST', '/v1/sessions', { schedule })
    expect([session.status, session.json.description]).toEqual([400, expect.stringContaining(field)])
    await ask('POST', '/v1/jobs/j', smallJob('n1'))
    expect((await ask('PATCH', '/v1/jobs/j', { job_schedule: schedule })).status).toBe(400)
    expect((await ask('GET', '/v1/jobs')).json.jobs).toHaveLength(1)
  })

  it('loses a field that is sent as null or empty', async () => {
    const { ask } = await startApi()
    const job_schedule = { schedule_interval: '1 days', schedule_start_date: '2031-01-01T00:00:00' }
    await ask('POST', '/v1/jobs/j', smallJob('n1', { job_schedule }))
    await ask('PATCH', '/v1/jobs/j', { job_schedule: { schedule_interval: null, schedule_start_date: '' } })
    const shown = (await ask('GET', '/v1/jobs/j')).json.job_schedule
    expect(shown).not.toHaveProperty('schedule_interval')
    expect(shown).not.toHaveProperty('schedule_start_date')
  })

  it('means UTC, unless it has an offset or a time zone is named', async () => {
    const { ask, enrolled, context } = await startApi()
    await enrolled('n1')
    const next = async (job_schedule: object, firn?: object) => {
      await ask('POST', '/v1/jobs/j', smallJob('n1', { job_schedule, ...(firn ? { firn } : {}) }))
      const at = context.state.get('job', 'p1', 'j')?.value.plan.next
      return at === undefined ? undefined : new Date(at).toISOString()
    }
    const date = (schedule_date: string) => ({ schedule_date })
    expect(await next(date('2031-07-01T02:00:00'))).toBe('2031-07-01T02:00:00.000Z')
    expect(await next(date('2031-07-01T02:00:00+02:00'))).toBe('2031-07-01T00:00:00.000Z')
    expect(await next(date('2031-07-01T02:00:00'), { timezone: 'Europe/Berlin' })).toBe(
      '2031-07-01T00:00:00.000Z',
    )
    const daily = await next({ schedule_hour: '3' })
    expect(daily).toMatch(/T03:00:00.000Z$/)
  })
})

describe("a job's own times", () => {
  const given = { time_created: 5, time_started: 6, time_ended: 7 }
  it('are set by the server under an id of the server, and kept under one of the caller', async () => {
    const { ask, now } = await startApi()
    const made = await ask('POST', '/v1/jobs', smallJob('old', { job_schedule: given }))
    const shown = (await ask('GET', `/v1/jobs/${made.json.job_id}`)).json.job_schedule
    expect(shown).toMatchObject({ time_started: -1, time_ended: -1 })
    expect(Math.abs(shown.time_created - now() / 1000)).toBeLessThan(60)
    await ask('POST', '/v1/jobs/j', smallJob('old', { job_schedule: given }))
    expect((await ask('GET', '/v1/jobs/j')).json.job_schedule).toMatchObject(given)
  })

  it('are stored as sent for a client without an agent, and ignored for one with an agent', async () => {
    const { ask, enrolled } = await startApi()
    await enrolled('agent')
    const report = {
      ...{ status: 'running', result: 'fail', event: 'abort', time_started: 7, time_ended: -1 },
      current_pid: 4711,
    }
    for (const [id, client] of [
      ['a', 'agent'],
      ['o', 'old'],
    ] as const) {
      await ask('POST', `/v1/jobs/${id}`, smallJob(client, byHand))
      expect((await ask('PATCH', `/v1/jobs/${id}`, { job_schedule: report })).status).toBe(200)
    }
    expect((await ask('GET', '/v1/jobs/o')).json.job_schedule).toMatchObject(report)
    expect((await ask('GET', '/v1/jobs/a')).json.job_schedule).toMatchObject({
      ...{ status: '', result: '', event: '', time_started: -1 },
    })
  })
})

describe('a job without a trigger', () => {
  const standingOf = async (document: object) => {
    const { ask, enrolled } = await startApi()
    await enrolled('agent')
    await ask('POST', '/v1/sessions/s', { schedule: {} })
    expect((await ask('POST', '/v1/jobs/j', smallJob('agent', document))).status).toBe(201)
    const start = await ask('POST', '/v1/jobs/j/event', { start: null })
    expect(start.status).toBe(202)
    const { status } = (await ask('GET', '/v1/jobs/j')).json.job_schedule
    return { status, runs: (await ask('GET', '/v1/runs?job_id=j')).json.runs.length }
  }

  it('is due at once, and a start while it is changes nothing', async () => {
    expect(await standingOf({})).toEqual({ status: 'scheduled', runs: 0 })
  })

  it.each([
    ['that says so', byHand],
    ['that is created stopped', { job_schedule: { event: 'stop' } }],
    ['that is over already', { job_schedule: { status: 'completed', result: 'success' } }],
    ['of a session', { session_id: 's' }],
  ])('waits for a start when it is one %s', async (_, document) => {
    expect(await standingOf(document)).toEqual({ status: 'running', runs: 1 })
  })
})
