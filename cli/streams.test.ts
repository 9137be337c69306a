import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../test/support/eventually.ts'
import { fakeServer, type FakeServer } from './support/fake-server.ts'
import { firn, startFirn } from './support/firn.ts'

let server: FakeServer
beforeEach(async () => {
  server = await fakeServer()
})
afterEach(() => server[Symbol.asyncDispose]())

const call = (line: string) => firn(line.split(' '), { env: { FIRN_SERVER: server.url } })

describe('events', () => {
  const told = (id: number) => ({
    id: String(id),
    event: 'run.finished',
    data: {
      type: 'run.finished',
      at: '2026-11-21T10:00:00.000Z',
      client: 'n1',
      job: 'j1',
      run: `r${id}`,
      result: 'success',
    },
  })

  it('of the past are those that are kept, the last ones of them', async () => {
    for (const id of [1, 2, 3]) server.tell(told(id))
    const { code, stdout } = await call('events --limit 2')
    expect(code).toBe(0)
    expect(stdout).toBe(
      [
        '10:00:00.000Z run.finished     client=n1 job=j1 run=r2 result=success',
        '10:00:00.000Z run.finished     client=n1 job=j1 run=r3 result=success',
        '',
      ].join('\n'),
    )
  })

  it('are followed over a broken connection without losing or repeating one', async () => {
    const running = startFirn(['events', '-f', '-o', 'jsonl'], { env: { FIRN_SERVER: server.url } })
    await eventually(() => server.followers === 1)
    server.tell(told(1))
    await eventually(() => running.stdout().includes('"r1"'))
    server.cut()
    server.tell(told(2))
    await eventually(() => running.stdout().includes('"r2"'))
    server.tell(told(3))
    await eventually(() => running.stdout().includes('"r3"'))
    running.interrupt()
    expect(await running.exit).toBe(130)
    const lines = running.stdout().trimEnd().split('\n')
    expect(lines.map((line) => (JSON.parse(line) as { id: string }).id)).toEqual(['1', '2', '3'])
    expect(running.stderr()).toContain('trying again')
    expect(running.stderr()).toContain('connected again')
  })

  it('end quietly when nobody reads them any more', async () => {
    const running = startFirn(['events', '-f'], { env: { FIRN_SERVER: server.url } })
    await eventually(() => server.followers === 1)
    running.close()
    expect(await running.exit).toBe(0)
    expect(running.stderr()).toBe('')
  })

  it('cannot be followed without a token, or from what is no stream', async () => {
    server.json('GET /v1/events', { detail: 'no token' }, 401)
    expect(await call('events -f')).toMatchObject({ code: 5 })
    server.on('GET /v1/events', (c) => c.html('<html>proxy</html>'))
    expect(await call('events -f')).toMatchObject({ code: 1, stderr: expect.stringContaining('no JSON') })
  })
})

describe('logs', () => {
  const line = (n: number, level = 'info') =>
    `${JSON.stringify({ at: '2026-11-21T10:00:00.123Z', level, text: `line ${n}\x1b[2J` })}\n`

  it('are printed with time and level, and spelled out', async () => {
    server.on('GET /v1/runs/r1/logs', (c) => c.body(line(1) + line(2, 'error') + 'no json\n'))
    expect((await call('run logs r1')).stdout).toBe(
      ['10:00:00.123 info  line 1\\x1b[2J', '10:00:00.123 error line 2\\x1b[2J', 'no json', ''].join('\n'),
    )
  })

  it('are followed to the end of the run, over broken connections, each line once', async () => {
    let asked = 0
    server.json('GET /v1/runs/r1', { state: 'running' })
    server.on('GET /v1/runs/r1/logs', (c) => {
      asked++
      if (asked === 3) server.json('GET /v1/runs/r1', { state: 'finished' })
      return c.body(Array.from({ length: asked }, (_, at) => line(at + 1)).join(''))
    })
    const { code, stdout } = await call('run logs r1 -f')
    expect(code).toBe(0)
    expect(stdout.match(/line \d/g)).toEqual(['line 1', 'line 2', 'line 3'])
    expect(server.seen[0]?.path).toBe('/v1/runs/r1/logs?follow=true')
  })
})
