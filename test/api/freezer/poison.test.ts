// Documents that stopped a whole node elsewhere: refused, or harmless; and none that is taken stops another job.
import { describe, expect, it } from 'vitest'
import { put } from '../../../controller/state/documents.ts'
import { uuidOf } from '../../../core/ids.ts'
import { project, smallJob, startApi, type Loose } from '../harness.ts'
import { startWorld } from '../qinling/world.ts'

const soon = '2027-01-15T11:00:00Z'

async function world() {
  const w = await startWorld()
  w.until('2027-01-15T10:30:00Z')
  await w.ask('POST', '/v1/jobs/good', { ...smallJob('n1'), job_schedule: { schedule_minute: '0' } })
  /** Whether the other job still fires. */
  const fires = async (): Promise<boolean> => {
    w.until(soon)
    await w.look(uuidOf('good'))
    return [...w.context.state.where('run', 'job', `${project}/good`)].length === 1
  }
  const post = (job: object) => w.ask('POST', '/v1/jobs/bad', { ...smallJob('n1'), ...job })
  return { ...w, post, fires }
}

describe('a poisonous document', () => {
  it.each([
    ['an hour that is none', { schedule_hour: 'banana' }, 'schedule_hour'],
    ['a day that no calendar has', { schedule_date: '2030-02-31T00:00:00' }, 'schedule_date'],
    ['a date that no day satisfies', { schedule_month: '2', schedule_day: '30' }, 'job_schedule'],
    [
      'an end before its beginning',
      {
        schedule_interval: '1 days',
        schedule_start_date: '2027-02-01T00:00:00',
        schedule_end_date: '2027-01-01T00:00:00',
      },
      'schedule_end_date',
    ],
    ['an interval of nothing', { schedule_interval: '0 days' }, 'schedule_interval'],
    ['an interval without an end', { schedule_interval: '99999999999999999999 weeks' }, 'schedule_interval'],
  ])('is refused by its field: %s', async (_what, job_schedule, field) => {
    const w = await world()
    const answer = await w.post({ job_schedule })
    expect(answer.status).toBe(400)
    expect(answer.text).toContain(field)
    expect(await w.fires()).toBe(true)
  })

  it.each([
    ['an interval with two blanks', { job_schedule: { schedule_interval: '5  minutes' } }],
    [
      'a start date with Z',
      { job_schedule: { schedule_interval: '1 days', schedule_start_date: '2027-01-01T00:00:00Z' } },
    ],
    [
      'a start date with an offset and a fraction',
      {
        job_schedule: {
          schedule_interval: '1 days',
          schedule_start_date: '2027-01-01T00:00:00.123456+02:00',
        },
      },
    ],
    [
      'a percent sign in an action',
      { job_actions: [{ freezer_action: { action: 'exec', command: 'date +%s %(x)s' } }] },
    ],
    [
      'an action that no agent knows',
      { job_actions: [{ freezer_action: { action: 'explode', mode: 'odd' } }] },
    ],
    ['no action at all', { job_actions: [] }],
    [
      'every second of a day that is far',
      { job_schedule: { schedule_second: '*', schedule_month: '2', schedule_day: '29' } },
    ],
  ])('is harmless: %s', async (_what, job) => {
    const w = await world()
    const answer = await w.post(job)
    expect(answer.status).toBe(201)
    w.until(soon)
    await w.look(uuidOf('bad'))
    expect(await w.fires()).toBe(true)
    for (const path of ['/v1/jobs', '/v1/jobs/bad/slots', '/v1/jobs/bad/preview'])
      expect((await w.ask('GET', path)).status).toBe(200)
  })

  it('is no abort of a job that never ran', async () => {
    const w = await world()
    await w.post({})
    for (const event of ['abort', 'stop', 'abort', 'start'])
      expect((await w.ask('POST', '/v1/jobs/bad/event', { [event]: null })).status).toBe(202)
    expect(await w.fires()).toBe(true)
  })

  it('is no change of the description alone: the schedule stays', async () => {
    const w = await world()
    await w.ask('PATCH', '/v1/jobs/good', { description: 'nightly' })
    const { json } = await w.ask('GET', '/v1/jobs/good')
    expect(json.job_schedule.schedule_minute).toBe('0')
    expect(await w.fires()).toBe(true)
  })
})

