import { describe, expect, it } from 'vitest'
import { put } from '../../controller/state/documents.ts'
import { instant } from '../../core/clock.ts'
import type { Backup, Repository } from '../../core/catalogue.ts'
import { project, smallJob, startApi, type Api } from './harness.ts'

describe('clients', () => {
  it('are registered once, and shown nested', async () => {
    const { ask } = await startApi()
    const made = await ask('POST', '/v1/clients', { client_id: 'p1_db1', hostname: 'db1', rack: 7 })
    expect([made.status, made.json]).toEqual([201, { client_id: 'p1_db1' }])
    expect((await ask('POST', '/v1/clients', { client_id: 'p1_db1', hostname: 'db1' })).status).toBe(409)
    const shown = (await ask('GET', '/v1/clients/p1_db1')).json
    expect(shown.client).toMatchObject({
      client_id: 'p1_db1',
      hostname: 'db1',
      description: '',
      rack: 7,
      uuid: expect.any(String),
    })
    expect(shown.firn).toMatchObject({ enrolled_at: null, line: 'never', agent: null })
    expect((await ask('DELETE', '/v1/clients/p1_db1')).status).toBe(204)
    expect((await ask('POST', '/v1/clients', { client_id: 'p1_db1' })).status).toBe(201)
  })

  it('with an agent are removed by administrators only', async () => {
    const { ask, enrolled, token } = await startApi()
    await enrolled('n1')
    expect((await ask('DELETE', '/v1/clients/n1', undefined, await token('operator'))).status).toBe(403)
    expect((await ask('DELETE', '/v1/clients/n1')).status).toBe(204)
  })
})

describe('enrolment', () => {
  const enrol = (api: Api, join_token: string, client_id: string) =>
    api.ask('POST', '/v1/enrol', { join_token, csr: 'CSR', client_id, hostname: 'host' }, '')

  it('gives an agent all that it needs, once', async () => {
    const api = await startApi()
    const { join_token } = (await api.ask('POST', '/v1/join-tokens', {})).json
    expect(join_token).toMatch(/^firnjoin_/)
    expect(JSON.stringify([...api.context.state.of('join', 'p1')])).not.toContain(join_token.split('_')[2])
    expect(await enrol(api, join_token, 'n1')).toMatchObject({
      status: 200,
      json: {
        ...{
          project_id: 'p1',
          client_id: 'n1',
          certificate: 'CSR for p1/n1',
          ca: 'CA',
          servers: ['127.0.0.1:9091'],
        },
        nats: { servers: ['nats://127.0.0.1:4222'], credentials: 'CREDENTIALS' },
      },
    })
    expect((await enrol(api, join_token, 'n2')).status).toBe(401)
    expect((await api.ask('GET', '/v1/clients/n1')).json.firn.enrolled_at).toBeTruthy()
  })

  it('is refused with a token that is over its time, of another client, or for a taken name', async () => {
    const api = await startApi()
    const join = async (body: object) => (await api.ask('POST', '/v1/join-tokens', body)).json.join_token
    const short = await join({ ttl_seconds: 5 })
    api.pass(6_000)
    expect((await enrol(api, short, 'n1')).status).toBe(401)
    expect((await enrol(api, await join({ client_id: 'n1' }), 'n2')).status).toBe(403)
    expect((await enrol(api, await join({ client_id: 'n1' }), 'n1')).status).toBe(200)
    expect((await enrol(api, await join({}), 'n1')).status).toBe(409)
    expect((await enrol(api, await join({ client_id: 'n1' }), 'n1')).status).toBe(200)
  })

  it('lets one of many in that use a token at once', async () => {
    const api = await startApi()
    const { join_token } = (await api.ask('POST', '/v1/join-tokens', {})).json
    const answers = await Promise.all(['a', 'b', 'c', 'd'].map((client) => enrol(api, join_token, client)))
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 401, 401, 401])
  })

  it('plans the jobs that were waiting for it, and revoking it ends that', async () => {
    const api = await startApi()
    await api.ask('POST', '/v1/jobs/j', smallJob('n1', { job_schedule: { schedule_interval: '1 days' } }))
    await api.ask('POST', '/v1/sessions/s', { schedule: { schedule_interval: '1 days' } })
    await api.ask('POST', '/v1/jobs/k', smallJob('n1', { session_id: 's' }))
    const next = (kind: 'job' | 'session', id: string) =>
      api.context.state.get(kind, 'p1', id)?.value.plan.next
    expect([next('job', 'j'), next('session', 's')]).toEqual([undefined, undefined])
    const { join_token } = (await api.ask('POST', '/v1/join-tokens', {})).json
    await enrol(api, join_token, 'n1')
    expect([next('job', 'j'), next('session', 's')]).toEqual([expect.any(Number), expect.any(Number)])
    expect(next('job', 'k')).toBeUndefined()
    expect((await api.ask('POST', '/v1/clients/n1/revoke')).status).toBe(204)
    expect([next('job', 'j'), next('session', 's')]).toEqual([undefined, undefined])
  })
})

