// `firn up` as somebody uses it who has just cloned the repository.
import { existsSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { childrenOf, isAlive, launchFirn, processesNaming, type Launched } from '../support/launched.ts'
import { freePort } from '../support/ports.ts'
import { tempDir, type TempDir } from '../support/temp.ts'

/** What scripts read. */
interface Ready {
  url: string
  token: string
  project_id: string
  clients: string[]
  etcd: string
  nats: string
  pids: Record<string, number>
}

const startMs = 60_000
/** Several starts and stops in one test, on a busy machine. */
const testMs = 180_000
/** For the end of everything after the launcher was killed: some 2 s on an idle machine. */
const goneMs = 45_000

interface Up {
  readonly launched: Launched
  readonly ready: Ready
  readonly readyFile: string
}

async function up(dir: TempDir, port: number, more: readonly string[] = []): Promise<Up> {
  const readyFile = dir.join('ready.json')
  const launched = launchFirn([
    ...['up', '--data', dir.join('data'), '--port', `${port}`, '--ready-file', readyFile],
    ...(more.length > 0 ? more : ['--agents', '1']),
  ])
  await eventually(
    () => {
      const isReady = existsSync(readyFile) && launched.output.includes('Ctrl-C')
      return isReady || launched.child.exitCode !== null
    },
    { withinMs: startMs },
  )
  if (launched.child.exitCode !== null) throw new Error(launched.output)
  return { launched, readyFile, ready: await readReady(readyFile) }
}

const readReady = async (file: string): Promise<Ready> => JSON.parse(await readFile(file, 'utf8')) as Ready

async function get(ready: Ready, path: string, token = ready.token): Promise<Response> {
  return fetch(`${ready.url}${path}`, { headers: { 'x-auth-token': token } })
}

async function expectGone(dir: TempDir, pids: Record<string, number>, withinMs = goneMs): Promise<void> {
  await eventually(
    () => {
      expect(Object.entries(pids).filter(([, pid]) => isAlive(pid))).toEqual([])
      expect(processesNaming(dir.path)).toEqual([])
      return true
    },
    { withinMs },
  )
}

describe('firn up', { timeout: testMs }, () => {
  it('brings everything up, says how to reach it, keeps the data over a stop, and leaves nothing running', async () => {
    await using dir = await tempDir('up')
    const port = await freePort()
    let job = ''
    let first: Ready
    {
      const { launched, ready, readyFile } = await up(dir, port, ['--agents', '2', '--servers', '2'])
      await using _end = launched
      first = ready
      expect(ready).toMatchObject({ url: `http://127.0.0.1:${port}`, clients: ['node-1', 'node-2'] })
      expect(Object.keys(ready.pids).sort()).toEqual(
        ['agent-1', 'agent-2', 'etcd', 'launcher', 'nats', 'server-1', 'server-2', 'watchdog'].sort(),
      )
      expect((await stat(readyFile)).mode & 0o077).toBe(0)
      expect(launched.output).toContain(ready.url)
      expect(launched.output).toContain(ready.token)

      expect((await get(ready, '/v1/whoami')).status).toBe(200)
      expect((await get(ready, '/v1/whoami', 'wrong')).status).toBe(401)
      const made = await fetch(`${ready.url}/v1/jobs`, {
        method: 'POST',
        headers: { 'x-auth-token': ready.token, 'content-type': 'application/json' },
        body: JSON.stringify({ client_id: 'node-1', description: 'kept', job_actions: [] }),
      })
      expect(made.status).toBe(201)
      job = ((await made.json()) as { job_id: string }).job_id

      launched.child.kill('SIGTERM')
      expect(await launched.ended()).toBe(0)
      expect(launched.output).toMatch(/waiting for 2 agents[^]*2 servers[^]*NATS[^]*etcd/)
      expect(existsSync(readyFile)).toBe(false)
      await expectGone(dir, ready.pids)
    }

    const again = await up(dir, port)
    await using _end = again.launched
    expect(again.ready.token).toBe(first.token)
    expect(await (await get(again.ready, `/v1/jobs/${job}`)).json()).toMatchObject({ description: 'kept' })
    again.launched.child.kill('SIGINT')
    expect(await again.launched.ended()).toBe(0)
    await expectGone(dir, again.ready.pids)
  })

  it('refuses a data directory and a port that are in use, in one line', async () => {
    await using dir = await tempDir('up')
    const { launched, ready } = await up(dir, await freePort(), ['--agents', '0'])
    await using _end = launched

    await using second = launchFirn(['up', '--data', dir.join('data'), '--port', `${await freePort()}`])
    expect(await second.ended()).toBe(1)
    expect(second.output.trimEnd()).toMatch(
      /^firn up: the data directory .* is in use by another launcher \(pid \d+\)$/,
    )

    const port = new URL(ready.url).port
    await using third = launchFirn(['up', '--data', dir.join('other'), '--port', port])
    expect(await third.ended()).toBe(1)
    expect(third.output.trimEnd()).toBe(
      `firn up: port ${port} of 127.0.0.1 is in use: choose another with --port`,
    )
    expect((await get(ready, '/v1/whoami')).status).toBe(200)
    launched.child.kill('SIGTERM')
    await launched.ended()
    await expectGone(dir, ready.pids)
  })

  it('refuses words that it does not know', async () => {
    await using asked = launchFirn(['up', '--agents', 'many'])
    expect(await asked.ended()).toBe(2)
    expect(asked.output).toContain('--agents must be a whole number from 0 to 100, not "many"')
  })

  it('leaves nothing running when the launcher is killed', async () => {
    await using dir = await tempDir('up')
    const { launched, ready } = await up(dir, await freePort())
    await using _end = launched
    launched.child.kill('SIGKILL')
    await expectGone(dir, ready.pids)
  })

  it('replaces a watchdog that was killed', async () => {
    await using dir = await tempDir('up')
    const { launched, ready } = await up(dir, await freePort(), ['--agents', '0'])
    await using _end = launched
    const { watchdog = 0 } = ready.pids
    const known = new Set(childrenOf(launched.pid))
    process.kill(watchdog, 'SIGKILL')
    await eventually(() => childrenOf(launched.pid).some((pid) => !known.has(pid)))
    launched.child.kill('SIGKILL')
    await expectGone(dir, ready.pids)
  })

  it('ends at the next start what outlived launcher and watchdog killed together', async () => {
    await using dir = await tempDir('up')
    const port = await freePort()
    const { launched, ready } = await up(dir, port)
    await using _end = launched
    launched.child.kill('SIGSTOP') // so that it cannot replace the watchdog
    process.kill(ready.pids['watchdog'] ?? 0, 'SIGKILL')
    launched.child.kill('SIGKILL')
    await launched.ended()
    expect(isAlive(ready.pids['etcd'] ?? 0)).toBe(true)

    const again = await up(dir, port)
    await using _again = again.launched
    expect(Object.values(ready.pids).filter(isAlive)).toEqual([])
    again.launched.child.kill('SIGTERM')
    await again.launched.ended()
    await expectGone(dir, again.ready.pids)
  })

  it('starts again what crashes, and tells its new pid', async () => {
    await using dir = await tempDir('up')
    const { launched, ready, readyFile } = await up(dir, await freePort())
    await using _end = launched
    for (const name of ['agent-1', 'server-1', 'nats', 'etcd']) {
      const before = (await readReady(readyFile)).pids[name] ?? 0
      process.kill(before, 'SIGKILL')
      await eventually(async () => (await readReady(readyFile)).pids[name] !== before, { withinMs: startMs })
      expect(launched.output).toContain(`${name} has ended (SIGKILL); starting it again`)
    }
    await eventually(async () => (await get(ready, '/readyz')).status === 200, { withinMs: 30_000 })
    launched.child.kill('SIGTERM')
    expect(await launched.ended()).toBe(0)
    await expectGone(dir, ready.pids)
  })

  it('goes to another port where somebody else listens now', async () => {
    await using dir = await tempDir('up')
    const first = await up(dir, await freePort(), ['--agents', '0'])
    await using _end = first.launched
    first.launched.child.kill('SIGTERM')
    await first.launched.ended()
    const ports = JSON.parse(await readFile(dir.join('data/ports.json'), 'utf8')) as Record<string, number>
    const squatter = createServer().listen(ports['nats'], '127.0.0.1')
    await once(squatter, 'listening')
    const again = await up(dir, await freePort(), ['--agents', '0'])
    await using _again = again.launched
    expect(again.ready.nats).not.toBe(first.ready.nats)
    squatter.close()
    again.launched.child.kill('SIGTERM')
    await again.launched.ended()
    await expectGone(dir, again.ready.pids)
  })
})
