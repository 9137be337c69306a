import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../test/support/eventually.ts'
import { fakeServer, type FakeServer } from './support/fake-server.ts'
import { firn, startFirn, type Call } from './support/firn.ts'

const MIB = 1024 ** 2
const SET = 'GET /v1/sets/s1/3'

let server: FakeServer
beforeEach(async () => {
  server = await fakeServer()
})
afterEach(() => server[Symbol.asyncDispose]())

const start = (line: string, more: Call = {}) =>
  startFirn(line.split(' '), { env: { FIRN_SERVER: server.url }, ...more })

const looks = () => server.seen.filter(({ path }) => path === '/v1/sets/s1/3').length

interface Member {
  state?: string
  result?: string | null
  progress?: object | null
  stats?: object | null
}

function setOf(phase: string, members: readonly Member[], more: object = {}) {
  return {
    ...{
      session_id: 's1',
      tag: 3,
      admitted_at: '2026-11-21T10:00:00.000Z',
      phase,
      result: null,
      grade: null,
    },
    ...{ reason: null, start_skew_us: null, start_error_us: null, ended_at: null },
    members: members.map((member, at) => ({
      ...{ job_id: `j${at}`, client_id: `node-${at + 1}`, run_id: `r${at + 1}`, backup_ids: [] },
      ...{
        result: null,
        started_at: '2026-11-21T10:00:00.000Z',
        ended_at: null,
        stats: null,
        progress: null,
      },
      ...member,
    })),
    ...more,
  }
}

const ended = (result: string) =>
  setOf(
    'ended',
    [
      {
        state: 'finished',
        result: 'success',
        stats: { files_new: 1200, files_unmodified: 34, bytes_processed: 3 * MIB, bytes_added: MIB },
      },
      { state: 'finished', result },
    ],
    { result, grade: 'G0', start_skew_us: 3520, start_error_us: 85, ended_at: '2026-11-21T10:01:00.000Z' },
  )

describe('waiting for a session off a terminal', () => {
  it('prints a line for each change, then the set; nothing else, and no codes', async () => {
    server.json('POST /v1/sessions/s1/start', setOf('preparing', []), 202)
    server.json(SET, setOf('preparing', [{ state: 'waiting' }, { state: 'waiting' }]))
    const running = start('session start s1 --wait')
    await eventually(() => running.stderr().includes('node-2: waiting'))
    await eventually(() => server.followers === 1)
    server.json(
      SET,
      setOf('started', [
        { state: 'running', progress: { step: 0, phase: 'scan', done: 5, errors: 0 } },
        { state: 'running' },
      ]),
    )
    server.tell({ id: '1', event: 'set.started', data: { type: 'set.started', set: 's1.3' } })
    await eventually(() => running.stderr().includes('node-1: scan'))
    server.tell({
      event: 'run.progress',
      data: {
        type: 'run.progress',
        run: 'r1',
        step: 0,
        phase: 'transfer',
        done: MIB,
        total: 4 * MIB,
        fraction: 0.25,
        bytes_per_second: MIB,
        seconds_left: 3,
        errors: 2,
      },
    })
    await eventually(() => running.stderr().includes('node-1: transfer'))
    server.json(SET, ended('partial'))
    server.tell({ id: '2', event: 'run.finished', data: { run: 'r1' } })
    expect(await running.exit).toBe(3)
    const lines = running.stderr().trimEnd().split('\n')
    expect(lines.filter((line) => !line.startsWith('all:'))).toEqual([
      'session s1, tag 3: preparing',
      'node-1: waiting',
      'node-2: waiting',
      'session s1, tag 3: started',
      'node-1: scan, 5 B',
      'node-2: running',
      'node-1: transfer, 2 errors, 25%, 1.00 MiB of 4.00 MiB, 1.00 MiB/s, 0:03 left',
      'session s1, tag 3: ended',
      'node-1: success, 100%, 3.00 MiB',
      'node-2: partial, 100%',
    ])
    expect(running.stdout()).toBe(
      [
        'session     s1',
        'tag         3',
        'phase       ended',
        'result      partial',
        'grade       G0',
        'started     2026-11-21T10:00:00Z',
        'ended       2026-11-21T10:01:00Z',
        'start skew  3.52 ms ± 85 µs',
        '',
        'CLIENT  STATUS   FILES      READ     ADDED  DURATION  RUN',
        'node-1  success  1,234  3.00 MiB  1.00 MiB         -  r1',
        'node-2  partial      -         -         -         -  r2',
        '',
      ].join('\n'),
    )
    // eslint-disable-next-line no-control-regex -- none may be there
    expect(running.stderr()).not.toMatch(/[\0-\x09\x0b-\x1f]/)
  })

  it.each([
    ['success', 0],
    ['partial', 3],
    ['failed', 1],
    ['aborted', 1],
    ['lost', 1],
  ])('ends with the result %s: exit %i', async (result, code) => {
    server.json(SET, ended(result))
    expect(await start('session watch s1 --tag 3').exit).toBe(code)
  })

  it('keeps data and progress apart', async () => {
    server.json(SET, ended('success'))
    server.json('GET /v1/sets', { sets: [setOf('ended', [])], next: null })
    const { code, stdout, stderr } = await firn(['session', 'watch', 's1', '-o', 'json'], {
      env: { FIRN_SERVER: server.url },
    })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toEqual(ended('success'))
  })
})

