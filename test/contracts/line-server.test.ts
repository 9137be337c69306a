import { once } from 'node:events'
import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { status } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  epoch,
  protocolNow,
  protocolOldest,
  serverTlsName,
  type ToAgent,
  type ToServer,
} from '../../core/link.ts'
import { clientId } from '../../core/ids.ts'
import { eventually } from '../support/eventually.ts'
import {
  helloOf,
  makePki,
  project,
  rawLine,
  run,
  startServer,
  type Pki,
  type RawLine,
} from '../support/line-rig.ts'

let pki: Pki
let node1: Awaited<ReturnType<Pki['agent']>>
beforeAll(async () => {
  pki = await makePki()
  node1 = await pki.agent('node-1')
})
afterAll(() => pki[Symbol.asyncDispose]())

const node = clientId('node-1')
const hello = (client = 'node-1'): ToServer => ({ type: 'hello', hello: helloOf(client) })
const go: ToAgent = { type: 'go', run, attempt: 1, atUs: 5, epoch: epoch(3) }
const welcomed = (line: RawLine) => eventually(() => line.received.some(({ type }) => type === 'welcome'))

describe('an agent with a certificate', () => {
  it('is welcomed, is sent messages in order, and is heard', async () => {
    await using rig = await startServer(pki.server)
    using agent = rawLine(rig.address, node1)
    agent.send(hello())
    const line = await eventually(() => rig.server.line(project, node))
    expect(line.hello).toEqual(helloOf('node-1'))
    expect(rig.server.count).toBe(1)
    expect([...rig.server.lines()]).toEqual([line])
    expect(rig.handler.asked).toEqual([`p/node-1 ${node1.fingerprint}`])
    expect(line.send(go)).toBe(true)
    expect(line.send({ type: 'committed', run, attempt: 1 })).toBe(true)
    agent.send({ type: 'accepted', run, attempt: 1, armed: true })
    agent.send({ type: 'absent', run, attempt: 2 })
    await eventually(() => agent.received.length === 3 && rig.handler.messages.length === 2)
    expect(agent.received).toEqual([
      { type: 'welcome', server: 'server-1', protocol: 1, beatMs: 5_000, silenceMs: 15_000 },
      go,
      { type: 'committed', run, attempt: 1 },
    ])
    expect(rig.handler.messages).toEqual([
      { type: 'accepted', run, attempt: 1, armed: true },
      { type: 'absent', run, attempt: 2 },
    ])
  })

  it('is told the time of the server at each beat', async () => {
    await using rig = await startServer(pki.server, { nowUs: () => 777 })
    using agent = rawLine(rig.address, node1)
    agent.send(hello())
    agent.send({ type: 'beat', sequence: 9, agentSentUs: 123, running: 0 })
    await eventually(() => agent.received.length === 2)
    expect(agent.received[1]).toEqual({
      type: 'clock',
      reading: { sequence: 9, agentSentUs: 123, serverReceivedUs: 777, serverSentUs: 777 },
    })
  })

  it('ends its line on purpose with a bye; anything else is a loss', async () => {
    await using rig = await startServer(pki.server)
    {
      using agent = rawLine(rig.address, node1)
      agent.send(hello())
      agent.send({ type: 'bye', reason: 'stops' })
      expect(await agent.status).toMatchObject({ code: status.OK })
    }
    {
      using agent = rawLine(rig.address, node1)
      agent.send(hello())
      await welcomed(agent)
      agent.call.end()
      await agent.status
    }
    {
      using agent = rawLine(rig.address, node1)
      agent.send(hello())
      await welcomed(agent)
    }
    await eventually(() => rig.handler.log.length === 6)
    expect(rig.handler.log.filter((entry) => entry.startsWith('closed'))).toEqual([
      'closed node-1 bye',
      'closed node-1 lost',
      'closed node-1 lost',
    ])
    expect(rig.server.count).toBe(0)
  })

  it('has one line: a newer one takes the place of the first, which is closed before', async () => {
    await using rig = await startServer(pki.server)
    using first = rawLine(rig.address, node1)
    first.send(hello())
    await welcomed(first)
    const old = rig.server.line(project, node)!
    using second = rawLine(rig.address, node1)
    second.send(hello())
    expect(await first.status).toMatchObject({ code: status.ABORTED })
    await welcomed(second)
    expect(rig.handler.log).toEqual(['opened node-1', 'closed node-1 replaced', 'opened node-1'])
    expect(old.send(go)).toBe(false)
    expect(rig.server.line(project, node)).not.toBe(old)
    expect(rig.server.line(project, node)!.send(go)).toBe(true)
    expect(rig.server.count).toBe(1)
  })

  it('can be sent away', async () => {
    await using rig = await startServer(pki.server)
    using agent = rawLine(rig.address, node1)
    agent.send(hello())
    const line = await eventually(() => rig.server.line(project, node))
    line.close('revoked')
    expect(await agent.status).toMatchObject({ code: status.UNAVAILABLE, details: 'revoked' })
    expect(rig.handler.log).toEqual(['opened node-1', 'closed node-1 lost'])
    expect(line.send(go)).toBe(false)
  })
})

