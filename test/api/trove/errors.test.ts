// Errors: their one shape, and a test for each status code and what it is for.
import { describe, expect, it } from 'vitest'
import { Fault } from '../../../core/fault.ts'
import type { Instance, InstanceBackup } from '../../../core/instance.ts'
import { put } from '../../../controller/state/documents.ts'
import { answerTo } from '../../../api/faults.ts'
import { troveRoutes } from '../../../api/trove/routes.ts'
import type { Answer } from '../harness.ts'
import { newBackupId, node, otherProject, startTrove } from './rig.ts'

const keys = {
  400: 'badRequest',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'itemNotFound',
  405: 'badMethod',
  409: 'conflict',
  413: 'overLimit',
  415: 'badMediaType',
  422: 'unprocessableEntity',
  500: 'instanceFault',
  501: 'notImplemented',
  503: 'serviceUnavailable',
} as const

/** An error that Trove's clients can read: one key, which is the fault's name, and JSON without a Retry-After. */
function expectFault({ status, json, headers, text }: Answer, wanted: keyof typeof keys): void {
  expect([status, text]).toEqual([wanted, expect.anything()])
  expect(Object.keys(json)).toEqual([keys[wanted]])
  expect(json[keys[wanted]]).toMatchObject({ code: wanted, message: expect.stringMatching(/./) })
  expect(headers.get('content-type')).toBe('application/json')
  if (wanted !== 413) expect(headers.get('retry-after')).toBeNull()
}

const concrete = (path: string): string =>
  path.replace(':accountId', 'p1').replace(/:\w+/g, () => newBackupId())

const rows = troveRoutes
  .filter(({ role }) => role !== 'nobody')
  .map(({ method, path, role }) => ({ method, path, role, body: method === 'POST' ? {} : undefined }))
const posts = rows.filter(({ method }) => method === 'POST')

describe.each(rows)('$method $path', ({ method, path, body }) => {
  it('is 401 without a token, or with one that is unknown', async () => {
    const trove = await startTrove()
    for (const token of ['', 'nonsense', `firn_${'0'.repeat(16)}_${'x'.repeat(43)}`]) {
      const answer = await trove.api.ask(method, concrete(path), body, token)
      expectFault(answer, 401)
      expect(answer.headers.get('www-authenticate')).toBeTruthy()
    }
  })

  it("is 403 when the account in the path is not the token's, for administrators too", async () => {
    const trove = await startTrove()
    for (const token of [trove.viewer, trove.operator, trove.admin])
      expectFault(await trove.api.ask(method, concrete(path).replace('/p1', '/p2'), body, token), 403)
  })
})

it.each(rows.filter(({ role }) => role !== 'viewer'))(
  '$method $path is 403 for a viewer',
  async ({ method, path, body }) => {
    const trove = await startTrove()
    expectFault(await trove.api.ask(method, concrete(path), body, trove.viewer), 403)
  },
)

it.each(rows.filter(({ method }) => method === 'GET'))('$path knows no HEAD', async ({ path }) => {
  const trove = await startTrove()
  const { status, text } = await trove.api.ask('HEAD', concrete(path), undefined, trove.admin)
  expect([status, text]).toEqual([405, ''])
})

describe.each(posts)('a body of POST $path', ({ path }) => {
  const post = async (body: unknown, type = 'application/json') => {
    const trove = await startTrove()
    const answer = await trove.api.ask('POST', concrete(path), body, trove.operator, { 'content-type': type })
    expect(trove.stored()).toEqual([])
    return answer
  }

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp', 'multipart/json', ''])(
    'is 415 as %s',
    async (type) => expectFault(await post({}, type), 415),
  )

  it.each(['application/json; charset=UTF-8', 'Application/JSON'])('may be %s', async (type) =>
    expectFault(await post({}, type), 400),
  )

  const wrong = ['{', '"', '[1,', '\u0000', undefined, '', '{}', '[]', 'null', '1', '"x"', '{"x":1}']
  it.each(wrong)('is 400 when it is no JSON, is not there, or is without its key: %j', async (text) =>
    expectFault(await post(text), 400),
  )
})

