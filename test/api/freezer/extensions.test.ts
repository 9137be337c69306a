// What newer releases of Freezer, and Firn itself, add to the published API.
import { describe, expect, it } from 'vitest'
import { put } from '../../../controller/state/documents.ts'
import { uuidOf } from '../../../core/ids.ts'
import type { Result, Run } from '../../../core/run.ts'
import { smallJob, startApi, type Api, type Loose } from '../harness.ts'

/** Clients with agents and labels. */
async function labelled(api: Api, labels: Readonly<Record<string, string>>, ...names: string[]) {
  for (const name of names) {
    const client = { ...(await api.enrolled(name)), labels }
    await api.context.state.commit({ requires: [], puts: [put('client', 'p1', client.id, client)] })
  }
}

/** Ends runs as their agents would. */
async function end(api: Api, runs: readonly Run[], result: Result): Promise<void> {
  const at = api.now()
  for (const run of runs) {
    const ended: Run = { ...run, startedAt: at, state: { is: 'finished', attempt: 1, result, at } }
    await api.context.state.commit({ requires: [], puts: [put('run', 'p1', run.id, ended)] })
  }
}
const runsOf = ({ context }: Api, job: string): Run[] =>
  [...context.state.of('run', 'p1')].map(({ value }) => value).filter((run) => run.job === job)
const standing = async ({ ask }: Api): Promise<Loose> => (await ask('GET', '/v1/jobs/j')).json.job_schedule

describe('a job for every client that matches', () => {
  const selecting = {
    job_actions: [{ freezer_action: { action: 'exec', command: 'true' } }],
    firn: { client_selector: { tier: 'web' }, autostart: false },
  }

  it('runs on each of them, and stands as all of its runs do', async () => {
    const api = await startApi()
    await labelled(api, { tier: 'web' }, 'w1', 'w2', 'w3')
    await labelled(api, { tier: 'db' }, 'd1')
    await api.ask('POST', '/v1/jobs/j', selecting)
    expect((await api.ask('GET', '/v1/jobs/j')).json).not.toHaveProperty('client_id')
    await api.ask('POST', '/v1/jobs/j/event', { start: null })
    const runs = runsOf(api, 'j')
    expect(runs.map(({ client }) => client).toSorted()).toEqual(['w1', 'w2', 'w3'])
    const [first, second, third] = runs as [Run, Run, Run]
    expect(await standing(api)).toMatchObject({ status: 'running', result: '', time_ended: -1 })
    await end(api, [first], 'success')
    await end(api, [second], 'failed')
    expect(await standing(api)).toMatchObject({ status: 'running', result: '', time_ended: -1 })
    await end(api, [third], 'success')
    expect(await standing(api)).toMatchObject({ status: 'completed', result: 'fail' })
    api.pass(60_000)
    await api.ask('POST', '/v1/jobs/j/event', { start: null })
    const before = Math.floor(api.now() / 1000)
    await end(api, runsOf(api, 'j').slice(3), 'success')
    const last = await standing(api)
    expect(last).toMatchObject({ status: 'completed', result: 'success' })
    expect(last.time_ended).toBeGreaterThanOrEqual(before)
    expect(last.time_ended).toBeLessThanOrEqual(Math.floor(api.now() / 1000))
  })

  it('is aborted on all of them', async () => {
    const api = await startApi()
    await labelled(api, { tier: 'web' }, 'w1', 'w2')
    await api.ask('POST', '/v1/jobs/j', selecting)
    await api.ask('POST', '/v1/jobs/j/event', { start: null })
    await api.ask('POST', '/v1/jobs/j/event', { abort: null })
    expect(await standing(api)).toMatchObject({ status: 'completed', result: 'aborted' })
  })

  it('may take a client, a time zone and another label, and lose them, by PATCH', async () => {
    const { ask } = await startApi()
    await ask('POST', '/v1/jobs/j', { ...selecting, firn: { client_selector: { tier: 'web' } } })
    const patch = async (change: object) => {
      const { status, text } = await ask('PATCH', '/v1/jobs/j', change)
      expect([status, text]).toEqual([200, expect.any(String)])
      return (await ask('GET', '/v1/jobs/j')).json
    }
    expect(
      (await patch({ firn: { timezone: 'Europe/Berlin', client_selector: { site: 'a' } } })).firn,
    ).toEqual({
      timezone: 'Europe/Berlin',
      client_selector: { tier: 'web', site: 'a' },
    })
    expect((await patch({ firn: { client_selector: { tier: null } } })).firn.client_selector).toEqual({
      site: 'a',
    })
    const refused = await ask('PATCH', '/v1/jobs/j', { firn: { client_selector: null } })
    expect([refused.status, refused.json.description]).toEqual([400, expect.stringContaining('client_id')])
    const shown = await patch({ client_id: 'n1', firn: { client_selector: null, timezone: null } })
    expect(shown).not.toHaveProperty('firn')
    expect(shown.client_id).toBe('n1')
  })

  it.each([
    [{ client_selectors: {} }, 'firn.client_selectors'],
    [{ client_selector: {} }, 'firn.client_selector'],
    [{ client_selector: ['a'] }, 'firn.client_selector'],
    [{ timezone: 'Mars/Base' }, 'timezone'],
    [{ timezone: 5 }, 'firn.timezone'],
    [{ pattern: 'every day' }, 'firn.pattern'],
    [{ pattern: '*/5 * * * *', count: 0 }, 'firn.count'],
    [[], 'firn'],
  ])('%j is refused', async (firn, field) => {
    const { ask } = await startApi()
    const { status, json } = await ask('POST', '/v1/jobs', smallJob('n1', { firn }))
    expect([status, json.description]).toEqual([400, expect.stringContaining(field)])
  })

  it('is found by its labels', async () => {
    const { ask } = await startApi()
    await ask('POST', '/v1/jobs/j', selecting)
    await ask('POST', '/v1/jobs/k', smallJob('n1'))
    expect((await ask('GET', '/v1/jobs', { match: [{ tier: 'web' }] })).json.jobs).toMatchObject([
      { job_id: 'j' },
    ])
  })
})