describe('backups', () => {
  const metadata = {
    container: '/b',
    hostname: 'db1',
    backup_name: 'etc',
    time_stamp: 1000,
    ssh_password: 'hunter2',
  }

  it('of other agents are registered, found by time, and deleted', async () => {
    const { ask } = await startApi()
    const made = await ask('POST', '/v1/backups', metadata)
    expect(made.status).toBe(201)
    const path = `/v1/backups/${made.json.backup_id}`
    expect((await ask('GET', path)).json).toMatchObject({
      user_name: 'u-admin',
      backup_metadata: { hostname: 'db1', ssh_password: '***' },
    })
    expect((await ask('GET', '/v1/backups', { time_after: 1000 })).json.backups).toHaveLength(1)
    expect((await ask('GET', '/v1/backups', { time_after: 1001 })).json.backups).toHaveLength(0)
    expect((await ask('DELETE', path)).status).toBe(204)
    expect((await ask('GET', path)).status).toBe(404)
  })

  it.each(['container', 'hostname', 'backup_name'])('need their %s', async (key) => {
    const { ask } = await startApi()
    const refused = await ask('POST', '/v1/backups', { ...metadata, [key]: '' })
    expect([refused.status, refused.json.description]).toEqual([400, expect.stringContaining(key)])
  })

  it('of our own catalogue are shown in the same shape, and never called whole when they are not', async () => {
    const api = await startApi()
    await stored(api)
    await api.ask('POST', '/v1/backups', metadata)
    const { backups } = (await api.ask('GET', '/v1/backups')).json
    expect(backups).toHaveLength(2)
    expect(backups[0]).toMatchObject({
      ...{ backup_id: 'b1', user_id: 'u-admin' },
      backup_metadata: {
        backup_name: 'etc',
        path_to_backup: '/etc',
        container: '/srv/n1',
        curr_backup_level: 1,
        time_stamp: 5,
      },
      firn: { result: 'partial', run_id: 'r1', engine: 'restic', stats: { bytes_added: 7, duration_ms: 1 } },
    })
    // Its data goes first, and its node does that.
    expect((await api.ask('DELETE', '/v1/backups/b1')).status).toBe(204)
    expect((await api.ask('GET', '/v1/backups/b1')).status).toBe(200)
  })

  it('are looked into through their agent, with what opens the repository', async () => {
    const api = await startApi()
    await stored(api)
    const asked: unknown[] = []
    api.deps.live.browse = async (...question) => {
      asked.push(question)
      return {
        entries: [{ path: '/etc/hosts', type: 'file', size: 5, mode: 0o644, mtime: '2030-01-01T00:00:00Z' }],
        more: false,
      }
    }
    const tree = await api.ask('GET', '/v1/backups/b1/tree?path=/etc')
    expect(tree.json).toEqual({
      entries: [{ path: '/etc/hosts', type: 'file', size: 5, mode: 0o644, mtime: '2030-01-01T00:00:00Z' }],
      more: false,
    })
    expect(asked).toMatchObject([
      ['p1', 'n1', { path: '/etc', repository: { password: 'pw', location: '/srv/n1' } }],
    ])
    expect(tree.text).not.toContain('pw')
  })

  async function stored(api: Api): Promise<void> {
    const repository = {
      ...{ id: 'rep', project, engine: 'restic', location: '/srv/n1', createdAt: instant(1) },
      sealedPassword: api.context.sealer.seal('pw', 'repository/p1/rep'),
    } as unknown as Repository
    const backup = {
      ...{
        id: 'b1',
        project,
        user: 'u-admin',
        job: 'j',
        client: 'n1',
        run: 'r1',
        step: 0,
        backupName: 'etc',
      },
      ...{
        engine: 'restic',
        engineRef: 'snap',
        engineVersion: '0.18',
        repository: 'rep',
        paths: ['/etc'],
        level: 1,
      },
      ...{ result: 'partial', startedAt: instant(5000), endedAt: instant(6000), itemErrorCount: 2 },
      stats: { bytesAdded: 7, durationMs: 1 },
    } as unknown as Backup
    await api.context.state.commit({
      requires: [],
      puts: [put('repository', 'p1', 'rep', repository), put('backup', 'p1', 'b1', backup)],
    })
  }
})

describe('repositories', () => {
  it('are made known, and shown without what opens them', async () => {
    const { ask } = await startApi()
    const made = await ask('POST', '/v1/repositories', { location: '/srv/all', password: 'hunter2' })
    expect(made.status).toBe(201)
    expect(made.text + (await ask('GET', '/v1/repositories')).text).not.toMatch(/hunter2|sealed/)
    expect((await ask('GET', `/v1/repositories/${made.json.repository_id}`)).json).toMatchObject({
      location: '/srv/all',
      engine: 'restic',
    })
    // Another record of it would have another password.
    for (const password of ['hunter3', 'hunter2'])
      expect((await ask('POST', '/v1/repositories', { location: '/srv/all', password })).json).toMatchObject({
        ...{ status: 409, code: 'conflict', field: 'location' },
      })
    const ofNode = { location: '/srv/all', client_id: 'n1' }
    const both = await Promise.all([1, 2].map(() => ask('POST', '/v1/repositories', ofNode)))
    expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 409])
    const elsewhere = (await ask('POST', '/v1/repositories', { location: '/srv/more' })).json
    const path = `/v1/repositories/${elsewhere.repository_id}`
    expect((await ask('PATCH', path, { location: '/srv/all' })).status).toBe(409)
    expect((await ask('PATCH', path, { location: '/srv/moved' })).status).toBe(200)
    // What has moved away leaves its place free.
    expect((await ask('POST', '/v1/repositories', { location: '/srv/more' })).status).toBe(201)
    expect((await ask('POST', '/v1/repositories', { location: 'relative' })).json).toMatchObject({
      status: 400,
      field: 'location',
    })
  })
})
