import { describe, expect, it } from 'vitest'
import { put } from '../../controller/state/documents.ts'
import { aBackup } from '../support/builders.ts'
import { byHand, project, smallJob, startApi, type Api, type Loose } from './harness.ts'

async function withJob() {
  const api = await startApi()
  await api.enrolled('n1')
  await api.ask('POST', '/v1/jobs/j', smallJob('n1', byHand))
  return api
}
const start = (api: Api, key?: string) =>
  api.ask('POST', '/v1/runs', { job_id: 'j' }, undefined, key === undefined ? {} : { 'idempotency-key': key })

describe('a run', () => {
  it('is started, shown and cancelled', async () => {
    const api = await withJob()
    const started = await start(api)
    expect(started.status).toBe(202)
    const [run] = started.json.runs
    expect(run).toMatchObject({
      ...{
        job_id: 'j',
        client_id: 'n1',
        project_id: 'p1',
        state: 'waiting',
        attempt: 1,
        result: null,
        purpose: 'job',
      },
      steps: [{ do: 'exec', engine: 'exec', tries: 0, result: null }],
    })
    expect(run.created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    expect((await api.ask('GET', `/v1/runs/${run.run_id}`)).json).toEqual(run)
    const cancelled = await api.ask('POST', `/v1/runs/${run.run_id}/cancel`, { reason: 'a mistake' })
    expect(cancelled).toMatchObject({
      status: 202,
      json: { state: 'finished', result: 'aborted', reason: { text: 'a mistake' } },
    })
  })

  it('is the same for the same key, and another without one', async () => {
    const api = await withJob()
    const first = (await start(api, 'k')).json.runs[0].run_id
    expect((await start(api, 'k')).json.runs[0].run_id).toBe(first)
    expect((await start(api)).json.runs[0].run_id).not.toBe(first)
  })

  it('is refused where it cannot be', async () => {
    const api = await withJob()
    expect((await api.ask('POST', '/v1/runs', {})).json).toMatchObject({ status: 400, field: 'job_id' })
    expect((await api.ask('POST', '/v1/runs', { job_id: 'nowhere' })).json).toMatchObject({
      status: 404,
      code: 'not_found',
    })
    expect((await api.ask('POST', '/v1/runs', '{')).json).toMatchObject({
      status: 400,
      code: 'malformed_json',
    })
    await api.ask('POST', '/v1/jobs/old', smallJob('old'))
    expect((await api.ask('POST', '/v1/runs', { job_id: 'old' })).status).toBe(409)
    expect((await start(api, 'no blanks, please')).json).toMatchObject({ status: 400 })
  })

  it('makes its job show how it went', async () => {
    const api = await withJob()
    const { run_id } = (await start(api)).json.runs[0]
    const status = async () => (await api.ask('GET', '/v1/jobs/j')).json.job_schedule
    expect(await status()).toMatchObject({ status: 'running', result: '', time_ended: -1 })
    await api.ask('POST', `/v1/runs/${run_id}/cancel`)
    expect(await status()).toMatchObject({
      status: 'completed',
      result: 'aborted',
      time_ended: expect.any(Number),
    })
    expect((await api.ask('GET', '/v1/jobs', { match_not: [{ status: 'completed' }] })).json.jobs).toEqual([])
  })
})

describe('a list of runs', () => {
  it('gives the newest first, in pages that do not shift', async () => {
    const api = await withJob()
    const made: string[] = []
    for (let index = 0; index < 7; index++) {
      made.unshift((await start(api)).json.runs[0].run_id)
      api.pass(1)
    }
    const seen: string[] = []
    let path = '/v1/runs?limit=3'
    for (let pages = 1; path !== '' && pages < 5; pages++) {
      const { runs, next } = (await api.ask('GET', path)).json
      seen.push(...runs.map((run: Loose) => run.run_id))
      path = next === null ? '' : `/v1/runs?limit=3&cursor=${next}`
      if (pages === 1) await start(api)
    }
    expect(seen).toEqual(made)
  })

  it('is filtered by what is asked for', async () => {
    const api = await withJob()
    const { run_id } = (await start(api)).json.runs[0]
    const count = async (query: string) => (await api.ask('GET', `/v1/runs?${query}`)).json.runs.length
    expect([await count('job_id=j'), await count('job_id=k'), await count('client_id=n1')]).toEqual([1, 0, 1])
    expect([
      await count('state=waiting'),
      await count('state=finished'),
      await count('job_id=j&state=armed'),
    ]).toEqual([1, 0, 0])
    await api.ask('POST', `/v1/runs/${run_id}/cancel`)
    expect([await count('state=waiting'), await count('state=finished')]).toEqual([0, 1])
  })

  it.each(['limit=0', 'limit=1001', 'limit=x', 'cursor=nonsense', 'state=done'])(
    'refuses ?%s',
    async (query) => {
      const { ask } = await withJob()
      expect((await ask('GET', `/v1/runs?${query}`)).json).toMatchObject({
        status: 400,
        field: query.split('=')[0],
      })
    },
  )
})

describe('what is told of runs', () => {
  it('comes as server-sent events, from after the one that was seen last', async () => {
    const api = await withJob()
    const about = { subject: 's', project: 'p1' as never }
    api.events.push(
      { ...about, sequence: 4, data: { type: 'run.started' } },
      { ...about, sequence: 5, data: { type: 'run.finished', text: 'a\nb' } },
    )
    const { text, headers } = await api.ask('GET', '/v1/events', undefined, undefined, {
      ...{ 'last-event-id': '4', accept: 'text/event-stream' },
    })
    expect(headers.get('content-type')).toBe('text/event-stream')
    expect(text).toBe(':\n\nid: 5\nevent: run.finished\ndata: {"type":"run.finished","text":"a\\nb"}\n\n')
  })

  it('cannot be followed while the feed is away, and that is said', async () => {
    const api = await withJob()
    api.feed.isUp = false
    const { status, json } = await api.ask('GET', '/v1/events', undefined, undefined, {
      accept: 'text/event-stream',
    })
    expect([status, json.code]).toEqual([503, 'feed_down'])
  })

  it('comes as lines of its log', async () => {
    const api = await withJob()
    const { run_id } = (await start(api)).json.runs[0]
    const { text } = await api.ask('GET', `/v1/runs/${run_id}/logs`, undefined, undefined, { accept: '*/*' })
    expect(JSON.parse(text)).toEqual({ at: '1970-01-01T00:00:00.000Z', level: 'info', text: 'hello' })
  })
})

describe('a restore', () => {
  it.each([
    [{}, 'target'],
    [{ target: '/x' }, 'set'],
    [{ target: '/x', backup_id: 'b', set: { session_id: 's', tag: 1 } }, 'set'],
    [{ target: 'x', backup_id: 'b' }, 'target'],
    [{ target: '/x/../etc', backup_id: 'b' }, 'target'],
    [{ target: '/x\0', backup_id: 'b' }, 'target'],
    [{ target: '/x/{host}', backup_id: 'b' }, 'target'],
    [{ target: '/x/{client}/{', backup_id: 'b' }, 'target'],
    [{ target: '/x/{clien{client}t}', set: { session_id: 's', tag: 1 } }, 'target'],
    [{ target: '/x', backup_id: 'b', include: [''] }, 'include.0'],
    [{ target: '/x', backup_id: 'b', include: ['/y', 'y'] }, 'include.1'],
    [{ target: '/x', backup_id: 'b', include: ['/y/../z'] }, 'include.0'],
    [{ target: '/x', set: { session_id: 's' } }, 'set.tag'],
  ])('refuses %j', async (body, field) => {
    const { ask } = await startApi()
    expect((await ask('POST', '/v1/restores', body)).json).toMatchObject({ status: 400, field })
  })

  it('fills in what its target says of the one backup', async () => {
    const api = await withJob()
    const backup = aBackup()
    await api.context.state.commit({
      requires: [],
      puts: [put('backup', backup.project, backup.id, backup)],
    })
    const target = '/back/{client}/{job}/{backup}/{client}'
    const { status, json } = await api.ask('POST', '/v1/restores', { backup_id: backup.id, target })
    expect(status).toBe(202)
    const run = api.context.state.get('run', project, json.runs[0].run_id)?.value
    expect(JSON.stringify(run)).toContain(
      `"/back/${backup.client}/${backup.job}/${backup.id}/${backup.client}"`,
    )
  })

  it('of what is not there is 404', async () => {
    const { ask } = await startApi()
    expect((await ask('POST', '/v1/restores', { target: '/x', backup_id: 'b' })).status).toBe(404)
    expect((await ask('GET', '/v1/restores/nowhere')).status).toBe(404)
  })
})
