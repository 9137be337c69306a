// Against a server that answers as Keystone does, or as it should not. The real one is asked in test/keystone.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { manualClock } from '../../test/support/manual-clock.ts'
import { Keystone } from './keystone.ts'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

const reply = (response: ServerResponse, status: number, body: unknown, headers = {}): void => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(typeof body === 'string' ? body : JSON.stringify(body))
}

/** A Keystone with one user, whose tokens are `good…`; `instead` answers look-ups otherwise. */
async function scripted(cacheMs = 60_000) {
  const time = manualClock()
  const seen = { logins: 0, lookUps: [] as string[], troubles: [] as unknown[] }
  const script: { lookUp?: Handler; login?: Handler; password: string; own: number; lastsMs: number } = {
    ...{ password: 'secret', own: 0, lastsMs: 3_600_000 },
  }
  const at = (ms: number) => new Date(time.now() + ms).toISOString()
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let text = ''
    for await (const chunk of request) text += chunk
    if (request.method === 'POST') {
      seen.logins++
      if (script.login) return script.login(request, response)
      const right = JSON.parse(text).auth.identity.password.user.password === script.password
      if (!right) return reply(response, 401, {})
      return reply(
        response,
        201,
        { token: { expires_at: at(3_600_000) } },
        { 'x-subject-token': `own${script.own}` },
      )
    }
    const token = String(request.headers['x-subject-token'])
    seen.lookUps.push(token)
    if (script.lookUp) return script.lookUp(request, response)
    if (request.headers['x-auth-token'] !== `own${script.own}`) return reply(response, 401, {})
    if (!token.startsWith('good')) return reply(response, 404, {})
    reply(response, 200, {
      token: {
        ...{ project: { id: 'p1' }, user: { id: 'u1', name: 'alice' }, roles: [{ name: 'member' }] },
        expires_at: at(script.lastsMs),
      },
    })
  }
  const server = createServer((request, response) => void answer(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const keystone = new Keystone({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v3`,
    as: {
      user: 'firn',
      password: 'secret',
      project: 'service',
      userDomain: 'Default',
      projectDomain: 'Default',
    },
    roles: { admin: ['admin'], operator: ['member'], viewer: ['reader'] },
    cacheMs,
    deadlineMs: 2_000,
    clock: time,
    trouble: (_, error) => seen.troubles.push(error),
  })
  return {
    ...{ keystone, time, seen, script },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((closed) => server.close(closed))
    },
  }
}

const code = (expected: string) => expect.objectContaining({ code: expected })

describe('a token', () => {
  it('is asked about once by all who come together, and then known until that is too old', async () => {
    await using it = await scripted()
    const [first, ...others] = await Promise.all([1, 2, 3].map(() => it.keystone.identify('good')))
    expect(first).toEqual({ project: 'p1', user: 'u1', userName: 'alice', role: 'operator' })
    for (const other of others) expect(other).toBe(first)
    expect(it.keystone.known('good')).toBe(first)
    it.time.advance(59_999)
    expect(it.keystone.known('good')).toBe(first)
    it.time.advance(1)
    expect(it.keystone.known('good')).toBeUndefined()
    expect(await it.keystone.identify('good')).toBe(first)
    expect([it.seen.lookUps.length, it.seen.logins]).toEqual([2, 1])
  })

  it('is not known beyond its end', async () => {
    await using it = await scripted()
    it.script.lastsMs = 10_000
    await it.keystone.identify('good')
    it.time.advance(9_999)
    expect(it.keystone.known('good')).toBeTruthy()
    it.time.advance(1)
    expect(it.keystone.known('good')).toBeUndefined()
  })

  it('that is refused is not asked about again for 5 s', async () => {
    await using it = await scripted()
    for (let i = 0; i < 3; i++)
      await expect(it.keystone.identify('bad')).rejects.toThrow(code('unauthenticated'))
    expect(it.seen.lookUps).toHaveLength(1)
    it.time.advance(5_000)
    await expect(it.keystone.identify('bad')).rejects.toThrow(code('unauthenticated'))
    expect(it.seen.lookUps).toHaveLength(2)
    expect(it.seen.troubles).toEqual([])
  })
})

describe("the server's own token", () => {
  it('is renewed when Keystone does not take it any more, and before it ends', async () => {
    await using it = await scripted(0)
    await it.keystone.identify('good')
    it.script.own++
    expect(await it.keystone.identify('good')).toBeTruthy()
    expect(it.seen.logins).toBe(2)
    it.time.advance(3_570_000)
    expect(await it.keystone.identify('good')).toBeTruthy()
    expect(it.seen.logins).toBe(3)
  })

  it('is not asked for again at once with a password that was refused', async () => {
    await using it = await scripted()
    it.script.password = 'other'
    for (const token of ['good1', 'good2'])
      await expect(it.keystone.identify(token)).rejects.toThrow(code('identity_down'))
    expect([it.seen.logins, it.seen.troubles.length]).toEqual([1, 1])
    it.script.password = 'secret'
    it.time.advance(5_000)
    expect(await it.keystone.identify('good1')).toBeTruthy()
  })

  it('that Keystone never takes ends in a fault, not in a loop', async () => {
    await using it = await scripted()
    it.script.lookUp = (_, response) => reply(response, 401, {})
    await expect(it.keystone.identify('good')).rejects.toThrow(code('identity_down'))
    expect([it.seen.logins, it.seen.lookUps.length]).toEqual([2, 2])
  })
})

describe('a Keystone that cannot be used', () => {
  const answers: Readonly<Record<string, Handler>> = {
    'breaks off': (request) => void request.socket.destroy(),
    'answers with no JSON': (_, response) => reply(response, 200, '<html>'),
    'answers without a token': (_, response) => reply(response, 200, { token: { project: 7 } }),
    'answers without end': (_, response) => reply(response, 200, JSON.stringify('x'.repeat(300_000))),
    'leads elsewhere': (_, response) => reply(response, 302, '', { location: 'http://127.0.0.1:1/' }),
    'has an error': (_, response) => reply(response, 500, {}),
    'does not let the server look': (_, response) => reply(response, 403, {}),
  }
  it.each(Object.keys(answers))(
    '%s: callers are told to come again, and the log is told why',
    async (name) => {
      await using it = await scripted()
      const handler = answers[name]
      if (handler) it.script.lookUp = handler
      await expect(it.keystone.identify('good')).rejects.toThrow(code('identity_down'))
      expect(it.seen.troubles).toHaveLength(1)
      delete it.script.lookUp
      expect(await it.keystone.identify('good')).toBeTruthy()
    },
  )

  it('is waited for no longer than it is told, by a bounded number of callers', async () => {
    await using it = await scripted()
    it.script.login = () => undefined
    const asked = Array.from({ length: 65 }, (_, index) => it.keystone.identify(`good${index}`))
    const ends = await Promise.allSettled(asked)
    expect(ends.map(({ status }) => status)).toEqual(Array.from({ length: 65 }, () => 'rejected'))
    expect(it.seen.logins).toBe(1)
    expect(ends.at(-1)).toMatchObject({ reason: { code: 'identity_down', detail: { retryAfterMs: 1000 } } })
    expect(ends.at(0)).toMatchObject({ reason: { code: 'identity_down' } })
    expect(it.seen.troubles).toHaveLength(1)
  })

  it('tells nobody a token', async () => {
    await using it = await scripted()
    it.script.lookUp = (_, response) => reply(response, 500, {})
    const error = await it.keystone.identify('good-secret-token').catch((fault: unknown) => fault)
    expect(JSON.stringify([error, String((error as Error).cause), it.seen.troubles])).not.toContain(
      'good-secret',
    )
  })
})