describe('a stored action', () => {
  const document = (firn: unknown) => ({ freezer_action: { action: 'exec', command: 'true' }, firn })

  it('has its own extensions, merged by PATCH', async () => {
    const { ask } = await startApi()
    const firn = { name: 'dump', client_id: 'n1' }
    expect((await ask('POST', '/v1/actions/a', document(firn))).status).toBe(201)
    expect((await ask('GET', '/v1/actions/a')).json.firn).toEqual(firn)
    const change = { firn: { client_id: null, description: 'nightly', client_selector: { tier: 'db' } } }
    expect((await ask('PATCH', '/v1/actions/a', change)).status).toBe(200)
    expect((await ask('GET', '/v1/actions/a')).json.firn).toEqual({
      ...{ name: 'dump', description: 'nightly' },
      client_selector: { tier: 'db' },
    })
    await ask('PATCH', '/v1/actions/a', {
      firn: { name: null, description: null, client_selector: { tier: 'web' } },
    })
    expect((await ask('GET', '/v1/actions/a')).json.firn).toEqual({ client_selector: { tier: 'web' } })
  })

  it.each([
    [{ client_selectors: {} }, 'firn.client_selectors'],
    [{ client_selector: { tier: 5 } }, 'firn.client_selector.tier'],
    [{ client_id: 'no host' }, 'firn.client_id'],
    [{ name: 5 }, 'firn.name'],
    [{ timezone: 'UTC' }, 'firn.timezone'],
    [[], 'firn'],
  ])('with %j is refused, by itself and in a job', async (firn, field) => {
    const { ask } = await startApi()
    await ask('POST', '/v1/actions/a', document({}))
    const job = { client_id: 'n1', job_actions: [document(firn)] }
    for (const [method, path, body] of [
      ['POST', '/v1/actions', document(firn)],
      ['PATCH', '/v1/actions/a', { firn }],
      ['POST', '/v1/jobs', job],
    ] as const) {
      const { status, json } = await ask(method, path, body)
      expect([status, json.description]).toEqual([400, expect.stringContaining(field)])
    }
  })
})