describe('a line to an agent of another release', () => {
  it('speaks the highest protocol that both know', async () => {
    await using rig = await startServer('plain', { protocols: { from: 1, to: 3 } })
    for (const [protocol, chosen] of [
      [{ from: 1, to: 2 }, 2],
      [{ from: 2, to: 9 }, 3],
    ] as const) {
      using agent = rawLine(rig.address, 'plain')
      agent.send({ type: 'hello', hello: helloOf('node-1', { protocol }) })
      await welcomed(agent)
      expect(agent.received).toMatchObject([{ type: 'welcome', protocol: chosen }])
      expect(rig.server.line(project, node)?.protocol).toBe(chosen)
    }
  })

  it('carries nothing that the agent does not know, and says that somebody forgot to ask', async () => {
    await using rig = await startServer('plain', { protocols: { from: 0, to: protocolNow } })
    using agent = rawLine(rig.address, 'plain')
    agent.send({ type: 'hello', hello: helloOf('node-1', { protocol: { from: 0, to: 0 } }) })
    const line = await eventually(() => rig.server.line(project, node))
    expect(line.send(go)).toBe(false)
    expect(rig.events.at(-1)).toMatchObject({ event: 'line.bug', fields: { err: { code: 'unsupported' } } })
    agent.send({ type: 'absent', run, attempt: 1 })
    await eventually(() => rig.handler.messages.length === 1)
    expect(agent.received).toMatchObject([{ type: 'welcome', protocol: 0 }])
  })
})

describe('a stream that may not become a line', () => {
  it('is ended when the client is not admitted', async () => {
    await using rig = await startServer(pki.server)
    rig.handler.admitted = false
    using agent = rawLine(rig.address, node1)
    agent.send(hello())
    expect(await agent.status).toMatchObject({ code: status.PERMISSION_DENIED })
    expect(rig.handler.log).toEqual([])
  })

  it('is ended when its hello names another client than its certificate', async () => {
    await using rig = await startServer(pki.server)
    using agent = rawLine(rig.address, node1)
    agent.send(hello('node-2'))
    expect(await agent.status).toMatchObject({ code: status.PERMISSION_DENIED })
    expect(rig.handler.asked).toEqual([])
  })

  it('does not come about with a certificate of another CA, with none, or without TLS', async () => {
    await using rig = await startServer(pki.server)
    await using others = await makePki()
    const foreign = await others.agent('node-1')
    for (const tls of [{ ...foreign, ca: node1.ca }, { ...node1, ca: foreign.ca }, 'plain'] as const) {
      using agent = rawLine(rig.address, tls)
      agent.send(hello())
      expect(await agent.status).toMatchObject({ code: status.UNAVAILABLE })
    }
    expect(rig.handler.asked).toEqual([])
    expect(rig.handler.log).toEqual([])
  })

  it("does not come about with a server's certificate either", async () => {
    await using rig = await startServer(pki.server)
    using agent = rawLine(rig.address, pki.server)
    agent.send(hello())
    expect(await agent.status).toMatchObject({ code: status.UNAVAILABLE })
  })

  it.each<[string, Partial<ReturnType<typeof helloOf>>]>([
    ['is newer', { protocol: { from: protocolNow + 1, to: protocolNow + 9 } }],
    ['is older', { protocol: { from: 0, to: protocolOldest - 1 } }],
  ])('is ended when every protocol of the agent %s', async (_, more) => {
    await using rig = await startServer('plain')
    using agent = rawLine(rig.address, 'plain')
    agent.send({ type: 'hello', hello: helloOf('node-1', more) })
    expect(await agent.status).toMatchObject({ code: status.FAILED_PRECONDITION })
    expect(rig.handler.log).toEqual([])
  })

  it('is ended when it begins with something else, with garbage, or with nothing for too long', async () => {
    await using rig = await startServer('plain', { times: { helloMs: 50 } })
    using other = rawLine(rig.address, 'plain')
    other.send({ type: 'absent', run, attempt: 1 })
    expect(await other.status).toMatchObject({ code: status.FAILED_PRECONDITION })
    using garbage = rawLine(rig.address, 'plain')
    garbage.sendBytes(Buffer.from('hello, is it me'))
    expect(await garbage.status).toMatchObject({ code: status.INVALID_ARGUMENT })
    using silent = rawLine(rig.address, 'plain')
    expect(await silent.status).toMatchObject({ code: status.DEADLINE_EXCEEDED })
    expect(rig.handler.log).toEqual([])
  })
})

