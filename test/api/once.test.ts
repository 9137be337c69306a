// Requests that are sent again because their answer was lost.
import { describe, expect, it } from 'vitest'
import { memoryStore, type MemoryBackend, type MemoryStore } from '../../controller/memory/backend.ts'
import { put } from '../../controller/state/documents.ts'
import { answerIdOf } from '../../controller/use-cases/kept-answers.ts'
import { Fault } from '../../core/fault.ts'
import { History } from '../../controller/reconcile/history.ts'
import { aBackup } from '../support/builders.ts'
import { admin, project, smallJob, startApi, type Api } from './harness.ts'

const withKey = (api: Api, path: string, body: unknown, key = 'k', as?: string) =>
  api.ask('POST', path, body, as, { 'idempotency-key': key })

async function withJob(store?: MemoryStore) {
  const api = await startApi({}, store)
  await api.enrolled('n1')
  await api.ask('POST', '/v1/jobs/j', smallJob('n1'))
  return api
}

/** A store whose process can be made to lose the answer to a commit that was stored. */
function forgetfulStore(): MemoryStore & {
  loseAnswerTo: ((kinds: readonly string[]) => boolean) | undefined
} {
  const store = memoryStore()
  const forgetful = {
    ...store,
    loseAnswerTo: undefined as ((kinds: readonly string[]) => boolean) | undefined,
    backend(): MemoryBackend {
      const backend = store.backend()
      const commit = backend.commit.bind(backend)
      backend.commit = async (transaction) => {
        const revision = await commit(transaction)
        const kinds = transaction.writes.map(({ kind }) => kind)
        if (!forgetful.loseAnswerTo?.(kinds)) return revision
        backend.stop()
        throw new Fault('store_down', 'the answer was lost')
      }
      return backend
    },
  }
  return forgetful
}

