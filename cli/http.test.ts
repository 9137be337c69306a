import { createServer, type Server, type Socket } from 'node:net'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { freePort } from '../test/support/ports.ts'
import { Api, path } from './http.ts'
import { eventsOf, linesOf } from './sse.ts'
import { fakeServer } from './support/fake-server.ts'
import { firn } from './support/firn.ts'

/** A server that answers every connection with these bytes and then hangs up. */
async function rawServer(answer: (socket: Socket, nth: number) => void) {
  let connections = 0
  const server: Server = createServer((socket) => {
    const nth = ++connections
    socket.on('error', () => undefined)
    socket.once('data', () => answer(socket, nth))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections: () => connections,
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close')
      server.close()
      await closed
    },
  }
}

const apiOf = (server: string, timeoutMs = 5000) =>
  new Api({
    server,
    token: 'tok',
    timeoutMs,
    signal: new AbortController().signal,
    note: () => undefined,
    retryMs: 1,
  })

describe('garbage from a server ends a command with one clear line', () => {
  const head = (type: string, length: number) =>
    `HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\ncontent-length: ${length}\r\nconnection: close\r\n\r\n`
  it.each([
    [
      'an HTML page',
      1,
      (s: Socket) => s.end(`${head('text/html', 15)}<html>hi</html>`),
      'text/html that is no JSON: <html>hi</html>',
    ],
    [
      'cut JSON',
      1,
      (s: Socket) => s.end(`${head('application/json', 9)}{"runs":[`),
      'with broken JSON: {"runs":[',
    ],
    [
      'a body that breaks off',
      6,
      (s: Socket) => s.end(`${head('application/json', 99)}{"runs"`),
      'cannot be reached: the connection broke',
    ],
    ['a closed connection', 6, (s: Socket) => s.destroy(), 'cannot be reached: the connection broke'],
    ['no HTTP', 6, (s: Socket) => s.end('SSH-2.0-OpenSSH_9.2\r\n'), 'cannot be reached'],
    [
      'a status without a body',
      1,
      (s: Socket) => s.end('HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n'),
      'answered 500 to GET /v1/runs, with nothing in it',
    ],
    [
      'a redirection',
      1,
      (s: Socket) =>
        s.end(
          'HTTP/1.1 302 F\r\nlocation: http://evil/\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}',
        ),
      'answered 302: it points to another address',
    ],
    [
      'JSON of another shape',
      0,
      (s: Socket) => s.end(`${head('application/json', 26)}{"runs":[1,null,{"a":[]}]}`),
      '',
    ],
    [
      'terminal codes',
      1,
      (s: Socket) =>
        s.end(
          `HTTP/1.1 500 O\r\ncontent-type: application/json\r\ncontent-length: 26\r\n\r\n{"detail":"\\u001b[2Jhaha"}`,
        ),
      '\\x1b[2Jhaha',
    ],
  ])('%s', async (_, exit, answer, message) => {
    await using server = await rawServer(answer)
    const { code, stderr, stdout } = await firn(['run', 'ls', '--server', server.url])
    expect({ code, stderr }).toEqual({ code: exit, stderr: expect.stringContaining(message) as string })
    // eslint-disable-next-line no-control-regex -- none may be there
    expect(stdout + stderr).not.toMatch(/[\0-\x09\x0b-\x1f]/)
  })

  it('a server that never answers', async () => {
    await using server = await rawServer(() => undefined)
    const { code, stderr } = await firn(['run', 'ls', '--server', server.url, '--timeout', '1s'])
    expect(code).toBe(6)
    expect(stderr).toContain('did not answer within 1 s')
    expect(server.connections()).toBe(1)
  })

  it('nobody there', async () => {
    const { code, stderr } = await firn(['run', 'ls', '--server', `http://127.0.0.1:${await freePort()}`])
    expect(code).toBe(6)
    expect(stderr).toContain('nothing listens there')
    expect(stderr).toContain('firn up')
  })
})

describe('errors of a server', () => {
  it.each([
    [400, { detail: 'must be a number', field: 'limit' }, 2, 'limit: must be a number'],
    [
      400,
      { title: 'Bad request format', description: "'client_id' is a required property" },
      2,
      "'client_id' is a required",
    ],
    [753, { title: 'Malformed JSON', description: 'no JSON' }, 2, 'no JSON'],
    [401, { error: { code: 401, title: 'Unauthorized', message: 'no valid token' } }, 5, 'no valid token'],
    [403, { title: 'Forbidden', detail: 'needs the role admin' }, 5, 'firn whoami'],
    [404, { title: 'Not Found', detail: 'no run r1' }, 4, 'no run r1'],
    [409, { detail: 'a round is under way' }, 7, 'a round is under way'],
    [422, { detail: 'this agent cannot' }, 2, 'this agent cannot'],
    [500, { title: 'Internal Server Error' }, 1, 'Internal Server Error'],
    [503, { title: 'Service Unavailable', detail: 'etcd does not answer' }, 6, '/readyz'],
  ])('%i: %j ends with %i', async (status, body, exit, message) => {
    await using server = await fakeServer()
    server.on(
      'GET /v1/runs/r1',
      () =>
        new Response(JSON.stringify(body), {
          status: status === 753 ? 400 : status,
          headers: { 'content-type': 'application/problem+json' },
        }),
    )
    const { code, stderr } = await firn(['run', 'get', 'r1', '--server', server.url])
    expect(stderr).toContain(message)
    expect(code).toBe(exit)
  })
})