describe('a path', () => {
  it('with a slash too many is 404, not a method that it says is possible', async () => {
    const { ask } = await startTrove()
    for (const path of ['/backups//', '/instances//'])
      expect((await ask('GET', path)).json).toEqual({
        itemNotFound: { code: 404, message: expect.stringContaining('nothing is at') },
      })
  })

  it('that does not exist is 404', async () => {
    const trove = await startTrove()
    for (const path of ['', '/nothing', '/backups/a/b', '/clusters', '/instances/x/action'])
      expectFault(await trove.ask('GET', path), 404)
  })

  it('with another method is 405', async () => {
    const trove = await startTrove()
    for (const [method, path] of [
      ['PUT', `/backups/${newBackupId()}`],
      ['PATCH', `/backups/${newBackupId()}`],
      ['DELETE', '/backups'],
      ['POST', `/instances/${newBackupId()}/backups`],
    ] as const)
      expectFault(await trove.ask(method, path, {}), 405)
  })
})

describe('POST backups', () => {
  const post = async (over: Partial<Instance>, agent?: object) => {
    const trove = await startTrove()
    const instance = await trove.instanceIs({ key: 'other', ...over })
    if (agent) {
      const { state } = trove.api.context
      const client = state.get('client', 'p1', node)!.value
      await state.commit({
        requires: [],
        puts: [put('client', 'p1', node, { ...client, agent: { ...client.agent!, ...agent } })],
      })
    }
    return trove.post({ name: 'a', instance: instance.id })
  }

  it('is 404 for an instance that is unknown', async () => {
    const trove = await startTrove()
    const id = newBackupId()
    const answer = await trove.post({ name: 'a', instance: id })
    expectFault(answer, 404)
    expect(answer.text).toContain(id)
  })

  it("is 404 for another account's instance", async () => {
    expectFault(await post({ project: otherProject }), 404)
  })

  const notReady: Instance['state'][] = [
    { is: 'building', run: 'r' as never },
    { is: 'down', why: 'it is locked' },
    { is: 'error', why: 'no space' },
  ]
  it.each(notReady)('is 422 for an instance that is not ready: %j', async (state) => {
    expectFault(await post({ state }), 422)
  })

  it('is 422 for one of which another backup is running', async () => {
    const busy = newBackupId()
    const answer = await post({ busy })
    expectFault(answer, 422)
    expect(answer.text).toContain(busy)
  })

  it('is 501 where the node has no way to back up this kind of database', async () => {
    expectFault(await post({ datastore: { type: 'oracle', version: '19' } }), 501)
    expectFault(await post({}, { engines: [] }), 501)
  })

  it('is 404 for a parent that is unknown', async () => {
    const trove = await startTrove()
    expectFault(await trove.post({ name: 'a', instance: trove.instance.id, parent_id: newBackupId() }), 404)
  })

  it('checks in order: the body, then the instance, its state, then the parent, then the quota', async () => {
    const trove = await startTrove({ quota: 0 })
    const down = await trove.instanceIs({ key: 'down', state: { is: 'down', why: 'x' } })
    const unknown = newBackupId()
    const bodies: [object, keyof typeof keys][] = [
      [{ name: '', instance: unknown, parent_id: unknown }, 400],
      [{ name: 'a', instance: unknown, parent_id: unknown }, 404],
      [{ name: 'a', instance: down.id, parent_id: unknown }, 422],
      [{ name: 'a', instance: trove.instance.id, parent_id: unknown }, 404],
      [{ name: 'a', instance: trove.instance.id }, 413],
    ]
    for (const [body, status] of bodies) expectFault(await trove.post(body), status)
  })
})

