import { createServer, type Server } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectToServers, type LineEvents, type ServerLineOptions } from '../../agent/grpc/server-line.ts'
import type { ServerLineHandler } from '../../agent/ports/line.ts'
import { clientId, serverId } from '../../core/ids.ts'
import { epoch, protocolNow, type ToAgent } from '../../core/link.ts'
import { eventually } from '../support/eventually.ts'
import { helloOf, makePki, project, run, startServer, type Pki, type Rig } from '../support/line-rig.ts'
import { manualClock } from '../support/manual-clock.ts'
import { freePort } from '../support/ports.ts'
import { realClock } from '../support/real-clock.ts'

let pki: Pki
let node1: Awaited<ReturnType<Pki['agent']>>
beforeAll(async () => {
  pki = await makePki()
  node1 = await pki.agent('node-1')
})
afterAll(() => pki[Symbol.asyncDispose]())

const node = clientId('node-1')
const go: ToAgent = { type: 'go', run, attempt: 1, atUs: 5, epoch: epoch(3) }
const forever = new AbortController().signal

/** An agent's side whose handler remembers. Pauses are short; what is about pauses has a clock of its own. */
function startAgent(
  servers: readonly string[],
  options: Partial<ServerLineOptions> = {},
  held: unknown[] = [],
  protocol = helloOf('node-1').protocol,
) {
  const log: string[] = []
  const received: ToAgent[] = []
  const events: { event: keyof LineEvents; fields: unknown }[] = []
  const handler: ServerLineHandler = {
    hello: () => helloOf('node-1', { protocol, held: [...held] as never }),
    welcomed: (server) => void log.push(`welcomed ${server}`),
    received: (message) => void received.push(message),
    lost: () => void log.push('lost'),
    running: () => 0,
  }
  const all: ServerLineOptions = {
    servers,
    tls: 'plain',
    clock: { ...realClock, random: () => 0 },
    report: (event, fields) => void events.push({ event, fields }),
    times: { backoffMs: 5, backoffMaxMs: 20 },
    ...options,
  }
  return { line: connectToServers(all, handler), handler, log, received, events }
}

const lineOf = (rig: Rig) => eventually(() => rig.server.line(project, node))

