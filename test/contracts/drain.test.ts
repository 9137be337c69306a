import { expect, it } from 'vitest'
import { systemClock } from '../../core/clock-system.ts'
import { serverId } from '../../core/ids.ts'
import { eventually } from '../support/eventually.ts'
import { drain } from '../../controller/drain.ts'
import { memoryStore } from '../../controller/memory/backend.ts'
import { keepPresence } from '../../controller/presence.ts'
import { State } from '../../controller/state/state.ts'
import type { Context } from '../../controller/use-cases/context.ts'

const contextOf = (state: State) => ({ state, clock: systemClock }) as Context

/** Servers on one store, as far as a drain needs them. */
async function serversOf(names: readonly string[]) {
  const store = memoryStore()
  const servers = names.map((name) => {
    const state = new State(store.backend(), systemClock)
    const about = { id: serverId(name), agents: `${name}:1`, http: `http://${name}` }
    return { state, leadership: store.leadership(), presence: keepPresence(contextOf(state), about) }
  })
  await eventually(() => servers.every(({ state }) => [...state.all('server')].length === names.length))
  return servers
}

it('hands over the lead and its place in the list before agents are told to go', async () => {
  const [first, second] = await serversOf(['a', 'b'])
  if (!first || !second) throw new Error('two servers')
  const seen: string[] = []
  await drain({
    ...first,
    http: { drain: () => void seen.push(`http, leads: ${first.leadership.epoch() !== undefined}`) },
    agents: {
      drain: async () => {
        const listed = second.state.get('server', '', 'a')?.value.draining
        seen.push(`agents, leads: ${second.leadership.epoch() !== undefined}, draining: ${listed}`)
      },
    },
  })
  expect(seen).toEqual(['http, leads: true', 'agents, leads: true, draining: true'])
  expect(second.presence.hasOthers()).toBe(false)
  expect(first.presence.hasOthers()).toBe(true)
  first.presence[Symbol.dispose]()
  second.presence[Symbol.dispose]()
})

it('keeps its agents where there is nobody else to go to', async () => {
  const [only] = await serversOf(['a'])
  if (!only) throw new Error('one server')
  const agents = { drain: () => Promise.reject(new Error('told to go')) }
  await drain({ ...only, agents, http: { drain: () => undefined } })
  expect(only.leadership.epoch()).toBe(undefined)
  only.presence[Symbol.dispose]()
})

it('goes on when the store is away', async () => {
  const store = memoryStore()
  const state = new State(store.backend(), systemClock)
  await eventually(() => state.loaded)
  const about = { id: serverId('a'), agents: 'a:1', http: 'http://a' }
  using presence = keepPresence(contextOf(state), about)
  store.stop()
  await drain({
    ...{ leadership: store.leadership(), presence, http: { drain: () => undefined } },
    agents: { drain: async () => undefined },
  })
})
