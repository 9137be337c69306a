// What a caller sends who means no good, or whose program is broken: it costs little, and nothing of it is kept.
import fc from 'fast-check'
import { request } from 'node:http'
import { connect } from 'node:net'
import { text as whole } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { serveHttp } from '../../api/serve.ts'
import { put } from '../../controller/state/documents.ts'
import { aRun } from '../support/builders.ts'
import { eventually } from '../support/eventually.ts'
import { project, smallJob, startApi, type Answer } from './harness.ts'

const words = ({ json }: Answer): string =>
  json.detail ?? json.description ?? json.faultstring ?? Object.values<{ message: string }>(json)[0]?.message

/** A request of each façade that takes a document. */
const facades = ['POST /v1/jobs', 'POST /v1/tokens', 'POST /v1.0/p1/backups', 'POST /qinling/v1/jobs'].map(
  (target) => target.split(' ') as [string, string],
)

describe('HEAD of a stream', () => {
  it('takes no place among those that are open, and follows nothing', async () => {
    const api = await startApi()
    let followed = 0
    const { events } = api.deps
    const [follow, logs] = [events.follow.bind(events), events.logs.bind(events)]
    events.follow = (...asked) => {
      followed++
      return follow(...asked)
    }
    events.logs = (...asked) => {
      followed++
      return logs(...asked)
    }
    const run = aRun()
    await api.context.state.commit({ requires: [], puts: [put('run', project, run.id, run)] })
    for (let n = 0; n < 600; n++) {
      const path = n % 2 ? '/v1/events' : `/v1/runs/${run.id}/logs`
      const { status, text } = await api.ask('HEAD', path, undefined, undefined, { accept: '*/*' })
      expect([status, text]).toEqual([200, ''])
    }
    expect(followed).toBe(0)
    expect(
      (await api.ask('GET', `/v1/runs/${run.id}/logs`, undefined, undefined, { accept: '*/*' })).status,
    ).toBe(200)
  })

  it('is answered by the server as a GET is, and ends at once', async () => {
    const api = await startApi()
    await using server = await serveHttp(api.deps, { port: 0, host: '127.0.0.1' })
    const type = await new Promise((resolve, reject) => {
      const headers = { 'x-auth-token': 'none' }
      request(`${server.url}/v1/events`, { method: 'HEAD', headers })
        .on('response', (response) => response.resume().on('end', () => resolve(response.statusCode)))
        .on('error', reject)
        .end()
    })
    expect(type).toBe(401)
  })
})

describe('a stranger', () => {
  const csr = { csr: 'x', client_id: 'n9', hostname: 'n9' }
  const joinToken = `firnjoin_${'0'.repeat(16)}_${'a'.repeat(43)}_${'b'.repeat(64)}`

  it('may send 64 KiB, and no field that nobody knows', async () => {
    const { ask } = await startApi()
    const large = await ask('POST', '/v1/enrol', { ...csr, join_token: 'x'.repeat(64 * 1024) }, '')
    expect([large.status, large.json.code]).toEqual([413, 'body_too_large'])
    const odd = await ask('POST', '/v1/enrol', { ...csr, join_token: joinToken, odd: 1 }, '')
    expect(odd.json).toMatchObject({ status: 400, field: 'odd' })
  })

  it('with join tokens that are not valid is soon told to wait, and nobody else is', async () => {
    const api = await startApi()
    const { join_token } = (await api.ask('POST', '/v1/join-tokens', {})).json
    api.halt()
    let last = await api.ask('POST', '/v1/enrol', { ...csr, join_token: joinToken }, '')
    expect(last.status).toBe(401)
    for (let n = 0; n < 2_000 && last.status === 401; n++)
      last = await api.ask('POST', '/v1/enrol', { ...csr, join_token: joinToken }, '')
    expect([last.status, last.headers.get('retry-after')]).toEqual([429, '1'])
    // Not even a valid one: who guesses would learn that it is.
    expect((await api.ask('POST', '/v1/enrol', { ...csr, join_token }, '')).status).toBe(429)
    expect((await api.ask('GET', '/healthz', undefined, '')).status).toBe(200)
    expect((await api.ask('GET', '/v1/whoami')).status).toBe(200)
  })
})