describe('an agent', () => {
  it('connects with its certificate, hears and is heard, and says bye at the end', async () => {
    await using rig = await startServer(pki.server)
    const agent = startAgent([rig.address], { tls: () => node1 })
    await agent.line.open(forever)
    const line = await lineOf(rig)
    expect(line.hello).toEqual(helloOf('node-1'))
    line.send(go)
    await eventually(() => agent.received.length === 1)
    expect(agent.received).toEqual([go])
    expect(agent.line.send({ type: 'absent', run, attempt: 1 })).toBe(true)
    await eventually(() => rig.handler.messages.length === 1)
    await agent.line[Symbol.asyncDispose]()
    expect(rig.handler.log).toEqual(['opened node-1', 'closed node-1 bye'])
    expect(agent.log).toEqual(['welcomed server-1'])
    expect(agent.line.send({ type: 'absent', run, attempt: 1 })).toBe(false)
  })

  it('does not speak to a server of another CA', async () => {
    await using others = await makePki()
    await using rig = await startServer(others.server)
    const agent = startAgent([rig.address], { tls: () => node1 })
    await using _line = agent.line
    await eventually(() => agent.events.filter(({ event }) => event === 'line.failed').length > 1)
    expect(rig.handler.log).toEqual([])
  })

  it('does not take another agent for a server', async () => {
    const { ca, key, certificate } = await pki.agent('node-2')
    await using rig = await startServer({ ca, key, certificate })
    const agent = startAgent([rig.address], { tls: () => node1 })
    await using _line = agent.line
    await eventually(() => agent.events.filter(({ event }) => event === 'line.failed').length > 1)
    expect(rig.handler.log).toEqual([])
  })

  it('goes to the second server when the first one dies, and tells it what it holds by then', async () => {
    const first = await startServer('plain', { server: serverId('first') })
    await using second = await startServer('plain', { server: serverId('second') })
    const held: unknown[] = []
    const agent = startAgent([first.address, second.address], {}, held)
    await using _line = agent.line
    await lineOf(first)
    held.push({ run, attempt: 1, state: 'running' })
    await first[Symbol.asyncDispose]()
    expect((await lineOf(second)).hello.held).toEqual([{ run, attempt: 1, state: 'running' }])
    await eventually(() => agent.log.length === 3)
    expect(agent.log).toEqual(['welcomed first', 'lost', 'welcomed second'])
  })

  it('learns of servers from the one it is at', async () => {
    const first = await startServer('plain')
    await using second = await startServer('plain')
    const agent = startAgent([first.address])
    await using _line = agent.line
    ;(await lineOf(first)).send({ type: 'servers', addresses: [first.address, second.address] })
    ;(await lineOf(first)).send(go)
    await eventually(() => agent.received.length === 1)
    await first[Symbol.asyncDispose]()
    await lineOf(second)
  })

  it('moves when its server drains, saying bye, at a moment of its own', async () => {
    await using first = await startServer('plain', { server: serverId('first') })
    await using second = await startServer('plain', { server: serverId('second') })
    const agent = startAgent([first.address, second.address], { times: { steadyMs: 0 } })
    await using _line = agent.line
    await lineOf(first)
    await first.server.drain()
    await lineOf(second)
    expect(first.handler.log).toEqual(['opened node-1', 'closed node-1 bye'])
    await eventually(() => agent.log.length === 3)
    expect(agent.log).toEqual(['welcomed first', 'lost', 'welcomed second'])
    expect(agent.events.filter(({ event }) => event === 'line.failed')).toEqual([])
  })

  it('leaves a draining server at a moment that chance gives, and stays until then', async () => {
    const times = { drainMs: 60_000, silenceMs: 600_000 }
    await using first = await startServer('plain', { server: serverId('first'), times })
    await using second = await startServer('plain', { server: serverId('second') })
    const clock = manualClock(() => 0.5)
    const agent = startAgent([second.address, first.address], { clock, times: {} })
    await using _line = agent.line
    await lineOf(first)
    const drained = first.server.drain()
    await eventually(() => clock.sleeping.includes(30_000))
    clock.advance(29_999)
    ;(await lineOf(first)).send(go)
    await eventually(() => agent.received.length === 1)
    clock.advance(1)
    await lineOf(second)
    await drained
    await eventually(() => agent.log.length === 3)
    expect(agent.log).toEqual(['welcomed first', 'lost', 'welcomed second'])
  })

  it('waits longer for its welcome each time that a server let it wait in vain, up to a bound', async () => {
    const mute = await muteServer()
    const clock = manualClock()
    const times = { welcomeMs: 20_000, welcomeMaxMs: 50_000, backoffMs: 1, backoffMaxMs: 1 }
    const agent = startAgent([mute.address], { clock, times })
    await using _line = agent.line
    for (const patience of [20_000, 40_000, 50_000, 50_000]) {
      await eventually(() => clock.sleeping.includes(patience))
      clock.advance(patience)
      await eventually(() => clock.sleeping.some((ms) => ms <= 1))
      clock.advance(1)
    }
    mute.server.close()
  })

  it('keeps its line by its beats for longer than the server bears silence', async () => {
    const times = { beatMs: 20, silenceMs: 500 }
    await using rig = await startServer('plain', { times })
    const agent = startAgent([rig.address])
    await using _line = agent.line
    let beats = 0
    agent.handler.running = () => beats++
    await eventually(() => beats > 50)
    expect(rig.handler.log).toEqual(['opened node-1'])
  })

  it('refuses an order that it cannot read, for good, and goes on', async () => {
    await using rig = await startServer('plain')
    const agent = startAgent([rig.address])
    await using _line = agent.line
    const line = await lineOf(rig)
    line.send({
      type: 'order',
      order: {
        ...{ run, project, client: node, attempt: 4, epoch: epoch(1), hold: false, runMs: 1 },
        ...{ job: 'j' as never, slot: 'manual:x' as never, answerBy: 1 as never },
        tasks: [{ actionId: 'a', action: { do: 'teleport' } } as never],
        before: [{ tries: 0 }],
        repositories: [],
      },
    })
    line.send(go)
    await eventually(() => rig.handler.messages.length === 1 && agent.received.length === 1)
    expect(rig.handler.messages).toMatchObject([
      { type: 'refused', run, attempt: 4, final: true, reason: { code: 'unsupported' } },
    ])
    expect(agent.received).toEqual([go])
  })

  it('says nothing that its server does not know, and that somebody forgot to ask', async () => {
    await using rig = await startServer('plain', { protocols: { from: 0, to: 0 } })
    const agent = startAgent([rig.address], {}, [], { from: 0, to: protocolNow })
    await using _line = agent.line
    expect(agent.line.protocol).toBe(undefined)
    await agent.line.open(forever)
    expect(agent.line.protocol).toBe(0)
    expect(agent.line.send({ type: 'absent', run, attempt: 1 })).toBe(false)
    expect(agent.events.at(-1)).toMatchObject({ event: 'line.bug', fields: { err: { code: 'unsupported' } } })
  })

  it('is not stopped by a handler that throws', async () => {
    await using rig = await startServer('plain')
    const agent = startAgent([rig.address])
    await using _line = agent.line
    agent.handler.received = () => {
      throw new Error('a bug')
    }
    const line = await lineOf(rig)
    line.send(go)
    await eventually(() => agent.events.some(({ event }) => event === 'line.bug'))
    expect(rig.server.line(project, node)).toBe(line)
  })

  it('says when a listing is too large to send, instead of losing its line', async () => {
    await using rig = await startServer('plain')
    const agent = startAgent([rig.address])
    await using _line = agent.line
    await agent.line.open(forever)
    const entry = { path: 'x'.repeat(1_000_000), type: 'file', size: 1, mode: 0, mtime: '' } as const
    const answer = {
      id: 'q',
      ok: true,
      more: false,
      entries: Array.from({ length: 5 }, () => entry),
    } as const
    expect(agent.line.send({ type: 'answer', answer })).toBe(true)
    await eventually(() => rig.handler.messages.length === 1)
    expect(rig.handler.messages).toMatchObject([
      { answer: { id: 'q', ok: false, reason: { code: 'too_much' } } },
    ])
  })

  it('ends a line whose server does not read, for only a new hello tells it what was lost', async () => {
    await using rig = await startServer('plain', { limits: { receivedPerSecond: 1 } })
    const agent = startAgent([rig.address], { limits: { queueMessages: 50, queueBytes: 1_000_000 } })
    await using _line = agent.line
    await agent.line.open(forever)
    const reason = { code: 'x', text: 'x'.repeat(100_000) }
    let refused = false
    await eventually(() => {
      for (let i = 0; i < 100 && !refused; i++)
        refused = !agent.line.send({ type: 'refused', run, attempt: i, reason, final: true })
      return refused
    })
    await eventually(() => agent.log.includes('lost'))
  })
})