describe('a request with an idempotency key', () => {
  it('is answered as the first time when it comes again, and done once', async () => {
    const api = await withJob()
    const first = await withKey(api, '/v1/repositories', { location: '/srv/one' })
    const again = await withKey(api, '/v1/repositories/', { location: '/srv/one' })
    expect([again.status, again.json]).toEqual([201, first.json])
    expect([first, again].map(({ headers }) => headers.get('idempotency-replayed'))).toEqual([null, 'true'])
    expect(again.headers.get('etag')).toBe(first.headers.get('etag'))
    expect((await api.ask('GET', '/v1/repositories')).json.repositories).toHaveLength(1)
  })

  it('that starts something is answered as it was answered then', async () => {
    const api = await withJob()
    const { json } = await withKey(api, '/v1/runs', { job_id: 'j' })
    await api.ask('POST', `/v1/runs/${json.runs[0].run_id}/cancel`)
    expect((await withKey(api, '/v1/runs', { job_id: 'j' })).json).toEqual(json)
  })

  it('is refused when it asks for something else than the first', async () => {
    const api = await withJob()
    await withKey(api, '/v1/repositories', { location: '/srv/one' })
    for (const [path, body] of [
      ['/v1/repositories', { location: '/srv/two' }],
      ['/v1/runs', { job_id: 'j' }],
    ] as const)
      expect((await withKey(api, path, body)).json).toMatchObject({ status: 422, code: 'key_reused' })
  })

  it("has a key of its caller's own", async () => {
    const api = await withJob()
    const colleague = await api.token('admin', 'u-bob')
    const stranger = await api.token('admin', 'u-admin', 'p2')
    for (const as of [undefined, colleague, stranger]) {
      const { status, json } = await withKey(api, '/v1/repositories', { location: '/a' }, 'k', as)
      // Asked anew, and not answered with what another one got.
      expect([status, json.code]).toEqual(as === colleague ? [409, 'conflict'] : [201, undefined])
    }
  })

  it('starts for each user what that user asked for, and once', async () => {
    const api = await withJob()
    const colleague = await api.token('operator', 'u-bob')
    const start = async (as?: string) =>
      (await withKey(api, '/v1/runs', { job_id: 'j' }, 'k', as)).json.runs[0]
    const [own, theirs] = [await start(), await start(colleague)]
    expect(own.slot).toBe('manual:u-admin:k')
    expect(theirs.slot).toBe('manual:u-bob:k')
    expect(theirs.run_id).not.toBe(own.run_id)
    expect((await start(colleague)).run_id).toBe(theirs.run_id)
    expect((await api.ask('GET', '/v1/runs')).json.runs).toHaveLength(2)
  })

  it('restores, and starts sessions, for each user who asks', async () => {
    const api = await withJob()
    const colleague = await api.token('operator', 'u-bob')
    await api.context.state.commit({ requires: [], puts: [put('backup', project, 'b1', aBackup())] })
    const restored = async (as?: string) =>
      (await withKey(api, '/v1/restores', { backup_id: 'b1', target: '/back' }, 'k', as)).json
    const own = await restored()
    expect(own.restore_id).toBeDefined()
    expect((await restored(colleague)).restore_id).not.toBe(own.restore_id)
    const { session_id } = (await api.ask('POST', '/v1/sessions', { schedule: {} })).json
    await api.ask('PUT', `/v1/sessions/${session_id}/jobs/j`)
    const started = async (as?: string) =>
      (await withKey(api, `/v1/sessions/${session_id}/start`, {}, 's', as)).json
    expect((await started()).slot).toBe('manual:u-admin:s')
    // Not told of the other's start as if it were this one's.
    expect((await started(colleague)).code).toBe('busy')
  })

  it('may be corrected when nothing was done', async () => {
    const api = await withJob()
    expect((await withKey(api, '/v1/repositories', { location: 'no path' })).status).toBe(400)
    expect((await withKey(api, '/v1/repositories', { location: '/srv' })).status).toBe(201)
    expect((await withKey(api, '/v1/runs', { job_id: 'nowhere' }, 'k2')).status).toBe(404)
    expect((await withKey(api, '/v1/runs', { job_id: 'j' }, 'k2')).status).toBe(202)
  })

  it('waits for the answer to the same request at the same server', async () => {
    const api = await withJob()
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => withKey(api, '/v1/repositories', { location: '/srv/one' })),
    )
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
    expect(answers.filter(({ headers }) => headers.get('idempotency-replayed') === null)).toHaveLength(1)
  })

  it('that nothing came of is tried by each who waited, one after the other', async () => {
    const api = await withJob()
    const taken = { location: '/srv/taken' }
    await api.ask('POST', '/v1/repositories', taken)
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => withKey(api, '/v1/repositories', taken)),
    )
    expect(answers.map(({ status, json }) => [status, json.code])).toEqual(
      answers.map(() => [409, 'conflict']),
    )
  })

  it('gets the same answer from another server', async () => {
    const one = await withJob()
    const token = await one.token('admin')
    const other = await startApi({}, one.store)
    const first = await withKey(one, '/v1/repositories', { location: '/srv/one' }, 'k', token)
    const again = await withKey(other, '/v1/repositories', { location: '/srv/one' }, 'k', token)
    expect(again.json).toEqual(first.json)
  })

  it('keeps its answer out of sight', async () => {
    const api = await withJob()
    await withKey(api, '/v1/repositories', { location: '/srv/secret-place' })
    const [kept] = [...api.context.state.of('answer', project)]
    expect(JSON.stringify(kept?.value)).not.toContain('secret-place')
  })
})

