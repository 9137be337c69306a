import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { serveHttp, type HttpOptions } from '../../api/serve.ts'
import { eventually } from '../support/eventually.ts'
import { smallJob, startApi, type Api, type Loose } from './harness.ts'

// What only a real connection shows.
async function served(options: Partial<HttpOptions> = {}) {
  const api = await startApi()
  const server = await serveHttp(api.deps, { port: 0, host: '127.0.0.1', ...options })
  return {
    api,
    url: server.url,
    token: await api.token('admin'),
    drain: () => server.drain(),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

interface Got {
  status: number | undefined
  phrase: string | undefined
  headers: Record<string, unknown>
  json: Loose
}

const send = (url: string, method: string, token: string, body?: string | Buffer): Promise<Got> =>
  new Promise((resolve, reject) => {
    const headers = { 'x-auth-token': token, 'content-type': 'application/json', accept: 'application/json' }
    const sent = request(url, {
      method,
      headers: { ...headers, ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }) },
    })
    sent.on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        const { statusCode, statusMessage, headers: got } = response
        resolve({
          status: statusCode,
          phrase: statusMessage,
          headers: got,
          json: text === '' ? undefined : JSON.parse(text),
        })
      })
    })
    sent.on('error', reject)
    sent.end(body)
  })

const raw = (url: string, text: string): Promise<string> =>
  new Promise((resolve) => {
    const { hostname, port } = new URL(url)
    let answer = ''
    const socket = connect(Number(port), hostname, () => socket.write(text))
    socket.on('data', (chunk) => (answer += chunk.toString()))
    socket.on('error', () => resolve(answer))
    socket.on('close', () => resolve(answer))
  })

const chunked = (head: string): string =>
  `POST /v1/jobs HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n${head}\r\n{\r\n0\r\n\r\n`

const create = (api: Api, id: string, client: string, action?: object) =>
  api.ask('POST', `/v1/jobs/${id}`, smallJob(client, action ? { job_actions: [action] } : {}))

