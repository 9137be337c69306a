import { writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parse as parseYaml } from 'yaml'
import { tempDir } from '../test/support/temp.ts'
import { fakeServer, type FakeServer } from './support/fake-server.ts'
import { firn, type Call } from './support/firn.ts'

let server: FakeServer
beforeEach(async () => {
  server = await fakeServer()
})
afterEach(() => server[Symbol.asyncDispose]())

const call = (line: string, more: Call = {}) =>
  firn(line.split(' '), { env: { FIRN_SERVER: server.url, FIRN_TOKEN: 'tok' }, ...more })

const hostile = 'x\x1b]0;owned\x07\u202e\x9b2J\ny'
const jobs = [
  {
    job_id: 'a1',
    client_id: 'node-1',
    description: 'nightly /etc',
    session_id: '',
    job_schedule: {
      schedule_interval: '1 days',
      status: 'scheduled',
      result: 'success',
      time_started: 1795297004,
    },
    job_actions: [
      {
        action_id: 'x',
        max_retries: 2,
        mandatory: true,
        freezer_action: { action: 'backup', backup_name: 'etc', path_to_backup: '/etc' },
      },
    ],
  },
  {
    job_id: 'b2',
    client_id: '日本-node',
    description: hostile,
    session_id: 's1',
    job_schedule: { schedule_hour: '3', schedule_minute: '30', status: 'running', result: 'fail' },
    job_actions: [{ freezer_action: { action: 'exec', command: ['/bin/echo', 'hi'] } }],
  },
]

