import { describe, expect, it } from 'vitest'
import { byHand, smallJob, startApi, type Loose } from '../harness.ts'

const ids = (answer: { json: Loose }): string[] => answer.json.jobs.map((job: Loose) => job.job_id)

async function withJobs(count: number) {
  const api = await startApi()
  for (let index = 0; index < count; index++)
    await api.ask(
      'POST',
      `/v1/jobs/j${index}`,
      smallJob(index % 2 === 0 ? 'even' : 'odd', { description: `number ${index}` }),
    )
  return api
}

describe('a list', () => {
  it('gives ten from the oldest on, and the pages after them', async () => {
    const { ask } = await withJobs(12)
    expect(ids(await ask('GET', '/v1/jobs'))).toEqual(Array.from({ length: 10 }, (_, index) => `j${index}`))
    expect(ids(await ask('GET', '/v1/jobs?limit=10&offset=10'))).toEqual(['j10', 'j11'])
    expect(ids(await ask('GET', '/v1/jobs?limit=2&offset=1&marker=x'))).toEqual(['j1', 'j2'])
    expect(ids(await ask('GET', '/v1/jobs?limit=&offset='))).toHaveLength(10)
    expect(ids(await ask('GET', '/v1/jobs?limit=0'))).toHaveLength(10)
  })

  it.each(['limit=x', 'limit=-1', 'offset=-1', 'offset=1.5'])('refuses ?%s', async (query) => {
    const { ask } = await withJobs(0)
    const refused = await ask('GET', `/v1/jobs?${query}`)
    expect([refused.status, refused.json.description]).toEqual([
      400,
      expect.stringContaining(query.split('=')[0]!),
    ])
  })

  it('is empty behind its end, however far', async () => {
    const { ask } = await withJobs(1)
    expect((await ask('GET', '/v1/jobs?offset=99999999999')).json).toEqual({ jobs: [] })
  })

  it('pages what a search found: the poll of every scheduler', async () => {
    const { ask } = await withJobs(12)
    await ask('PATCH', '/v1/jobs/j2', { job_schedule: { status: 'completed' } })
    const poll = { match_not: [{ status: 'completed' }], match: [{ client_id: 'even' }] }
    expect(ids(await ask('GET', '/v1/jobs/?limit=3&offset=0', poll))).toEqual(['j0', 'j4', 'j6'])
    expect(ids(await ask('GET', '/v1/jobs/?limit=3&offset=3', poll))).toEqual(['j8', 'j10'])
    expect(ids(await ask('GET', '/v1/jobs?limit=20', { match: [{ _all: 'nowhere NUMBER' }] }))).toHaveLength(
      12,
    )
    expect(ids(await ask('GET', '/v1/jobs', { match: [{ _all: 'nowhere' }] }))).toEqual([])
  })

  it('finds a client that is named deep inside a job', async () => {
    const { ask } = await withJobs(2)
    const job_actions = [{ freezer_action: { action: 'exec', nested: [{ client_id: 'deep' }] } }]
    await ask('POST', '/v1/jobs/j', { client_id: 'even', job_actions })
    expect(ids(await ask('GET', '/v1/jobs', { match: [{ client_id: 'deep' }] }))).toEqual(['j'])
  })

  it('refuses a search of the wrong shape, and 753 to what is no JSON', async () => {
    const { ask } = await withJobs(1)
    for (const search of [[], { match: {} }, { match: 'x' }, { match_not: [3] }])
      expect([search, (await ask('GET', '/v1/jobs', search)).status]).toEqual([search, 400])
    expect((await ask('GET', '/v1/jobs', '{')).status).toBe(753)
  })
})

describe('what a list shows of a job', () => {
  it('is what it shows by itself, however often and whatever has happened to it', async () => {
    const api = await startApi()
    const { ask, enrolled } = api
    await enrolled('agent')
    await ask('POST', '/v1/sessions/s', { schedule: {}, hold_off: 0 })
    for (const id of ['a', 'o'])
      await ask('POST', `/v1/jobs/${id}`, smallJob(id === 'a' ? 'agent' : 'old', byHand))
    const run = async (index: number) => (await ask('GET', '/v1/runs')).json.runs[index].run_id
    const steps: (() => Promise<unknown>)[] = [
      async () => {},
      () => ask('PATCH', '/v1/jobs/a', { description: 'x' }),
      () => ask('PATCH', '/v1/jobs/o', { job_schedule: { status: 'running' } }),
      () => ask('POST', '/v1/jobs/a/event', { start: null }),
      async () => ask('POST', `/v1/runs/${await run(0)}/cancel`, {}),
      async () => {
        await ask('POST', '/v1/jobs/a/event', { start: null })
        api.pass(5_000)
        await ask('POST', `/v1/runs/${await run(0)}/cancel`, {})
      },
      () => ask('PATCH', '/v1/jobs/a', { job_schedule: { schedule_interval: '1 days' } }),
      () => ask('POST', '/v1/jobs/a/event', { stop: null }),
      () => ask('PUT', '/v1/sessions/s/jobs/a'),
      () => ask('PUT', '/v1/sessions/s/jobs/o'),
      () => ask('POST', '/v1/sessions/s/action', { start: { job_id: 'o', current_tag: 0 } }),
      async () => ask('POST', `/v1/runs/${await run(0)}/cancel`, {}),
      () => ask('POST', '/v1/clients/agent/revoke'),
      () => enrolled('old'),
      () => ask('DELETE', '/v1/sessions/s'),
    ]
    for (const step of steps) {
      await step()
      for (const base of ['/v1', '/v2/p1'])
        for (let n = 0; n < 2; n++) {
          const { jobs } = (await ask('GET', `${base}/jobs`)).json
          expect(jobs).toHaveLength(2)
          for (const job of jobs) expect(job).toEqual((await ask('GET', `${base}/jobs/${job.job_id}`)).json)
        }
    }
  })
})
