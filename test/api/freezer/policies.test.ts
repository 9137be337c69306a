// The policies of a schedule: what the API takes, and what the leader makes of them.
import { describe, expect, it } from 'vitest'
import type { Plan } from '../../../core/job.ts'
import { uuidOf } from '../../../core/ids.ts'
import { project, smallJob, startApi, type Loose } from '../harness.ts'
import { startWorld, type World } from '../qinling/world.ts'

const start = '2027-01-15T10:00:00Z'
const hourly = { schedule_minute: '0' }

async function job(w: World, firn: object, job_schedule: object = hourly): Promise<string> {
  const answer = await w.ask('POST', '/v1/jobs/j', { ...smallJob('n1'), job_schedule, firn })
  expect(answer.status).toBe(201)
  return uuidOf('j')
}

const planOf = (w: World): Plan | undefined => w.context.state.get('job', project, 'j')?.value.plan
const reasons = (w: World) => planOf(w)?.skips?.map(({ reason, count }) => [reason, count])
const openRuns = (w: World): Loose[] =>
  [...w.context.state.where('run', 'openOfJob', `${project}/j`)].map(({ value }) => value)

async function at(w: World, id: string, time: string) {
  w.until(time)
  await w.look(id)
}

describe('a policy', () => {
  it.each([
    ['catch_up', 'some'],
    ['catch_up_max', 0],
    ['catch_up_max', 101],
    ['overlap', 'perhaps'],
    ['jitter', '5'],
    ['jitter', '0 minutes'],
    ['jitter', '8 days'],
    ['start_deadline', 'soon'],
    ['start_deadline', '400 days'],
    ['pause_after_failures', 0],
    ['pause_after_failures', 'never'],
    ['exclusions', '2027-12-24'],
    ['exclusions', Array.from({ length: 101 }, () => '2027-12-24')],
  ])('is refused by its name when it means nothing: %s %o', async (key, value) => {
    const api = await startApi()
    await api.enrolled('n1')
    const answer = await api.ask('POST', '/v1/jobs', { ...smallJob('n1'), firn: { [key]: value } })
    expect(answer.status).toBe(400)
    expect(answer.text).toContain(`firn.${key}`)
    const session = { description: '', schedule: {}, firn: { [key]: value } }
    expect((await api.ask('POST', '/v1/sessions', session)).text).toContain(`firn.${key}`)
  })

  it.each([['2027-02-30'], ['2027-12-24/2027-12-01'], ['24.12.2027'], ['2027-01-01/2027-01-02/2027-01-03']])(
    'of days is refused where it names none: %s',
    async (day) => {
      const api = await startApi()
      const answer = await api.ask('POST', '/v1/jobs', { ...smallJob('n1'), firn: { exclusions: [day] } })
      expect(answer.status).toBe(400)
      expect(answer.text).toContain('firn.exclusions.0')
    },
  )

  it('that nobody knows is refused, and one of a session that would let its starts overlap', async () => {
    const api = await startApi()
    for (const firn of [{ overlapp: 'skip' }, { catchup: 'all' }])
      expect((await api.ask('POST', '/v1/jobs', { ...smallJob('n1'), firn })).status).toBe(400)
    const session = { description: '', schedule: {}, firn: { overlap: 'allow' } }
    expect((await api.ask('POST', '/v1/sessions', session)).text).toContain('firn.overlap')
  })

  it('comes back as it was sent, and goes with null', async () => {
    const w = await startWorld()
    const firn = {
      ...{ catch_up: 'all', catch_up_max: 5, overlap: 'queue', jitter: '5 minutes' },
      ...{ start_deadline: '2 hours', exclusions: ['2027-12-24/2027-12-31'], pause_after_failures: 3 },
    }
    await job(w, firn)
    expect((await w.ask('GET', '/v1/jobs/j')).json.firn).toEqual(firn)
    await w.ask('PATCH', '/v1/jobs/j', { firn: { exclusions: null, jitter: null } })
    const { exclusions: _e, jitter: _j, ...rest } = firn
    expect((await w.ask('GET', '/v1/jobs/j')).json.firn).toEqual(rest)
  })
})