describe('tables', () => {
  it('of jobs', async () => {
    server.json('GET /v1/jobs', { jobs })
    const { code, stdout, stderr } = await call('job ls')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout.split('\n')).toEqual([
      'JOB  CLIENT     ACTIONS     SCHEDULE           STATUS     RESULT   DESCRIPTION',
      'a1   node-1     backup etc  every 1 days       scheduled  success  nightly /etc',
      'b2   日本-node  exec        hour 3, minute 30  running    fail     x\\x1b]0;owned\\x07\\u202e\\x9b2J\\ny',
      '',
    ])
    expect(server.seen[0]).toMatchObject({
      path: '/v1/jobs?limit=101&offset=0',
      headers: { 'x-auth-token': 'tok' },
    })
  })

  it('of one job', async () => {
    server.json('GET /v1/jobs/a1', jobs[0])
    expect((await call('job get a1')).stdout).toBe(
      [
        'job          a1',
        'description  nightly /etc',
        'client       node-1',
        'schedule     every 1 days',
        'status       scheduled',
        'result       success',
        'started      2026-11-21T21:36:44Z',
        '',
        'ACTION  NAME  OF    RETRIES  MANDATORY',
        'backup  etc   /etc        2  yes',
        '',
      ].join('\n'),
    )
  })

  it('of jobs with a cron pattern, and of how often they fire', async () => {
    const more = { firn: { pattern: '30 2 * * *', count: 5 }, job_schedule: {} }
    const once = { firn: { count: 1 }, job_schedule: { schedule_date: '2027-01-31T00:00:00' } }
    server.json('GET /v1/jobs', {
      jobs: [
        { ...jobs[0], ...more },
        { ...jobs[0], ...once },
      ],
    })
    const { stdout } = await call('job ls')
    expect(stdout).toContain(' cron 30 2 * * *, 5 times ')
    expect(stdout).toContain(' at 2027-01-31T00:00:00, 1 time ')
  })

  it('of clients, sessions, sets, backups, tokens and what lies in a backup', async () => {
    server.json('GET /v1/clients', {
      clients: [
        {
          client: { client_id: 'node-1', hostname: 'db1' },
          firn: {
            line: 'up',
            since: '2026-11-21T10:00:00.000Z',
            agent: {
              version: '0.1.0',
              os: 'linux',
              engines: [
                { engine: 'restic', available: true, version: '0.14.0' },
                { engine: 'tar', available: false },
              ],
            },
            labels: { tier: 'web' },
          },
        },
        { client: { client_id: 'old', hostname: 'old' } },
      ],
    })
    server.json('GET /v1/sessions', {
      sessions: [
        {
          session_id: 's1',
          description: 'web tier',
          session_tag: 3,
          status: 'running',
          result: '',
          jobs: { a1: {}, b2: {} },
          time_start: 1795297004,
          schedule: {},
          hold_off: 30,
        },
      ],
    })
    server.json('GET /v1/sets', {
      sets: [setOf('ended', { result: 'partial', grade: 'G0', start_skew_us: 3520 })],
      next: null,
    })
    server.json('GET /v1/backups', {
      backups: [
        {
          backup_id: 'k1',
          backup_metadata: {
            backup_name: 'etc',
            hostname: 'db1',
            time_stamp: 1795297004,
            curr_backup_level: 1,
            path_to_backup: '/etc',
          },
          firn: { client_id: 'node-1', result: 'success', paths: ['/etc'] },
        },
      ],
    })
    server.json('GET /v1/tokens', {
      tokens: [
        {
          token_id: 't1',
          project_id: 'p1',
          user_name: 'alice',
          role: 'operator',
          created_at: '2026-11-21T10:00:00.000Z',
          expires_at: null,
        },
      ],
      next: null,
    })
    server.json('GET /v1/backups/k1/tree', {
      entries: [
        { path: '/etc/ssh', type: 'dir', size: 4096, mode: 0o755, mtime: '2026-11-21T10:00:00Z' },
        { path: '/etc/a\x1b[2J', type: 'file', size: 12, mode: 0o640, mtime: '2026-11-21T10:00:00Z' },
      ],
      more: true,
    })
    const shown = async (line: string) => (await call(line)).stdout.split('\n').slice(0, -1)
    expect(await shown('client ls')).toEqual([
      'CLIENT  HOSTNAME  LINE  SINCE                 AGENT  ENGINES',
      'node-1  db1       up    2026-11-21T10:00:00Z  0.1.0  restic 0.14.0',
      'old     old       -     -                     -      -',
    ])
    expect(await shown('session ls')).toEqual([
      'SESSION  DESCRIPTION  JOBS  TAG  STATUS   RESULT  STARTED               SCHEDULE',
      's1       web tier        2    3  running  -       2026-11-21T21:36:44Z  -',
    ])
    expect(await shown('set ls')).toEqual([
      'SESSION  TAG  PHASE  RESULT   GRADE  MEMBERS  STARTED                  SKEW  REASON',
      's1         3  ended  partial  G0           2  2026-11-21T21:36:44Z  3.52 ms  -',
    ])
    expect(await shown('backup ls')).toEqual([
      'BACKUP  CLIENT  NAME  TIME                  LEVEL  RESULT   PATH',
      'k1      node-1  etc   2026-11-21T21:36:44Z      1  success  /etc',
    ])
    expect(await shown('token ls')).toEqual([
      'TOKEN  PROJECT  USER   ROLE      CREATED               EXPIRES',
      't1     p1       alice  operator  2026-11-21T10:00:00Z  -',
    ])
    await call('token ls --all-projects')
    expect(server.seen.at(-1)?.path).toContain('all_projects=true')
    expect(await shown('backup tree k1 /etc')).toEqual([
      'MODE        SIZE  MODIFIED              PATH',
      'drwxr-xr-x     -  2026-11-21T10:00:00Z  /etc/ssh',
      '-rw-r-----  12 B  2026-11-21T10:00:00Z  /etc/a\\x1b[2J',
    ])
  })

  it('fit a terminal and are coloured there, unless nobody wants it', async () => {
    server.json('GET /v1/jobs', { jobs })
    const wide = await call('job ls', { columns: 80 })
    expect(wide.stdout).toContain('\x1b[32msuccess\x1b[0m')
    // eslint-disable-next-line no-control-regex -- the colours
    for (const line of wide.stdout.replaceAll(/\x1b\[\d+m/g, '').split('\n'))
      expect(line.length).toBeLessThanOrEqual(80)
    expect((await call('job ls --no-color', { columns: 80 })).stdout).not.toContain('\x1b')
    const env = { FIRN_SERVER: server.url, NO_COLOR: '1' }
    expect((await call('job ls', { columns: 80, env })).stdout).not.toContain('\x1b')
  })

  it('say what to do when there is nothing to show', async () => {
    server.json('GET /v1/sessions', { sessions: [] })
    expect(await call('session ls')).toEqual({
      code: 0,
      stdout: '',
      stderr: 'no sessions: "firn session create -f FILE" makes one\n',
    })
  })
})