describe('a line whose agent', () => {
  it('sends no beats is silent', async () => {
    await using rig = await startServer(pki.server, { times: { silenceMs: 50 } })
    using agent = rawLine(rig.address, node1)
    agent.send(hello())
    // It is cut off: who says nothing may not hear either.
    expect(await agent.status).toMatchObject({ code: status.UNAVAILABLE })
    expect(rig.handler.log).toEqual(['opened node-1', 'closed node-1 silent'])
  })

  it('sends garbage ends, and no other one does', async () => {
    await using rig = await startServer(pki.server)
    using good = rawLine(rig.address, await pki.agent('node-2'))
    good.send(hello('node-2'))
    await welcomed(good)
    for (const bytes of [Buffer.alloc(0), Buffer.from('0a0b0c', 'hex'), Buffer.alloc(1_000, 0xff)]) {
      using bad = rawLine(rig.address, node1)
      bad.send(hello())
      await welcomed(bad)
      bad.sendBytes(bytes)
      expect(await bad.status).toMatchObject({ code: status.INVALID_ARGUMENT })
    }
    good.send({ type: 'beat', sequence: 1, agentSentUs: 1, running: 0 })
    await eventually(() => good.received.some(({ type }) => type === 'clock'))
    expect(rig.handler.log.filter((entry) => entry.includes('node-2'))).toEqual(['opened node-2'])
  })

  it('sends a message beyond the limit ends', async () => {
    await using rig = await startServer('plain')
    using agent = rawLine(rig.address, 'plain')
    agent.send(hello())
    await welcomed(agent)
    agent.sendBytes(Buffer.alloc(5 * 1024 * 1024))
    expect(await agent.status).toMatchObject({ code: status.RESOURCE_EXHAUSTED })
    await eventually(() => rig.handler.log.includes('closed node-1 lost'))
  })

  it('does not read ends as silent, and what it left unread stays bounded', async () => {
    await using rig = await startServer(pki.server, { limits: { queueBytes: 1_000_000 } })
    using agent = rawLine(rig.address, node1)
    agent.send(hello())
    await welcomed(agent)
    agent.call.pause()
    const line = rig.server.line(project, node)!
    const large: ToAgent = { type: 'servers', addresses: ['x'.repeat(100_000)] }
    let sent = 0
    await eventually(() => {
      while (sent < 10_000 && line.send(large)) sent++
      return !line.send(large)
    })
    // What the connection itself takes in before it stops differs between systems.
    expect(sent).toBeLessThan(1_000)
    expect(rig.handler.log).toEqual(['opened node-1', 'closed node-1 silent'])
    agent.call.resume()
    await agent.status
  })

  it('sends too fast is slowed down, and loses nothing', async () => {
    await using rig = await startServer('plain', { limits: { receivedPerSecond: 10 } })
    using agent = rawLine(rig.address, 'plain')
    agent.send(hello())
    for (let attempt = 1; attempt <= 25; attempt++) agent.send({ type: 'absent', run, attempt })
    await eventually(() => rig.handler.messages.length > 0)
    expect(rig.handler.messages.length).toBeLessThan(25)
    await eventually(() => rig.handler.messages.length === 25)
    expect(rig.handler.messages.map((message) => 'attempt' in message && message.attempt)).toEqual(
      Array.from({ length: 25 }, (_, i) => i + 1),
    )
  })

  it('goes on when a handler throws', async () => {
    await using rig = await startServer('plain')
    rig.handler.received = () => {
      throw new Error('a bug')
    }
    using agent = rawLine(rig.address, 'plain')
    agent.send(hello())
    agent.send({ type: 'absent', run, attempt: 1 })
    agent.send({ type: 'beat', sequence: 1, agentSentUs: 1, running: 0 })
    await eventually(() => agent.received.some(({ type }) => type === 'clock'))
    expect(rig.events.map(({ event }) => event)).toEqual(['line.opened', 'line.bug'])
  })
})

