// The process itself: what only a real one shows.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { eventually } from '../test/support/eventually.ts'
import { fakeServer } from './support/fake-server.ts'

const program = path.join(import.meta.dirname, 'main.ts')

function firn(argv: readonly string[], env: Record<string, string>) {
  const child = spawn(process.execPath, [program, ...argv], {
    env: { PATH: process.env['PATH'], HOME: '/nonexistent', ...env },
  })
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text))
  return { child, output, exit: once(child, 'close').then(([code]) => code as number | null) }
}

describe('the process', () => {
  it('writes everything before it ends, however much it is', async () => {
    await using server = await fakeServer()
    const runs = Array.from({ length: 1000 }, (_, at) => ({
      run_id: `run-${at}`,
      reason: { text: 'x'.repeat(500) },
    }))
    server.json('GET /v1/runs', { runs, next: null })
    const { output, exit } = firn(['run', 'ls', '--all', '-o', 'json'], { FIRN_SERVER: server.url })
    expect(await exit).toBe(0)
    expect(JSON.parse(output.stdout)).toEqual(runs)
  })

  it('does not mind that its reader goes away', async () => {
    await using server = await fakeServer()
    server.json('GET /v1/runs', {
      runs: Array.from({ length: 1000 }, () => ({ reason: { text: 'x'.repeat(500) } })),
      next: null,
    })
    const { child, output, exit } = firn(['run', 'ls', '--all', '-o', 'json'], { FIRN_SERVER: server.url })
    child.stdout.once('data', () => child.stdout.destroy())
    expect(await exit).toBe(0)
    expect(output.stderr).toBe('')
  })

  it('ends on Ctrl-C as shells expect, while it waits and while it follows', async () => {
    await using server = await fakeServer()
    server.json('GET /v1/sets/s/1', {
      session_id: 's',
      tag: 1,
      phase: 'started',
      members: [{ client_id: 'n', run_id: 'r', state: 'running' }],
    })
    for (const argv of [
      ['session', 'watch', 's', '--tag', '1'],
      ['events', '-f'],
    ]) {
      const { child, output, exit } = firn(argv, { FIRN_SERVER: server.url })
      await eventually(() => server.followers === 1)
      child.kill('SIGINT')
      expect(await exit).toBe(130)
      expect(output.stderr).toContain('interrupted')
      await eventually(() => server.followers === 0)
    }
  })

  it('needs no server, no home and no terminal to say how it is used', async () => {
    const { output, exit } = firn(['--help'], {})
    expect(await exit).toBe(0)
    expect(output.stdout).toContain('usage: firn')
  })
})