describe('output for programs', () => {
  beforeEach(() => server.json('GET /v1/jobs', { jobs }))

  it('is the server\u2019s documents, whole and the same in each form', async () => {
    expect(JSON.parse((await call('job ls -o json')).stdout)).toEqual(jobs)
    const lines = (await call('job ls -o jsonl')).stdout.trimEnd().split('\n')
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(jobs)
    expect(parseYaml((await call('job ls -o yaml')).stdout)).toEqual(jobs)
    expect((await call('job ls -o name')).stdout).toBe('a1\nb2\n')
  })

  it('cannot steer a terminal either', async () => {
    for (const format of ['table', 'wide', 'json', 'jsonl', 'yaml', 'name']) {
      const { stdout } = await call(`job ls -o ${format}`)
      // eslint-disable-next-line no-control-regex -- none may be there
      expect(stdout).not.toMatch(/[\0-\x09\x0b-\x1f\x7f-\x9f\u202e]/)
    }
  })
})

describe('lists', () => {
  it('are read page by page to the limit, and say that there is more', async () => {
    const page = (from: number) => Array.from({ length: 2 }, (_, at) => ({ run_id: `r${from + at}` }))
    server.on('GET /v1/runs', (c) => {
      const from = Number(c.req.query('cursor') ?? 0)
      return c.json({ runs: page(from), next: from < 6 ? String(from + 2) : null })
    })
    const { stdout, stderr } = await call('run ls --limit 3 --job j1 --state running -o name')
    expect(stdout).toBe('r0\nr1\nr2\n')
    expect(stderr).toContain('there are more')
    expect(server.seen.map(({ path }) => path)).toEqual([
      '/v1/runs?job_id=j1&state=running&limit=3',
      '/v1/runs?job_id=j1&state=running&limit=1&cursor=2',
    ])
    expect((await call('run ls --all -o name')).stdout.trimEnd().split('\n')).toHaveLength(8)
  })

  it('of Freezer\u2019s API are searched by the server', async () => {
    server.json('GET /v1/jobs', { jobs: [] })
    await call('job ls --client node-1 --search etc')
    expect(JSON.parse(server.seen[0]?.body ?? '')).toEqual({
      match: [{ client_id: 'node-1' }, { _all: 'etc' }],
    })
  })
})