describe('waiting', () => {
  const isWatching = async () => {
    await eventually(() => server.followers === 1)
    await eventually(() => looks() >= 2)
  }

  it('does not need events: it looks now and then in any case', async () => {
    server.on('GET /v1/events', (c) => c.json({ detail: 'NATS is away' }, 503))
    server.json(SET, setOf('started', [{ state: 'running' }]))
    const running = start('session watch s1 --tag 3')
    await eventually(() => looks() >= 3)
    server.json(SET, ended('success'))
    expect(await running.exit).toBe(0)
  })

  it('looks again when the events may have had a gap', async () => {
    server.json(SET, setOf('started', [{ state: 'running' }]))
    const running = start('session watch s1 --tag 3', { pace: { pollMs: 60_000, pollMaxMs: 60_000 } })
    await isWatching()
    server.json(SET, ended('success'))
    server.cut()
    expect(await running.exit).toBe(0)
  })

  it('does not look at every event of others', async () => {
    server.json(SET, setOf('started', [{ state: 'running' }]))
    const running = start('session watch s1 --tag 3', { pace: { pollMs: 60_000, pollMaxMs: 60_000 } })
    await isWatching()
    const before = looks()
    for (let n = 0; n < 50; n++) server.tell({ event: 'run.running', data: { run: `other-${n}` } })
    server.tell({ event: 'run.progress', data: { run: 'r1', phase: 'transfer', done: 7 } })
    await eventually(() => running.stderr().includes('transfer'))
    expect(looks()).toBe(before)
    running.interrupt()
    await running.exit
  })

  it('bears a server that restarts', async () => {
    server.json(SET, setOf('started', [{ state: 'running' }]))
    const running = start('session watch s1 --tag 3')
    await isWatching()
    const port = Number(new URL(server.url).port)
    await server[Symbol.asyncDispose]()
    await eventually(() => running.stderr().includes('nothing listens there; trying again'))
    server = await fakeServer(port)
    server.json(SET, ended('success'))
    expect(await running.exit).toBe(0)
    expect(running.stderr()).toContain('the server is back')
  })

  it('gives up a server that stays away, and says that the work may go on', async () => {
    server.json(SET, setOf('started', [{ state: 'running' }]))
    const running = start('session watch s1 --tag 3', { pace: { patienceMs: 100 } })
    await isWatching()
    server.json(SET, { detail: 'no etcd' }, 503)
    expect(await running.exit).toBe(6)
    expect(running.stderr()).toContain('the work may well go on; follow it: firn session watch s1 --tag 3')
  })

  it('stops at once when what it waits for is gone', async () => {
    expect(await start('session watch s1 --tag 3').exit).toBe(4)
  })

  it('interrupted, says that the work goes on and how to follow or cancel it', async () => {
    server.json(SET, setOf('started', [{ state: 'running' }]))
    const running = start('session watch s1 --tag 3')
    await isWatching()
    running.interrupt()
    expect(await running.exit).toBe(130)
    expect(running.stderr()).toContain(
      'firn: interrupted by SIGINT; the work goes on at the server\n' +
        '  follow it: firn session watch s1 --tag 3; cancel it: firn set cancel s1 3\n',
    )
    expect(running.stdout()).toBe('')
  })

  it('shows bars on a terminal and leaves the last of them', async () => {
    server.json(
      SET,
      setOf('started', [
        {
          state: 'running',
          progress: { step: 0, phase: 'transfer', done: MIB, total: 4 * MIB, fraction: 0.25, errors: 0 },
        },
        { state: 'waiting' },
      ]),
    )
    const env = { FIRN_SERVER: server.url, LANG: 'C.UTF-8' }
    const running = startFirn(['session', 'watch', 's1', '--tag', '3'], { env, columns: 100 })
    await eventually(() => running.stderr().includes('█'))
    server.json(SET, ended('success'))
    expect(await running.exit).toBe(0)
    expect(running.stderr()).toContain('\x1b[3A')
    expect(running.stderr()).toContain('1.00 MiB / 4.00 MiB')
    expect(running.stderr().trimEnd()).toMatch(/node-2.*success\S*\n\S*$/)
  })
})