describe('a backup by its id', () => {
  it.each(['GET', 'DELETE'])(
    "is 404 for %s of one that is unknown, another account's, or no UUID",
    async (method) => {
      const trove = await startTrove()
      const others = await trove.backupIs({ project: otherProject })
      // A name is tried as an id first: clients go on only after a 404.
      for (const id of [newBackupId(), others.id, 'orders-full', '1', '%00', '%2e%2e', 'x'.repeat(2000)])
        expectFault(await trove.ask(method, `/backups/${id}`), 404)
    },
  )

  it('is shown to an administrator whosever it is', async () => {
    const trove = await startTrove()
    const others = await trove.backupIs({ project: otherProject })
    const { status, json } = await trove.ask('GET', `/backups/${others.id}`, undefined, trove.admin)
    expect([status, json.backup.project_id]).toEqual([200, otherProject])
  })

  it('is 422 for DELETE while it, or one that builds on it, is running', async () => {
    const trove = await startTrove()
    const parent = await trove.backupIs()
    const running = await trove.backupIs({ parent: parent.id, state: { is: 'open' } })
    for (const { id } of [running, parent]) expectFault(await trove.ask('DELETE', `/backups/${id}`), 422)
  })
})

describe('the backups of an instance', () => {
  it("are 404 for one that is unknown, another account's, or no UUID", async () => {
    const trove = await startTrove()
    const others = await trove.instanceIs({ project: otherProject })
    for (const id of [newBackupId(), others.id, 'orders'])
      expectFault(await trove.ask('GET', `/instances/${id}/backups`), 404)
  })

  it('are shown to an administrator whosever they are', async () => {
    const trove = await startTrove()
    const others = await trove.instanceIs({ project: otherProject })
    const backup = await trove.backupIs({ project: otherProject, instance: others.id })
    const { json } = await trove.ask('GET', `/instances/${others.id}/backups`, undefined, trove.admin)
    expect(json.backups.map(({ id }: InstanceBackup) => id)).toEqual([backup.id])
  })
})

describe('the store being away', () => {
  it('is 503 for writes; lists are still answered', async () => {
    const trove = await startTrove()
    const { id } = await trove.backupIs()
    trove.api.store.stop()
    expectFault(await trove.post({ name: 'a', instance: trove.instance.id }), 503)
    expectFault(await trove.ask('DELETE', `/backups/${id}`), 503)
    expect((await trove.ask('GET', '/backups')).json.backups).toHaveLength(1)
  })
})

describe('too many requests', () => {
  it('are 413 overLimit, with the only Retry-After that clients bear', async () => {
    const trove = await startTrove({ requests: { perSecond: 0.05, burst: 2 } })
    const answers: Answer[] = []
    for (let count = 0; count < 3; count++) answers.push(await trove.ask('GET', '/limits'))
    const last = answers.pop()!
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    expectFault(last, 413)
    const { retryAfter, details } = last.json.overLimit
    expect([retryAfter, details]).toEqual([
      last.headers.get('retry-after'),
      expect.stringContaining('requests'),
    ])
    expect(Number(retryAfter)).toBeGreaterThan(1)
  })
})

describe('the shape of an error', () => {
  it('never has a Retry-After but with 413', () => {
    for (const code of ['busy', 'store_down', 'too_much', 'agent_offline'] as const) {
      const { status, headers, body } = answerTo(new Fault(code, 'x', { retryAfterMs: 20_000 }), 'trove')
      expect(headers['retry-after']).toBe(status === 413 ? '20' : undefined)
      expect(Object.keys(body)).toEqual([keys[status as keyof typeof keys]])
    }
  })

  it('is Trove’s for a failure that nobody foresaw, without its detail', () => {
    const { status, body } = answerTo(new Error('the password is x'), 'trove')
    expect([status, JSON.stringify(body)]).toEqual([
      500,
      expect.stringMatching(/^\{"instanceFault":\{"code":500/),
    ])
    expect(JSON.stringify(body)).not.toContain('password')
  })
})