describe('creating', () => {
  it('takes JSON and YAML, one or several, from files and standard input', async () => {
    await using dir = await tempDir()
    let made = 0
    server.on('POST /v1/jobs', (c) => c.json({ job_id: `j${++made}` }, 201))
    const bodies = () => server.seen.splice(0).map(({ body }) => JSON.parse(body) as unknown)
    expect(await call('job create -f -', { stdin: '{"client_id": "a", "job_actions": []}' })).toMatchObject({
      code: 0,
      stdout: 'job j1 created\n',
    })
    expect(bodies()).toEqual([{ client_id: 'a', job_actions: [], firn: { autostart: false } }])
    await call('job create --start -f -', { stdin: '{"client_id": "a", "job_actions": []}' })
    expect(bodies()).toEqual([{ client_id: 'a', job_actions: [] }])
    writeFileSync(
      dir.join('jobs.yaml'),
      'client_id: a\njob_actions: []\n---\nclient_id: b\njob_actions: []\n',
    )
    expect((await call(`job create -f ${dir.join('jobs.yaml')} -o name`)).stdout).toBe('j3\nj4\n')
    expect(bodies()).toMatchObject([{ client_id: 'a' }, { client_id: 'b' }])
    await call('job create -f -', { stdin: '- {client_id: a}\n- {client_id: b}\n' })
    expect(bodies()).toHaveLength(2)
  })

  it('gives a document the id that it names', async () => {
    server.json('POST /v1/jobs/nightly', { job_id: 'nightly' }, 201)
    server.json('POST /v1/sessions/web', { session_id: 'web' }, 201)
    const job = '{"job_id": "nightly", "client_id": "a", "job_actions": []}'
    expect((await call('job create -f -', { stdin: job })).stdout).toBe('job nightly created\n')
    const session = '{"session_id": "web", "schedule": {}}'
    expect((await call('session create -f -', { stdin: session })).stdout).toBe('session web created\n')
  })

  it('names file and line of what it cannot read, and sends nothing', async () => {
    const says = async (stdin: string) => {
      const { code, stderr } = await call('job create -f -', { stdin })
      expect(code).toBe(2)
      return stderr
    }
    expect(await says('')).toContain('standard input is empty')
    expect(await says('just words')).toContain('standard input: this is no object')
    expect(await says('[1]')).toContain('this is no object')
    expect(await says('a: 1\nb: [1\n')).toMatch(/standard input, line \d/)
    expect(await says('{"a": 1,}\n}')).toMatch(/standard input, line 2/)
    expect(await says('a: &a [x]\nb: [*a, *nope]')).toMatch(/nope/)
    expect(await call('job create -f /does/not/exist')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('/does/not/exist cannot be read'),
    })
    expect(server.seen).toEqual([])
  })

  it('of a session adds its jobs', async () => {
    server.json('POST /v1/sessions', { session_id: 's1' }, 201)
    for (const job of ['a', 'b']) server.on(`PUT /v1/sessions/s1/jobs/${job}`, (c) => c.body(null, 204))
    expect(await call('session create --description web --job a --job b')).toMatchObject({
      code: 0,
      stdout: 'session s1 created\n',
    })
    expect(server.seen.map(({ method, path, body }) => [method, path, body])).toEqual([
      ['POST', '/v1/sessions', '{"schedule":{},"description":"web"}'],
      ['PUT', '/v1/sessions/s1/jobs/a', ''],
      ['PUT', '/v1/sessions/s1/jobs/b', ''],
    ])
  })
})