describe('waiting for runs and restores', () => {
  const run = (id: string, state: string, result: string | null = null) => ({
    ...{
      run_id: id,
      client_id: 'node-1',
      job_id: 'j1',
      state,
      result,
      attempt: 1,
      purpose: 'job',
      progress: null,
    },
    ...{
      slot: 'manual:k',
      session: null,
      steps: [{ do: 'backup', engine: 'restic', tries: 1, result, item_error_count: 0 }],
    },
    ...{ reason: result === 'failed' ? { code: 'no_space', text: 'the disk is full' } : null },
  })

  it('job run --wait shows the run, and its reason', async () => {
    server.json('POST /v1/runs', { runs: [run('r1', 'waiting')] }, 202)
    server.json('GET /v1/runs/r1', run('r1', 'finished', 'failed'))
    const { code, stdout } = await firn(['job', 'run', 'j1', '--wait'], { env: { FIRN_SERVER: server.url } })
    expect(code).toBe(1)
    expect(stdout).toContain('reason   the disk is full')
  })

  it('several runs end as the worst of them', async () => {
    server.json('GET /v1/runs/r1', run('r1', 'finished', 'success'))
    server.json('GET /v1/runs/r2', run('r2', 'running'))
    const running = start('run watch r1 r2')
    await eventually(() => running.stderr().includes('node-1 j1: running'))
    server.json('GET /v1/runs/r2', run('r2', 'finished', 'partial'))
    expect(await running.exit).toBe(3)
    expect(running.stdout().split('\n')).toHaveLength(4)
  })

  it('a restore ends as the server says', async () => {
    server.json('POST /v1/restores', { restore_id: 'x1', runs: [run('r1', 'waiting')] }, 202)
    server.json('GET /v1/restores/x1', {
      restore_id: 'x1',
      runs: [run('r1', 'finished', 'success')],
      result: 'success',
    })
    const { code, stdout } = await firn(['set', 'restore', 's1', '3', '--target', '/t', '--wait'], {
      env: { FIRN_SERVER: server.url },
    })
    expect(code).toBe(0)
    expect(stdout).toContain('result   success')
  })
})
