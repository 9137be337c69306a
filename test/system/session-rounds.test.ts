// Schedulers of many clients at one session, all at once, through two servers over a real etcd.
import { randomBytes } from 'node:crypto'
import { expect, it, vi } from 'vitest'
import { serveHttp } from '../../api/serve.ts'
import { openEtcd } from '../../controller/etcd/open.ts'
import { State } from '../../controller/state/state.ts'
import { ensureToken } from '../../controller/use-cases/tokens.ts'
import { instant, type Clock } from '../../core/clock.ts'
import { systemClock } from '../../core/clock-system.ts'
import { tokenText } from '../../core/tokens.ts'
import { admin, project, smallJob, startApi, type Loose } from '../api/harness.ts'
import { eventually } from '../support/eventually.ts'
import { startEtcd } from '../support/servers.ts'

vi.setConfig({ testTimeout: 150_000 })

const rounds = 20
const holdOffS = 600
const clients = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
/** Jobs that come and go while the round is under way. */
const passing = ['w', 'x', 'y', 'z']

interface Answer {
  readonly status: number
  readonly json: Loose
}

/** Two servers over one store; requests go to them in turn. `pass` moves their clock. */
async function startServers() {
  const resources = new AsyncDisposableStack()
  const etcd = resources.use(await startEtcd())
  let offset = 0
  const clock: Clock = { ...systemClock, now: () => instant(Date.now() + offset) }
  const secret = { id: randomBytes(8).toString('hex'), secret: randomBytes(32).toString('base64url') }
  const token = tokenText(secret)
  const urls: string[] = []
  for (const server of ['one', 'other']) {
    const store = resources.use(openEtcd({ endpoints: [etcd.url], server, clock }))
    const state = resources.use(new State(store.backend, clock))
    await eventually(() => state.loaded)
    const { deps, context } = await startApi()
    const own = { ...context, state, clock }
    await ensureToken(own, token, { project, user: admin, userName: admin, role: 'admin' })
    urls.push(resources.use(await serveHttp({ ...deps, context: own }, { port: 0, host: '127.0.0.1' })).url)
  }
  let turn = 0
  const ask = async (method: string, path: string, body?: object): Promise<Answer> => {
    const response = await fetch(`${urls[turn++ % urls.length]}/v1/${path}`, {
      method,
      headers: { 'x-auth-token': token, 'content-type': 'application/json' },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
    const text = await response.text()
    return { status: response.status, json: text === '' ? undefined : JSON.parse(text) }
  }
  return {
    ask,
    pass: (ms: number) => void (offset += ms),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

const all = <T>(names: readonly string[], work: (name: string) => Promise<T>): Promise<T[]> =>
  Promise.all(names.map(work))

it('lose no start, no end, no job that comes and none that goes', async () => {
  await using servers = await startServers()
  const { ask, pass } = servers
  await ask('POST', 'sessions/s', { schedule: {}, session_tag: 0, hold_off: holdOffS })
  await all([...clients, ...passing], (name) => ask('POST', `jobs/${name}`, smallJob(name)))
  // A server may be a moment behind the other: what it shows is waited for.
  const shown = (standing: object, members: readonly string[], entry: object): Promise<Loose> =>
    eventually(async () => {
      const { json } = await ask('GET', 'sessions/s')
      expect(json).toMatchObject(standing)
      expect(Object.keys(json.jobs).toSorted()).toEqual(members)
      for (const name of clients) expect(json.jobs[name]).toMatchObject(entry)
      return json
    })
  const added = await all(clients, (name) => ask('PUT', `sessions/s/jobs/${name}`))
  expect(added.map(({ status }) => status)).toEqual(clients.map(() => 204))

  for (let round = 1; round <= rounds; round++) {
    const [started, joined] = await Promise.all([
      all(clients, (job_id) =>
        ask('POST', 'sessions/s/action', { start: { job_id, current_tag: round - 1 } }),
      ),
      all(passing, (name) => ask('PUT', `sessions/s/jobs/${name}`)),
    ])
    expect(started).toEqual(
      clients.map(() => ({ status: 202, json: { result: 'success', session_tag: round } })),
    )
    expect(joined.map(({ status }) => status)).toEqual(passing.map(() => 204))
    await shown({ status: 'running', session_tag: round }, [...clients, ...passing], {
      ...{ status: 'running', result: '' },
    })

    const [ended, left] = await Promise.all([
      all(clients, (job_id) =>
        ask('POST', 'sessions/s/action', { end: { job_id, current_tag: round, result: 'success' } }),
      ),
      all(passing, (name) => ask('DELETE', `sessions/s/jobs/${name}`)),
    ])
    expect(ended).toEqual(started)
    expect(left.map(({ status }) => status)).toEqual(passing.map(() => 204))
    await shown({ status: 'completed', result: 'success', session_tag: round }, clients, {
      ...{ status: 'completed', result: 'success' },
    })
    for (const name of passing)
      await eventually(async () =>
        expect((await ask('GET', `jobs/${name}`)).json).toMatchObject({ session_id: '', session_tag: 0 }),
      )
    pass((holdOffS + 1) * 1000)
  }
})