describe('a session that is aborted', () => {
  it('is over when its members are, also those that were never started', async () => {
    const api = await startApi()
    await api.enrolled('n1')
    await api.enrolled('n2')
    await api.ask('POST', '/v1/sessions/s', { schedule: {}, session_tag: 0 })
    for (const client of ['n1', 'n2'])
      await api.ask('POST', '/v1/jobs', smallJob(client, { session_id: 's' }))
    expect((await api.ask('PATCH', '/v1/sessions/s', { event: 'start' })).status).toBe(200)
    const session = async () => (await api.ask('GET', '/v1/sessions/s')).json
    expect(await session()).toMatchObject({ status: 'running', session_tag: 1 })
    expect((await api.ask('PATCH', '/v1/sessions/s', { event: 'abort' })).status).toBe(200)
    expect((await session()).status).toBe('running')
    const set = api.context.state.get('set', 'p1', 's.1')?.value
    if (!set) throw new Error('no set')
    const outcome = { result: 'aborted', grade: 'G0' } as const
    const phase = { is: 'ended', at: api.now(), outcome } as const
    await api.context.state.commit({ requires: [], puts: [put('set', 'p1', 's.1', { ...set, phase })] })
    const over = await session()
    expect(over).toMatchObject({
      status: 'completed',
      result: 'fail',
      time_end: Math.floor(api.now() / 1000),
    })
    for (const entry of Object.values<Loose>(over.jobs))
      expect(entry).toMatchObject({ status: 'completed', result: 'aborted' })
  })
})

describe('jobs of every project', () => {
  it('are listed for administrators, in v2', async () => {
    const { ask, token } = await startApi()
    const other = await token('operator', 'u-bob', 'p2')
    await ask('POST', '/v2/p1/jobs/a', smallJob('n1'))
    await ask('POST', '/v2/p2/jobs/b', smallJob('n1'), other)
    const everywhere = await ask('GET', '/v2/p1/jobs?all_projects=true')
    expect(everywhere.json.jobs).toMatchObject([
      { job_id: 'a', project_id: 'p1' },
      { job_id: 'b', project_id: 'p2' },
    ])
    const found = await ask('GET', '/v2/p1/jobs?all_projects=True', { match: [{ project_id: 'p2' }] })
    expect(found.json.jobs).toMatchObject([{ job_id: 'b' }])
    expect((await ask('GET', '/v2/p1/jobs?all_projects=false')).json.jobs).toHaveLength(1)
    expect((await ask('GET', '/v1/jobs?all_projects=true')).json.jobs).toHaveLength(1)
    expect((await ask('GET', '/v2/p2/jobs?all_projects=true', undefined, other)).status).toBe(403)
  })
})