describe('what no date can satisfy', () => {
  const never = { schedule_month: '2', schedule_day: '30' }
  const pattern = '0 0 30 2 *'

  it('is refused when a job or a session is made or changed, whichever way it is written', async () => {
    const w = await world()
    await w.ask('POST', '/v1/sessions/s', { schedule: {} })
    for (const [method, path, body] of [
      ['POST', '/v1/jobs', { ...smallJob('n1'), job_schedule: never }],
      ['POST', '/v1/jobs', { ...smallJob('n1'), firn: { pattern } }],
      ['PATCH', '/v1/jobs/good', { job_schedule: { ...never, schedule_minute: null } }],
      ['PATCH', '/v1/jobs/good', { job_schedule: { schedule_minute: null }, firn: { pattern } }],
      ['POST', '/v1/sessions', { schedule: never }],
      ['POST', '/v1/sessions', { schedule: {}, firn: { pattern } }],
      ['PATCH', '/v1/sessions/s', { schedule: never }],
      ['POST', '/qinling/v1/jobs', { function_id: await w.saved(), pattern }],
      ['PUT', `/qinling/v1/jobs/${uuidOf('good')}`, { pattern }],
    ] as const) {
      const answer = await w.ask(method, path, body)
      expect(answer.status, `${method} ${path} ${JSON.stringify(body)}: ${answer.text}`).toBe(400)
    }
    expect(await w.fires()).toBe(true)
  })
})

describe('a schedule that was stored and cannot be read any more', () => {
  it('stops nobody else, can be listed, mended and deleted', async () => {
    const w = await world()
    await w.post({ job_schedule: { schedule_minute: '0' } })
    const stored = w.context.state.get('job', project, 'bad')?.value as Loose
    const poisoned = { ...stored, firn: { timezone: 'Mars/Olympus', overlap: 'never' } }
    await w.context.state.commit({ requires: [], puts: [put('job', project, 'bad', poisoned)] })
    w.until(soon)
    await expect(w.look(uuidOf('bad'))).rejects.toMatchObject({ code: 'bad_request' })
    expect(await w.fires()).toBe(true)
    expect((await w.ask('GET', '/v1/jobs')).json.jobs).toHaveLength(2)
    expect((await w.ask('GET', '/v1/jobs/bad/slots')).status).toBe(200)
    const mended = await w.ask('PATCH', '/v1/jobs/bad', { firn: { timezone: null, overlap: null } })
    expect(mended.status).toBe(200)
    await w.context.state.commit({ requires: [], puts: [put('job', project, 'bad', poisoned)] })
    expect((await w.ask('DELETE', '/v1/jobs/bad')).status).toBe(204)
  })
})

describe('a member whose schedule cannot be read any more', () => {
  it('can be stopped, leave, and does not keep its session', async () => {
    const w = await world()
    await w.ask('POST', '/v1/sessions/s', { schedule: {} })
    for (const id of ['bad', 'worse']) {
      await w.ask('POST', `/v1/jobs/${id}`, { ...smallJob('n1'), session_id: 's' })
      const stored = w.context.state.get('job', project, id)?.value as Loose
      const poisoned = { ...stored, firn: { timezone: 'Mars/Olympus' } }
      await w.context.state.commit({ requires: [], puts: [put('job', project, id, poisoned)] })
    }
    expect((await w.ask('POST', '/v1/jobs/bad/event', { stop: null })).status).toBe(202)
    expect((await w.ask('DELETE', '/v1/sessions/s/jobs/bad')).status).toBe(204)
    expect((await w.ask('DELETE', '/v1/sessions/s')).status).toBe(204)
    expect((await w.ask('GET', '/v1/jobs/worse')).json).toMatchObject({ session_id: '' })
  })
})

describe('documents that are nonsense', () => {
  it('never answer 500', async () => {
    const api = await startApi()
    await api.enrolled('n1')
    for (const odd of [[], 3, true, { a: 1 }, '\u0000', '*'.repeat(300), null])
      for (const key of ['schedule_date', 'schedule_interval', 'schedule_day', 'schedule_second']) {
        const job = { ...smallJob('n1'), job_schedule: { [key]: odd } }
        expect((await api.ask('POST', '/v1/jobs', job)).status).toBeLessThan(500)
      }
    expect(api.failures).toEqual([])
  })
})