describe('the leader', () => {
  it('cancels the run that overlaps, and starts the slot when it has ended', async () => {
    const w = await startWorld()
    w.until(start)
    const id = await job(w, { overlap: 'cancel' })
    await at(w, id, '2027-01-15T11:00:00Z')
    expect(openRuns(w)).toHaveLength(1)
    await at(w, id, '2027-01-15T12:00:00Z')
    // It was not sent, so it ends at once; the end of a run has its job looked at.
    await w.look(id)
    expect(openRuns(w)).toMatchObject([{ slot: `at:${Date.parse('2027-01-15T11:00:00Z') + 3_600_000}` }])
    const [first] = [...w.context.state.where('run', 'job', `${project}/j`)]
      .map(({ value }) => value)
      .filter(({ state }) => state.is === 'finished')
    expect(first?.state).toMatchObject({ result: 'aborted', reason: { code: 'overlap' } })
  })

  it('lets a slot wait for the run before it', async () => {
    const w = await startWorld()
    w.until(start)
    const id = await job(w, { overlap: 'queue' })
    await at(w, id, '2027-01-15T11:00:00Z')
    await at(w, id, '2027-01-15T13:00:10Z')
    expect(reasons(w)).toEqual([['overlap', 1]])
    await w.endRuns()
    await w.look(id)
    expect(openRuns(w)).toMatchObject([{ slot: `at:${Date.parse('2027-01-15T13:00:00Z')}` }])
  })

  it('gives a run no longer for its start than its schedule does', async () => {
    const w = await startWorld()
    w.until(start)
    const id = await job(w, { start_deadline: '10 seconds' })
    await at(w, id, '2027-01-15T11:00:09.500Z')
    expect(openRuns(w)[0].limits.startMs).toBeLessThanOrEqual(500)
  })

  it('stops a schedule that has failed too often, until it is started again', async () => {
    const w = await startWorld()
    w.until(start)
    const id = await job(w, { pause_after_failures: 2 })
    for (const hour of [11, 12]) {
      await at(w, id, `2027-01-15T${hour}:00:00Z`)
      await w.endRuns('failed')
    }
    await at(w, id, '2027-01-15T13:00:00Z')
    expect(reasons(w)).toEqual([['failures', 1]])
    expect((await w.ask('GET', '/v1/jobs/j')).json.job_schedule.status).toBe('stop')
    w.until('2027-01-15T16:30:00Z')
    await w.ask('POST', '/v1/jobs/j/event', { start: null })
    expect(reasons(w)).toEqual([
      ['failures', 1],
      ['paused', 3],
    ])
    await at(w, id, '2027-01-15T17:00:00Z')
    expect(openRuns(w)).toHaveLength(1)
  })

  it('tells of slots that were due when a schedule was changed or stopped', async () => {
    const w = await startWorld()
    w.until(start)
    await job(w, {})
    w.until('2027-01-15T11:30:00Z')
    await w.ask('PATCH', '/v1/jobs/j', { job_schedule: { schedule_minute: '45' } })
    expect(reasons(w)).toEqual([['changed', 1]])
    w.until('2027-01-15T11:50:00Z')
    await w.ask('POST', '/v1/jobs/j/event', { stop: null })
    expect(reasons(w)).toEqual([
      ['changed', 1],
      ['paused', 1],
    ])
  })

  it('tells that a session found nobody, and that it was held off', async () => {
    const w = await startWorld()
    w.until(start)
    await job(w, {}, {})
    const session = { description: '', schedule: hourly, hold_off: 7200 }
    await w.ask('POST', '/v1/sessions/s', session)
    await w.ask('PUT', '/v1/sessions/s/jobs/j')
    w.until('2027-01-15T11:00:00Z')
    await w.lookAtSession('s')
    w.until('2027-01-15T12:00:00Z')
    await w.lookAtSession('s')
    const stored = w.context.state.get('session', project, 's')?.value
    expect(stored?.tag).toBe(1)
    expect(stored?.plan.skips).toMatchObject([{ reason: 'hold_off', count: 1 }])
  })
})