describe('a request that broke off', () => {
  const caller = { project, user: admin, userName: 'admin', role: 'admin' } as const

  /** As another server leaves it behind, or has it in hand. */
  const leave = (api: Api, request: string, createdAt = api.now()) =>
    api.context.state.commit({
      requires: [],
      puts: [
        put('answer', project, answerIdOf(caller, 'k'), {
          ...{ id: answerIdOf(caller, 'k'), project, request, server: 'another', createdAt },
        }),
      ],
    })

  /** What the server notes of a request: found out by sending it. */
  async function requestOf(path: string, body: object): Promise<string> {
    const api = await withJob()
    await withKey(api, path, body)
    return [...api.context.state.of('answer', project)][0]?.value.request ?? ''
  }

  it('is busy while another server may still work on it, and then has an outcome that nobody knows', async () => {
    const api = await withJob()
    const body = { location: '/srv/one' }
    await leave(api, await requestOf('/v1/repositories', body))
    const busy = await withKey(api, '/v1/repositories', body)
    expect([busy.json.code, busy.headers.get('retry-after')]).toEqual(['busy', '1'])
    api.pass(61_000)
    expect((await withKey(api, '/v1/repositories', body)).json).toMatchObject({
      ...{ status: 409, code: 'outcome_unknown', detail: expect.stringContaining('look first') },
    })
    expect((await api.ask('GET', '/v1/repositories')).json.repositories).toEqual([])
  })

  it('is done again under the same slot where that is harmless', async () => {
    const api = await withJob()
    await leave(api, await requestOf('/v1/runs', { job_id: 'j' }))
    const { status, json } = await withKey(api, '/v1/runs', { job_id: 'j' })
    expect([status, json.runs[0].slot]).toEqual([202, 'manual:u-admin:k'])
  })

  it.each([
    ['before anything was done', (kinds: readonly string[]) => kinds.includes('answer')],
    ['after the run was stored', (kinds: readonly string[]) => kinds.includes('run')],
  ])('%s starts a run once', async (_, loseAnswerTo) => {
    const store = forgetfulStore()
    const api = await withJob(store)
    store.loseAnswerTo = loseAnswerTo
    expect((await withKey(api, '/v1/runs', { job_id: 'j' })).status).toBe(503)
    store.loseAnswerTo = undefined
    api.backend.resume()
    await api.context.state.catchUp()
    const again = await withKey(api, '/v1/runs', { job_id: 'j' })
    expect(again.status).toBe(202)
    expect((await withKey(api, '/v1/runs', { job_id: 'j' })).json).toEqual(again.json)
    expect((await api.ask('GET', '/v1/runs')).json.runs).toHaveLength(1)
  })

  it('after it was done is never done again where that does harm', async () => {
    const store = forgetfulStore()
    const api = await withJob(store)
    store.loseAnswerTo = (kinds) => kinds.includes('repository')
    expect((await withKey(api, '/v1/repositories', { location: '/a' })).status).toBe(503)
    store.loseAnswerTo = undefined
    api.backend.resume()
    await api.context.state.catchUp()
    expect((await withKey(api, '/v1/repositories', { location: '/a' })).json.code).toBe('outcome_unknown')
    expect((await api.ask('GET', '/v1/repositories')).json.repositories).toHaveLength(1)
  })

  it('is answered all the same when only the note of its answer was lost', async () => {
    const store = forgetfulStore()
    const api = await withJob(store)
    let notes = 0
    store.loseAnswerTo = (kinds) => kinds.includes('answer') && ++notes === 2
    const first = await withKey(api, '/v1/repositories', { location: '/a' })
    expect(first.status).toBe(201)
  })
})

it('kept answers of a project are never more than ten thousand: the oldest goes for a new one', async () => {
  const api = await withJob()
  const { state } = api.context
  const answer = { status: 201, body: '' }
  for (let from = 0; from < 10_000; from += 100)
    await state.commit({
      requires: [],
      puts: Array.from({ length: 100 }, (_, n) => {
        const id = `a${from + n}`
        return put('answer', project, id, { id, project, request: '', answer, createdAt: api.now() })
      }),
    })
  await withKey(api, '/v1/repositories', { location: '/srv' })
  expect(state.count('answer', project)).toBe(10_000)
  expect(state.get('answer', project, 'a0')).toBeUndefined()
  expect(state.get('answer', project, 'a1')).toBeDefined()
})

it('kept answers are forgotten after a day', async () => {
  const api = await withJob()
  await withKey(api, '/v1/repositories', { location: '/a' })
  api.pass(86_000_000)
  await withKey(api, '/v1/repositories', { location: '/b' }, 'k2')
  api.pass(1_000_000)
  const leadership = api.store.leadership()
  await new History({ context: api.context, epoch: () => leadership.epoch() }).sweep()
  expect([...api.context.state.of('answer', project)].map(({ value }) => value.id)).toHaveLength(1)
  expect(
    (await withKey(api, '/v1/repositories', { location: '/a' })).headers.get('idempotency-replayed'),
  ).toBe(null)
  expect(
    (await withKey(api, '/v1/repositories', { location: '/b' }, 'k2')).headers.get('idempotency-replayed'),
  ).toBe('true')
})