describe('doing', () => {
  it('sends what the API takes', async () => {
    server.json('POST /v1/jobs/a1/event', { result: 'success' }, 202)
    for (const [verb, said] of [
      ['start', 'active'],
      ['stop', 'stopped'],
      ['abort', 'its run is being cancelled'],
    ])
      expect((await call(`job ${verb} a1`)).stdout).toBe(`job a1: ${said}\n`)
    expect(server.seen.map(({ body }) => body)).toEqual(['{"start":null}', '{"stop":null}', '{"abort":null}'])

    server.on('DELETE /v1/jobs/a1', (c) => c.body(null, 204))
    server.on('DELETE /v1/jobs/a2', (c) => c.body(null, 204))
    expect((await call('job rm a1 a2')).stdout).toBe('job a1 deleted\njob a2 deleted\n')
    expect(await call('job rm a3 a1')).toMatchObject({ code: 4, stdout: '' })

    server.json('POST /v1/runs/r1/cancel', { run_id: 'r1', state: 'cancelling' }, 202)
    expect((await call('run cancel r1 --reason full')).stdout).toBe('run r1: cancelling\n')
    expect(server.seen.at(-1)?.body).toBe('{"reason":"full"}')

    server.json('POST /v1/join-tokens', { join_token: 'jt', expires_at: '2026-11-21T10:00:00.000Z' }, 201)
    expect(await call('client token node-4 --ttl 15m')).toMatchObject({
      stdout: 'join token  jt\nexpires     2026-11-21T10:00:00Z\n',
      stderr: 'it is shown only now\n',
    })
    expect(server.seen.at(-1)?.body).toBe('{"client_id":"node-4","ttl_seconds":900}')
    expect(await call('client token -o name')).toEqual({ code: 0, stdout: 'jt\n', stderr: '' })

    server.on('POST /v1/clients/node-4/revoke', (c) => c.body(null, 204))
    expect((await call('client revoke node-4')).stdout).toBe('client node-4 is revoked\n')

    server.json('POST /v1/tokens', { token_id: 't1', token: 'secret', user_id: 'u', role: 'operator' }, 201)
    expect((await call('token create --user u --project p2 --role operator -o name')).stdout).toBe('secret\n')
    expect(server.seen.at(-1)?.body).toBe('{"user_id":"u","project_id":"p2","role":"operator"}')
  })

  it('starts with a key of its own each time, or with the one given', async () => {
    server.json('POST /v1/runs', { runs: [{ run_id: 'r1', state: 'waiting' }] }, 202)
    await call('job run j1')
    await call('job run j1')
    await call('job run j1 --key nightly')
    const keys = server.seen.map(({ headers }) => headers['idempotency-key'])
    expect(new Set(keys).size).toBe(3)
    expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/)
    expect(keys[2]).toBe('nightly')
  })

  it('tells how long a hold-off lasts', async () => {
    server.json('POST /v1/sessions/s1/start', { detail: 'it was started 5 s ago' }, 409, {
      'retry-after': '25',
    })
    expect(await call('session start s1')).toMatchObject({
      code: 7,
      stderr: 'firn: it was started 5 s ago\n  try again in 25 s\n',
    })
  })

  it('restores a set, the newest when no tag is given', async () => {
    server.json('GET /v1/sets', { sets: [{ tag: 3 }, { tag: 12 }, { tag: 4 }], next: null })
    server.json(
      'POST /v1/restores',
      { restore_id: 'x1', runs: [{ run_id: 'r1', client_id: 'n1', state: 'waiting' }] },
      202,
    )
    const { code, stderr } = await call('set restore s1 --target /srv/{client} --overwrite')
    expect({ code, stderr }).toEqual({ code: 0, stderr: 'follow it: firn run watch r1\n' })
    expect(JSON.parse(server.seen[1]?.body ?? '')).toEqual({
      set: { session_id: 's1', tag: 12 },
      target: '/srv/{client}',
      overwrite: true,
    })
    await call('backup restore k1 --target /t --include /a --include /b --client n2')
    expect(JSON.parse(server.seen[2]?.body ?? '')).toEqual({
      backup_id: 'k1',
      client_id: 'n2',
      include: ['/a', '/b'],
      target: '/t',
    })
    server.json('GET /v1/sets', { sets: [], next: null })
    expect(await call('set get s9')).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('no set of a session s9'),
    })
  })

  it('knows who asks', async () => {
    server.json('GET /v1/whoami', { project_id: 'p1', user_id: 'u1', user_name: 'alice', role: 'admin' })
    expect((await call('whoami')).stdout).toBe(
      `server   ${server.url} (from the environment)\nproject  p1\nuser     alice\nrole     admin\n`,
    )
  })
})

it('completion for bash is a script that bash can read', async () => {
  const { execFileSync } = await import('node:child_process')
  const { stdout } = await call('completion bash')
  const complete = (words: string[]) =>
    execFileSync(
      'bash',
      [
        '-c',
        `${stdout}\nCOMP_WORDS=(${words.map((it) => `'${it}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _firn; echo "\${COMPREPLY[@]}"`,
      ],
      { encoding: 'utf8' },
    ).trim()
  expect(complete(['firn', 'se'])).toBe('server session set')
  expect(complete(['firn', 'session', 'st'])).toBe('start')
  expect(complete(['firn', 'session', 'start', '--w'])).toBe('--wait')
})

function setOf(phase: string, more: object = {}) {
  return {
    session_id: 's1',
    tag: 3,
    admitted_at: '2026-11-21T21:36:44.000Z',
    phase,
    result: null,
    grade: null,
    members: [{}, {}],
    ...more,
  }
}
