import { expect, it } from 'vitest'
import type { Line } from '../../core/catalogue.ts'
import { clientId, serverId } from '../../core/ids.ts'
import type { ToAgent } from '../../core/link.ts'
import { aClient, aRun, noon, project } from '../../test/support/builders.ts'
import { eventually } from '../../test/support/eventually.ts'
import { manualClock } from '../../test/support/manual-clock.ts'
import { helloOf } from '../../test/support/line-rig.ts'
import { memoryStore } from '../memory/backend.ts'
import type { AgentLine } from '../ports/lines.ts'
import { put, unchanged } from '../state/documents.ts'
import { State } from '../state/state.ts'
import { LineBook } from './line-book.ts'
import { Spreading } from './spreading.ts'

const settleMs = 5_000
const pauseMs = 15_000

/** A server with agents, beside others that are only told of. */
async function world(agents: number) {
  const clock = manualClock()
  const state = new State(memoryStore().backend(), clock)
  await eventually(() => state.loaded)
  const lines = new LineBook(clock)
  const sent = new Map<string, ToAgent[]>()
  const open = (name: string): AgentLine => {
    const told: ToAgent[] = []
    sent.set(name, told)
    const client = clientId(name)
    const line: AgentLine = {
      ...{ project, client, fingerprint: '', protocol: 1, hello: helloOf(name) },
      send: (message) => told.push(message) > 0,
      close: () => undefined,
    }
    lines.open(line)
    return line
  }
  for (let n = 0; n < agents; n++) open(`n${n}`)
  const server = (name: string, draining = false) =>
    state.commit({
      requires: [],
      puts: [
        put('server', '', name, {
          ...{ id: serverId(name), agents: `${name}:1`, http: '', version: '0', startedAt: noon },
          ...(draining ? { draining } : {}),
        }),
      ],
    })
  const client = (name: string, line: Line) =>
    state.commit({
      requires: [unchanged('client', project, name, undefined)],
      puts: [put('client', project, name, aClient({ id: clientId(name), line }))],
    })
  await server('own')
  const spreading = new Spreading({ context: { state, clock }, lines, server: serverId('own') })
  const told = () => [...sent].flatMap(([name, messages]) => (messages.length > 0 ? [name] : []))
  return { clock, state, lines, sent, open, server, client, spreading, told }
}

it('leaves everything as it is while no other server takes agents', async () => {
  const { spreading, server, told } = await world(50)
  await server('other', true)
  expect(await spreading.look()).toBe(undefined)
  expect(told()).toEqual([])
})

it('sends what is beyond its share to a new server, once the fleet has settled', async () => {
  const { clock, spreading, server, sent, told } = await world(50)
  await server('new')
  expect(await spreading.look()).toBe(clock.now() + settleMs)
  clock.advance(settleMs - 1)
  expect(await spreading.look()).toBe(clock.now() + 1)
  expect(told()).toEqual([])
  clock.advance(1)
  expect(await spreading.look()).toBe(clock.now() + pauseMs)
  expect(told()).toHaveLength(25)
  expect(sent.get('n0')).toEqual([
    { type: 'servers', addresses: ['new:1'] },
    { type: 'drain', withinMs: 10_000 },
  ])
})

it('tells nobody twice: who came back is where it can be', async () => {
  const { clock, spreading, server, open, sent, told } = await world(50)
  await server('new')
  await spreading.look()
  clock.advance(settleMs)
  await spreading.look()
  const sentAway = told()
  for (const name of sentAway) open(name)
  clock.advance(pauseMs)
  await spreading.look()
  expect(sentAway.filter((name) => (sent.get(name)?.length ?? 0) > 0)).toEqual([])
  expect(told()).toHaveLength(25)
  for (const name of told()) open(name)
  clock.advance(pauseMs)
  // Everybody has come back: there is nothing to do for a while.
  expect(await spreading.look()).toBeGreaterThan(clock.now() + pauseMs)
})

it('leaves agents alone that have something to do', async () => {
  const { clock, state, spreading, server, told } = await world(20)
  await server('new')
  const run = aRun({ client: clientId('n0') })
  await state.commit({ requires: [], puts: [put('run', project, run.id, run)] })
  await spreading.look()
  clock.advance(settleMs)
  await spreading.look()
  expect(told()).toHaveLength(10)
  expect(told()).not.toContain('n0')
})

it('counts what others hold by the documents of their clients', async () => {
  const { clock, spreading, server, client, told } = await world(14)
  await server('other')
  for (let n = 0; n < 10; n++)
    await client(`o${n}`, { is: 'up', server: serverId('other'), since: clock.now() })
  expect(await spreading.look()).toBe(undefined)
  expect(told()).toEqual([])
})

it('has nobody go to others when it drains: they are told by then', async () => {
  const { spreading, server } = await world(50)
  await server('new')
  await server('own', true)
  expect(await spreading.look()).toBe(undefined)
})