describe('a body', () => {
  const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`k${at}`, 0]))

  it.each(facades)('of very many values is refused unread by %s %s', async (method, path) => {
    const { ask } = await startApi()
    for (const body of [many(50_000), { job_actions: Array.from({ length: 300_000 }, () => 0) }]) {
      const answer = await ask(method, path, body)
      expect([answer.status, words(answer)]).toEqual([400, expect.stringMatching(/^body: has /)])
    }
  })

  it('with a list that is too long is refused before what is in the list', async () => {
    const { ask } = await startApi()
    const jobs = await ask(
      'POST',
      '/v1/jobs',
      smallJob('n1', { job_actions: Array.from({ length: 41 }, () => 0) }),
    )
    expect(jobs.json.description).toBe('job_actions: has more than 40 entries')
    const include = Array.from({ length: 1_001 }, () => 0)
    const restores = await ask('POST', '/v1/restores', { backup_id: 'b', target: '/x', include })
    expect(restores.json).toMatchObject({ detail: 'include: has more than 1000 entries', field: 'include' })
  })

  it.each(facades)('with half a surrogate pair is refused by name by %s %s', async (method, path) => {
    const { ask } = await startApi()
    const answer = await ask(method, path, '{"odd": {"name": "x\\ud800"}}')
    expect([answer.status, words(answer)]).toEqual([400, expect.stringMatching(/^odd(\.|\[')name/)])
  })

  it.each(facades)('that is compressed is refused by %s %s', async (method, path) => {
    const { ask } = await startApi()
    const gzip = { 'content-encoding': 'gzip' }
    expect((await ask(method, path, '{}', undefined, gzip)).status).toBe(415)
    expect((await ask(method, path, '{}', undefined, { 'content-encoding': 'identity' })).status).not.toBe(
      415,
    )
  })
})

describe('a name', () => {
  const steering = fc
    .tuple(
      fc.string({ maxLength: 5 }),
      fc.constantFrom('\0', '\u001b', '\u0007', '\u007f', '\u009b'),
      fc.string(),
    )
    .map(([before, sign, after]) => `a${before}${sign}${after.slice(0, 5)}`)

  it('or a description with control characters is refused by every façade', async () => {
    const { ask } = await startApi()
    await fc.assert(
      fc.asyncProperty(steering, async (name) => {
        const refused = [
          ...[await ask('POST', '/v1/jobs', smallJob('n1', { description: name })), 'description'],
          ...[await ask('POST', '/v1/jobs', smallJob('n1', { session_name: name })), 'session_name'],
          ...[await ask('POST', '/v1/clients', { client_id: 'n1', hostname: name }), 'hostname'],
          ...[
            await ask('POST', '/v1/tokens', { user_id: 'u', role: 'viewer', user_name: name }),
            'user_name',
          ],
          ...[await ask('POST', '/qinling/v1/jobs', { name, pattern: '@daily' }), 'name'],
          ...[await ask('POST', '/v1.0/p1/backups', { backup: { name, instance: 'i' } }), 'name'],
        ] as unknown[]
        for (let at = 0; at < refused.length; at += 2) {
          const answer = refused[at] as Answer
          expect([answer.status, words(answer)]).toEqual([
            400,
            expect.stringMatching(
              new RegExp(`^\\S*${refused[at + 1] as string}\\S*: .*(control|one line)`, 's'),
            ),
          ])
        }
      }),
      { numRuns: 60 },
    )
  })

  it('keeps its line breaks where it is a description', async () => {
    const { ask } = await startApi()
    const description = 'first\n\tsecond\r\n'
    const { json } = await ask('POST', '/v1/jobs', smallJob('n1', { description }))
    expect((await ask('GET', `/v1/jobs/${json.job_id}`)).json.description).toBe(description)
  })
})

describe('a header', () => {
  it.each([
    ['application/json;q=0', 406],
    ['application/json; q=0.0, text/plain', 406],
    ['*/*;q=0', 406],
    ['application/json;q=0, */*', 406],
    ['application/json;q=0.1, */*;q=0', 200],
    ['text/html, */*;q=0.1', 200],
    ['application/*', 200],
    ['application/problem+json', 200],
  ])('Accept: %s is %i', async (accept, status) => {
    const { ask } = await startApi()
    expect((await ask('GET', '/v1/whoami', undefined, undefined, { accept })).status).toBe(status)
  })

  it('Idempotency-Key that is empty is refused', async () => {
    const { ask, backend } = await startApi()
    const before = await backend.revision()
    const { json } = await ask('POST', '/v1/join-tokens', {}, undefined, { 'idempotency-key': '' })
    expect([json.status, json.detail]).toEqual([
      400,
      expect.stringContaining('1 to 128 printable characters'),
    ])
    expect(await backend.revision()).toBe(before)
  })
})

describe('a lifetime', () => {
  it.each([316_224_001, 2 ** 53, 1e300])('of %d s is refused with the one that is possible', async (ttl) => {
    const { ask } = await startApi()
    const { json } = await ask('POST', '/v1/tokens', { user_id: 'u', role: 'viewer', ttl_seconds: ttl })
    expect(json).toMatchObject({ status: 400, field: 'ttl_seconds' })
    expect(json.detail).toContain('316224000')
  })
})

describe('a request without a host', () => {
  const raw = async (url: string, request_: string): Promise<string> => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    socket.write(request_)
    return whole(socket)
  }

  it('of HTTP/1.0 is served, as balancers ask for readiness', async () => {
    const api = await startApi()
    await using server = await serveHttp(api.deps, { port: 0, host: '127.0.0.1' })
    expect(await raw(server.url, 'GET /readyz HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1.1 200 .*"status":"ok"/s)
    expect(await raw(server.url, 'OPTIONS / HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1.1 \d+ /)
  })

  it('or with one that is none is refused with a reason', async () => {
    const api = await startApi()
    await using server = await serveHttp(api.deps, { port: 0, host: '127.0.0.1' })
    const answer = await raw(server.url, 'GET /readyz HTTP/1.1\r\nhost: a b/c\r\nconnection: close\r\n\r\n')
    expect(answer).toMatch(/^HTTP\/1.1 400 .*application\/problem\+json.*"code":"bad_request"/s)
    await eventually(() => api.failures.length === 0)
  })
})