describe('a job that calls a saved action', () => {
  it('is shown with that action as it is now, found by it, started, stopped and sent back', async () => {
    const api = await startApi()
    const { ask } = api
    await api.enrolled('n1')
    await ask('POST', '/v1/actions/saved', {
      freezer_action: { action: 'exec', command: 'true', note: 'one' },
    })
    const made = await ask('POST', '/qinling/v1/jobs', {
      name: 'nightly',
      function_id: uuidOf('saved'),
      pattern: '0 3 * * *',
    })
    expect(made.status, made.text).toBe(201)
    const { jobs } = (await ask('GET', '/v2/p1/jobs', { match: [{ note: 'one' }] })).json
    expect(jobs).toMatchObject([
      { client_id: 'n1', job_actions: [{ action_id: 'saved', freezer_action: { command: 'true' } }] },
    ])
    const [{ job_id }] = jobs
    const path = `/v2/p1/jobs/${job_id}`
    await ask('PATCH', '/v1/actions/saved', { freezer_action: { note: 'two' } })
    expect((await ask('GET', path)).json.job_actions).toMatchObject([{ freezer_action: { note: 'two' } }])
    for (const [event, status] of [
      ['stop', 'stop'],
      ['start', 'scheduled'],
    ] as const) {
      expect((await ask('POST', `${path}/event`, { [event]: null })).status).toBe(202)
      expect((await ask('GET', path)).json.job_schedule.status).toBe(status)
    }
    const shown = (await ask('GET', path)).json
    expect((await ask('PATCH', path, shown)).status).toBe(200)
    expect((await ask('GET', path)).json).toEqual({ ...shown, _version: shown._version + 1 })
    const poll = { match: [{ client_id: 'n1' }], match_not: [{ status: 'completed' }] }
    expect((await ask('GET', '/v2/p1/jobs', poll)).json.jobs).toHaveLength(1)
    const nothing = { match: [{ client_id: 'n1' }], match_not: [{ note: 'two' }] }
    expect((await ask('GET', '/v2/p1/jobs', nothing)).json.jobs).toEqual([])
  })
})

describe('an action that its node cannot do', () => {
  const engine = (name: string, available: boolean, ...problems: string[]) => ({
    ...{ engine: name, available, capabilities: [], problems },
  })
  it.each([
    [{ backup_name: 'etc', path_to_backup: '/etc' }, undefined],
    [
      { backup_name: 'etc', path_to_backup: '/etc', engine_name: 'tar' },
      'n1 cannot use the engine tar: no tar',
    ],
    [{ backup_name: 'etc', path_to_backup: '/etc', engine_name: 'nova' }, expect.stringContaining('nova')],
    [{ action: 'exec' }, expect.stringContaining('command')],
  ])('is stored and says so when its job is shown: %j', async (freezer_action, problem) => {
    const api = await startApi()
    const agent = {
      ...{ version: '1', os: 'linux', hostname: 'n1', incarnation: 'i' },
      engines: [engine('restic', true), engine('tar', false, 'no tar'), engine('exec', true)],
    }
    const client = { ...(await api.enrolled('n1')), agent }
    await api.context.state.commit({ requires: [], puts: [put('client', 'p1', client.id, client)] })
    await api.ask('POST', '/v1/jobs/j', { client_id: 'n1', job_actions: [{ freezer_action }] })
    const shown = (await api.ask('GET', '/v1/jobs/j')).json
    expect(shown.job_actions[0].problem).toEqual(problem)
    expect((await api.ask('PATCH', '/v1/jobs/j', shown)).status).toBe(200)
    expect((await api.ask('GET', '/v1/jobs/j')).json.job_actions).toEqual(shown.job_actions)
    expect((await api.ask('GET', '/v1/jobs')).json.jobs[0].job_actions[0]).not.toHaveProperty('problem')
  })

  it('is said anew as soon as the node has what it lacked, or has it no more', async () => {
    const api = await startApi()
    const enrolled = await api.enrolled('n1')
    const announce = (tar: ReturnType<typeof engine>) => {
      const agent = { version: '1', os: 'linux', hostname: 'n1', incarnation: 'i', engines: [tar] }
      return api.context.state.commit({
        requires: [],
        puts: [put('client', 'p1', enrolled.id, { ...enrolled, agent })],
      })
    }
    const problem = async () => (await api.ask('GET', '/v1/jobs/j')).json.job_actions[0].problem
    const freezer_action = { backup_name: 'etc', path_to_backup: '/etc', engine_name: 'tar' }
    await announce(engine('tar', false, 'no tar'))
    await api.ask('POST', '/v1/jobs/j', { client_id: 'n1', job_actions: [{ freezer_action }] })
    expect(await problem()).toBe('n1 cannot use the engine tar: no tar')
    await announce(engine('tar', true))
    expect(await problem()).toBeUndefined()
    await announce(engine('tar', false, 'gone'))
    expect(await problem()).toBe('n1 cannot use the engine tar: gone')
  })
})