describe('a request that broke', () => {
  const answerFrom = (good: number) => (socket: Socket, nth: number) =>
    nth < good
      ? socket.destroy()
      : socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}')

  it('is sent again when it only reads', async () => {
    await using server = await rawServer(answerFrom(3))
    expect(await apiOf(server.url).get('/v1/runs')).toEqual({})
    expect(server.connections()).toBe(3)
  })

  it('is sent again, with the same key, when the server can tell that it is the same', async () => {
    await using server = await fakeServer()
    let calls = 0
    server.on('POST /v1/runs', (c) =>
      ++calls < 3 ? c.json({ detail: 'not now' }, 503) : c.json({ runs: [] }),
    )
    await apiOf(server.url).post('/v1/runs', { job_id: 'j' }, 'key-1')
    expect(server.seen.map(({ headers, body }) => [headers['idempotency-key'], body])).toEqual(
      Array.from({ length: 3 }, () => ['key-1', '{"job_id":"j"}']),
    )
  })

  it('is not sent again when it may have been carried out', async () => {
    await using server = await rawServer(answerFrom(2))
    await expect(apiOf(server.url).post('/v1/jobs', {})).rejects.toMatchObject({ exit: 6 })
    await expect(apiOf(server.url).request({ method: 'DELETE', path: '/v1/jobs/j' })).resolves.toEqual({})
    expect(server.connections()).toBe(2)
  })

  it('is sent three times at most, and never for an answer that another try would not change', async () => {
    await using server = await fakeServer()
    server.json('GET /a', { detail: 'down' }, 503)
    server.json('GET /b', { detail: 'bug' }, 500)
    await expect(apiOf(server.url).get('/a')).rejects.toMatchObject({ exit: 6, status: 503 })
    expect(server.seen).toHaveLength(3)
    await expect(apiOf(server.url).get('/b')).rejects.toMatchObject({ exit: 1, status: 500 })
    expect(server.seen).toHaveLength(4)
  })

  it('stops at once when it is interrupted', async () => {
    await using server = await rawServer(() => undefined)
    const stop = new AbortController()
    const api = new Api({
      server: server.url,
      timeoutMs: 5000,
      signal: stop.signal,
      note: () => undefined,
      retryMs: 1,
    })
    const asked = api.get('/')
    const reason = new Error('stop')
    while (server.connections() === 0) await sleep(1)
    stop.abort(reason)
    await expect(asked).rejects.toBe(reason)
  })
})

it('a path holds ids as they are, and none that leads elsewhere', () => {
  expect(path`/v1/jobs/${'a/b?c#d é'}`).toBe('/v1/jobs/a%2Fb%3Fc%23d%20%C3%A9')
  for (const id of ['', '.', '..']) expect(() => path`/v1/jobs/${id}`).toThrow('is no id')
})

it('a stale answer is said to be so, once', async () => {
  await using server = await fakeServer()
  server.json('GET /v1/runs/r1', { run_id: 'r1' }, 200, { 'Firn-Stale': '12' })
  const { stderr } = await firn(['run', 'get', 'r1', '--server', server.url])
  expect(stderr).toBe('note: the server cannot reach its store: this is what it knew 12 s ago\n')
})

describe('a stream of events', () => {
  const read = async (chunks: readonly Uint8Array[]) => {
    const source = (async function* () {
      yield* chunks
    })()
    return Array.fromAsync(eventsOf(linesOf(source)))
  }
  const text =
    ':\n\nid: 7\nevent: run.finished\ndata: {"a":\ndata: "é🙂"}\n\n: note\r\ndata:x\r\n\r\nevent: lost\ndata: unfinished\n'

  it('reads the same however it is cut into pieces', async () => {
    const bytes = Buffer.from(text)
    const expected = [
      { id: '7', event: 'run.finished', data: '{"a":\n"é🙂"}' },
      { id: undefined, event: 'message', data: 'x' },
    ]
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 8 }), async (cuts) => {
        const ends = [0, ...cuts.toSorted((a, b) => a - b), bytes.length]
        const pieces = ends.slice(1).map((end, at) => bytes.subarray(ends[at], end))
        expect(await read(pieces)).toEqual(expected)
      }),
    )
  })

  it('without an end of line does not fill the memory', async () => {
    const endless = (function* () {
      for (;;) yield Buffer.alloc(1024 * 1024, 'x')
    })()
    const source = (async function* () {
      yield* endless
    })()
    await expect(Array.fromAsync(linesOf(source))).rejects.toThrow('a line of more than')
  })
})