describe('the server', () => {
  it('reads the body of a GET', async () => {
    await using server = await served()
    await create(server.api, 'a', 'n1')
    await create(server.api, 'b', 'n2')
    const search = JSON.stringify({ match: [{ client_id: 'n2' }] })
    const { json } = await send(`${server.url}/v1/jobs/?limit=10&offset=0`, 'GET', server.token, search)
    expect(json.jobs.map((job: Loose) => job.job_id)).toEqual(['b'])
  })

  it('answers 753 by its own phrase', async () => {
    await using server = await served()
    const { status, phrase, json } = await send(`${server.url}/v1/jobs`, 'POST', server.token, '{')
    expect([status, phrase, json.title]).toEqual([753, 'Syntax Error', 'Malformed JSON'])
  })

  it('takes requests with a JSON content type and no body', async () => {
    await using server = await served()
    await create(server.api, 'a', 'n1')
    expect((await send(`${server.url}/v1/jobs/a`, 'GET', server.token)).status).toBe(200)
    expect((await send(`${server.url}/v1/jobs/a`, 'DELETE', server.token, '')).status).toBe(204)
  })

  it('refuses a body that is too large, announced or not', async () => {
    await using server = await served()
    const big = Buffer.alloc(1024 * 1024 + 1, 32)
    expect((await send(`${server.url}/v1/jobs`, 'POST', server.token, big)).status).toBe(413)
    const chunk = `${(64 * 1024).toString(16)}\r\n${' '.repeat(64 * 1024)}\r\n`
    const head = `POST /v1/jobs HTTP/1.1\r\nhost: x\r\nx-auth-token: ${server.token}\r\ntransfer-encoding: chunked\r\n\r\n`
    expect(await raw(server.url, head + chunk.repeat(20))).toMatch(/^HTTP\/1.1 413 /)
    expect((await send(`${server.url}/v1/jobs`, 'GET', server.token)).status).toBe(200)
  })

  it('takes no more connections than it is told', async () => {
    await using server = await served({ connections: 1 })
    const held = connect(Number(new URL(server.url).port), '127.0.0.1')
    await once(held, 'connect')
    held.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n')
    await once(held, 'data')
    expect(await raw(server.url, 'GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n')).toBe('')
    held.destroy()
  })

  it('does not keep an answer for a caller that does not read it', async () => {
    await using server = await served({ stalledMs: 100, connections: 1 })
    // More than what the system keeps for a connection.
    const command = ['true', 'x'.repeat(200_000)]
    for (let i = 0; i < 100; i++)
      await create(server.api, `j${i}`, 'n1', { freezer_action: { action: 'exec', command } })
    const lazy = connect(Number(new URL(server.url).port), '127.0.0.1').on('error', () => {})
    await once(lazy, 'connect')
    lazy.write(`GET /v1/jobs?limit=100 HTTP/1.1\r\nhost: x\r\nx-auth-token: ${server.token}\r\n\r\n`)
    await eventually(() => server.api.answered.some(({ route }) => route === '/v1/jobs'))
    const next = () => raw(server.url, 'GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
    await eventually(async () => (await next()).startsWith('HTTP/1.1 200'))
    lazy.destroy()
  })

  it.each([
    ['too long', 431, `GET /qinling/v1/jobs?name=${'x'.repeat(20_000)} HTTP/1.1\r\nhost: x\r\n\r\n`],
    ['no request', 400, 'GET /v1.0/p1/backups/a b HTTP/1.1\r\nhost: x\r\n\r\n'],
    ['never whole', 408, 'GET /v1/jobs HTTP/1.1\r\nhost: x\r\n'],
    ['too much about a chunk', 413, chunked(`1;${'x'.repeat(20_000)}`)],
  ])('says in every façade’s words what it could not read: %s', async (_, status, text) => {
    await using server = await served({ headersMs: 50, requestMs: 100 })
    const [head = '', body = ''] = (await raw(server.url, text)).split('\r\n\r\n')
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(head).toMatch(/^content-type: application\/json$/im)
    expect(head.toLowerCase()).toContain(`content-length: ${Buffer.byteLength(body)}`)
    const said = expect.any(String)
    expect(JSON.parse(body)).toMatchObject({
      ...{ title: said, description: said, code: status, message: said },
      ...{ faultcode: 'Client', faultstring: said },
    })
  })

  it('says nothing in the middle of another answer', async () => {
    await using server = await served()
    server.api.deps.events.follow = async function* (_project, { signal }) {
      yield { subject: 's', project: 'p1' as never, data: { type: 'run.started' } }
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
    }
    const { hostname, port } = new URL(server.url)
    const socket = connect(Number(port), hostname)
    let got = ''
    socket.on('data', (chunk) => {
      got += chunk.toString()
      if (got.includes('run.started')) socket.write('this is no request\r\n\r\n')
    })
    const events = 'accept: text/event-stream\r\n'
    socket.write(`GET /v1/events HTTP/1.1\r\nhost: x\r\nx-auth-token: ${server.token}\r\n${events}\r\n`)
    await once(socket, 'close')
    expect(got).toContain('run.started')
    expect(got.match(/HTTP\/1\.1/g)).toHaveLength(1)
  })

  it('does not wait for ever for the rest of a request', async () => {
    await using server = await served({ headersMs: 50, requestMs: 100 })
    expect(await raw(server.url, 'GET /v1/jobs HTTP/1.1\r\nhost: x\r\n')).toMatch(/^HTTP\/1.1 408 /)
    const head = `POST /v1/jobs HTTP/1.1\r\nhost: x\r\nx-auth-token: ${server.token}\r\ncontent-length: 5\r\n\r\n{`
    expect(await raw(server.url, head)).toMatch(/^HTTP\/1.1 408 |^$/)
    expect(server.api.failures).toEqual([])
  })

  it('closes connections with their next answer once it is to go away', async () => {
    await using server = await served()
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
    let got = ''
    socket.on('data', (chunk) => (got += chunk.toString()))
    const ask = () => socket.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n')
    ask()
    await eventually(() => got.includes('"ok"'))
    expect(got).toMatch(/^connection: keep-alive/im)
    server.drain()
    got = ''
    const closed = once(socket, 'close')
    ask()
    await closed
    expect(got).toMatch(/^HTTP\/1.1 200 .*^connection: close/ims)
  })

  it('ends open streams when it goes away', async () => {
    const server = await served()
    server.api.deps.events.follow = async function* (_project, { signal }) {
      yield { subject: 's', project: 'p1' as never, data: { type: 'run.started' } }
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
    }
    const headers = { 'x-auth-token': server.token, accept: 'text/event-stream' }
    const response = await fetch(`${server.url}/v1/events`, { headers })
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    while (!text.includes('run.started')) text += (await reader?.read())?.value ?? ''
    await server[Symbol.asyncDispose]()
    expect((await reader?.read())?.done).toBe(true)
  })

  it('answers 404 to odd paths, not with an error of its own', async () => {
    await using server = await served()
    for (const path of ['/v1/jobs/%zz', '/v1/jobs/a%2fb', '//v1//jobs', '/v1/jobs/%00'])
      expect([path, (await send(server.url + path, 'GET', server.token)).status]).toEqual([path, 404])
    expect(server.api.failures).toEqual([])
  })
})