describe('a server of agents', () => {
  it('survives whatever comes to its port', async () => {
    await using rig = await startServer(pki.server)
    for (const bytes of ['GET / HTTP/1.1\r\n\r\n', '\x16\x03\x01\x02\x00\x01', '\0'.repeat(100)]) {
      const socket = connect(rig.server.port, '127.0.0.1', () => socket.end(bytes))
      await new Promise((resolve) => socket.on('error', resolve).on('close', resolve).resume())
    }
    await using plain = await startServer('plain')
    const socket = connect(plain.server.port, '127.0.0.1', () =>
      socket.end('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nxxxx'),
    )
    await new Promise((resolve) => socket.on('error', resolve).on('close', resolve).resume())
    using agent = rawLine(rig.address, node1)
    agent.send(hello())
    await welcomed(agent)
  })

  it('welcomes an agent though many connections before it never say anything', async () => {
    await using rig = await startServer(pki.server)
    const idle = await Promise.all(
      Array.from({ length: 200 }, async () => {
        const socket = connect(rig.server.port, '127.0.0.1')
        await once(socket, 'connect')
        return socket.on('error', () => undefined)
      }),
    )
    using agent = rawLine(rig.address, node1)
    agent.send(hello())
    await welcomed(agent)
    for (const socket of idle) socket.destroy()
  })

  it('takes more handshakes at one moment than are under way together, and forgets those that broke off', async () => {
    await using rig = await startServer(pki.server)
    for (let n = 0; n < 100; n++)
      connect(rig.server.port, '127.0.0.1')
        .on('error', () => undefined)
        .destroy()
    const done = Array.from({ length: 100 }, async () => {
      const socket = connectTls({
        ...{ port: rig.server.port, host: '127.0.0.1', servername: serverTlsName, ALPNProtocols: ['h2'] },
        ...{ ca: node1.ca, key: node1.key, cert: node1.certificate },
      })
      await once(socket, 'secureConnect')
      socket.destroy()
    })
    await Promise.all(done)
    using agent = rawLine(rig.address, node1)
    agent.send(hello())
    await welcomed(agent)
  })

  it('drains: tells its agents to leave, takes no new ones, and is done when they have gone', async () => {
    await using rig = await startServer(pki.server, { times: { drainMs: 60_000 } })
    using agent = rawLine(rig.address, node1)
    agent.send(hello())
    await welcomed(agent)
    const drained = rig.server.drain()
    await eventually(() => agent.received.some(({ type }) => type === 'drain'))
    expect(agent.received.at(-1)).toEqual({ type: 'drain', withinMs: 60_000 })
    using late = rawLine(rig.address, node1)
    late.send(hello())
    expect(await late.status).toMatchObject({ code: status.UNAVAILABLE })
    agent.send({ type: 'bye', reason: 'moves' })
    await drained
    expect(rig.handler.log).toEqual(['opened node-1', 'closed node-1 bye'])
  })

  it('drains for a bounded time when an agent stays', async () => {
    await using rig = await startServer('plain', { times: { drainMs: 20 } })
    using agent = rawLine(rig.address, 'plain')
    agent.send(hello())
    await welcomed(agent)
    await rig.server.drain()
    expect(rig.server.count).toBe(1)
  })

  it('ends all its lines when it is disposed', async () => {
    const rig = await startServer(pki.server)
    using agent = rawLine(rig.address, node1)
    agent.send(hello())
    await welcomed(agent)
    await rig[Symbol.asyncDispose]()
    expect(await agent.status).toMatchObject({ code: status.UNAVAILABLE })
    expect(rig.handler.log).toEqual(['opened node-1', 'closed node-1 lost'])
  })

  it('does not serve others than this machine without TLS', async () => {
    const starting = startServer('plain', { listen: { host: '0.0.0.0', port: 0 } })
    await expect(starting).rejects.toMatchObject({ code: 'bad_request' })
  })
})