describe("an agent's knowledge of its server's clock", () => {
  it('is there soon, and true within the error that it states', async () => {
    const aheadUs = 3_000_000_000
    const own = () => Number(process.hrtime.bigint() / 1_000n)
    await using rig = await startServer('plain', { nowUs: () => own() + aheadUs })
    const agent = startAgent([rig.address])
    await using line = agent.line
    expect(line.toServerUs(0)).toBeUndefined()
    const there = await eventually(() => line.toServerUs(own()))
    expect(Math.abs(there.us - own() - aheadUs)).toBeLessThan(there.errorUs + 10_000_000)
    const at = own()
    const server = line.toServerUs(at)!
    expect(Math.abs(server.us - (at + aheadUs))).toBeLessThanOrEqual(server.errorUs)
    const local = line.toLocalUs(at + aheadUs)!
    expect(Math.abs(local.us - at)).toBeLessThanOrEqual(local.errorUs)
  })

  it('outlives a line, but not a change of the server', async () => {
    const own = () => Number(process.hrtime.bigint() / 1_000n)
    await using first = await startServer('plain', { server: serverId('first'), nowUs: () => own() + 1e9 })
    const agent = startAgent([first.address])
    await using line = agent.line
    await eventually(() => line.toServerUs(own()))
    ;(await lineOf(first)).close('again')
    await eventually(() => agent.log.includes('lost'))
    expect(line.toServerUs(own())).toBeDefined()
    await eventually(() => agent.log.length === 3)

    await using second = await startServer('plain', { server: serverId('second'), nowUs: () => own() + 5e9 })
    ;(await lineOf(first)).send({ type: 'servers', addresses: [second.address] })
    ;(await lineOf(first)).send(go)
    await eventually(() => agent.received.length === 1)
    await first[Symbol.asyncDispose]()
    await lineOf(second)
    await eventually(() => agent.log.at(-1) === 'welcomed second')
    const at = own()
    const server = await eventually(() => line.toServerUs(at))
    expect(Math.abs(server.us - (at + 5e9))).toBeLessThanOrEqual(server.errorUs)
  })
})

describe('while no server can be reached, an agent', () => {
  it('tries again after pauses that double up to 10 s and are spread by chance', async () => {
    const clock = manualClock(() => 0.999)
    const agent = startAgent([`127.0.0.1:${await freePort()}`], { clock, times: {} })
    const pauses: number[] = []
    for (let i = 0; i < 12; i++) {
      const failed = await eventually(() => agent.events.filter(({ event }) => event === 'line.failed')[i])
      pauses.push((failed.fields as LineEvents['line.failed']).againInMs)
      await eventually(() => clock.sleeping.some((ms) => Math.abs(ms - pauses[i]!) < 0.001))
      clock.advance(pauses[i]!)
    }
    const wanted = [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000, 10_000, 10_000, 10_000]
    expect(pauses.map((ms) => Math.round(ms))).toEqual(wanted.map((ms) => Math.round(ms * 0.9995)))
    await agent.line[Symbol.asyncDispose]()
    expect(agent.log).toEqual([])
  })

  it('tells whoever waits for a line when that is to stop', async () => {
    const agent = startAgent([])
    await using line = agent.line
    const stop = new AbortController()
    const opened = line.open(stop.signal)
    stop.abort(new Error('enough'))
    await expect(opened).rejects.toThrow('enough')
    await expect(line.open(stop.signal)).rejects.toThrow('enough')
    expect(line.send({ type: 'absent', run, attempt: 1 })).toBe(false)
  })

  it('goes on to the next after 10 s with one that takes connections and says nothing', async () => {
    const mute = await muteServer()
    await using rig = await startServer('plain')
    const clock = manualClock(() => 0)
    const agent = startAgent([mute.address, rig.address], { clock, times: {} })
    await using _line = agent.line
    await eventually(() => mute.connections() > 0 && clock.sleeping.includes(10_000))
    clock.advance(9_999)
    expect(agent.events).toEqual([])
    clock.advance(1)
    await eventually(() => clock.sleeping.includes(50))
    clock.advance(50)
    await lineOf(rig)
    mute.server.close()
  })

  it('is not held up by an address or a certificate that is none', async () => {
    await using rig = await startServer('plain')
    let asked = 0
    const agent = startAgent(['///', rig.address])
    await using _line = agent.line
    await lineOf(rig)
    const broken = startAgent([rig.address], {
      tls: () => {
        asked++
        return { ca: 'x', key: 'y', certificate: 'z' }
      },
    })
    await using _broken = broken.line
    await eventually(() => asked > 2)
  })
})

it('an agent notices when its server falls silent', async () => {
  const clock = manualClock(() => 0)
  // Its beats are not answered, because the server never reads them.
  await using rig = await startServer('plain', {
    limits: { receivedPerSecond: 1 },
    times: { silenceMs: 600_000 },
  })
  const agent = startAgent([rig.address], { clock, times: {} })
  await using _line = agent.line
  await agent.line.open(forever)
  for (let i = 0; i < 40 && !agent.log.includes('lost'); i++) {
    await eventually(() => clock.sleeping.length > 0)
    clock.advance(400_000)
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(agent.log.slice(0, 2)).toEqual(['welcomed server-1', 'lost'])
  expect(agent.events.find(({ event }) => event === 'line.lost')?.fields).toMatchObject({
    why: 'the server is silent',
  })
})

/** A server that accepts connections and never says a word. */
async function muteServer(): Promise<{ server: Server; address: string; connections(): number }> {
  let connections = 0
  const port = await freePort()
  const server = createServer((socket) => {
    connections++
    socket.on('error', () => undefined).resume()
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return { server, address: `127.0.0.1:${port}`, connections: () => connections }
}
