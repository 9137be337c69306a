// Agents that die, freeze or are cut off while they work.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { freePort } from '../support/ports.ts'
import { startProxy, type Proxy } from '../support/proxy.ts'
import { randomTree } from '../support/random-tree.ts'
import { TestStack } from '../support/stack.ts'

vi.setConfig({ testTimeout: 150_000, hookTimeout: 150_000 })
const cutMs = 20_000
const until = (atMs: number) => sleep(Math.max(0, atMs - performance.now()))
const resources = new AsyncDisposableStack()
let world: TestStack
/** All that agents and server say to each other passes through here. */
let link: Proxy

beforeAll(async () => {
  const port = await freePort()
  link = resources.use(await startProxy({ port }))
  const address = `127.0.0.1:${link.port}`
  world = resources.use(
    await TestStack.start({
      agents: 3,
      serverConfig: { agents: { host: '127.0.0.1', port, advertise: [address] } },
      agentConfig: { servers: [address] },
    }),
  )
})
beforeEach(() => {
  link.heal()
  return world.heal()
})
afterAll(() => resources.disposeAsync())

describe('an agent that is killed and started again', () => {
  it('ends what it had started before anything is tried again, and tries again what may be', async () => {
    await world.counter.hold()
    const again = { max_retries: 1, max_retries_interval: 0 }
    const folders = [await randomTree(world.dir.join('a'), 4), await randomTree(world.dir.join('b'), 4)]
    const jobs = {
      backupTwice: await world.backupJob('node-1', folders[0] ?? '', 512, again),
      commandTwice: await world.commandJob('node-1', { child: 'same', ...again }),
      backupOnce: await world.backupJob('node-2', folders[1] ?? '', 512, { max_retries: 0 }),
      commandOnce: await world.commandJob('node-2', { child: 'own', max_retries: 0 }),
    }
    const runs: Record<string, string> = {}
    for (const [name, job] of Object.entries(jobs)) runs[name] = await world.run(job)
    const { backupTwice = '', commandTwice = '', backupOnce = '', commandOnce = '' } = runs
    await world.untilSaving(backupTwice)
    await world.untilSaving(backupOnce)
    await world.untilCounted(commandTwice, '1 child')
    await world.untilCounted(commandOnce, '1 child')
    const old = Object.fromEntries(Object.values(runs).map((run) => [run, world.counter.living(run)]))
    expect(Object.values(old).map((pids) => pids.length)).toEqual([1, 2, 1, 2])

    await world.crash('agent-1', 'agent-2')
    for (const [run, pids] of Object.entries(old)) expect(world.counter.living(run)).toEqual(pids)
    await world.start('agent-1', 'agent-2')

    await world.untilBegun(commandTwice, 2)
    await world.counter.release()
    for (const run of [backupTwice, commandTwice])
      expect(await world.untilState(run, 'finished')).toMatchObject({
        ...{ result: 'success', attempt: 2, steps: [{ tries: 2 }] },
      })
    for (const run of [backupOnce, commandOnce])
      expect(await world.untilState(run, 'finished')).toMatchObject({
        ...{ result: 'lost', attempt: 1, steps: [{ tries: 1, result: 'lost' }] },
      })
    expect(world.counter.of(backupTwice)).toEqual(['1 start', '2 start'])
    expect(world.counter.of(commandTwice)).toEqual(['1 start', '2 start', '2 end'])
    expect(world.counter.of(backupOnce)).toEqual(['1 start'])
    expect(world.counter.of(commandOnce)).toEqual(['1 start'])
    for (const run of [backupTwice, backupOnce, commandOnce]) expect(world.counter.living(run)).toEqual([])
    await world.expectAllSettled()
    for (const client of ['node-1', 'node-2']) expect(await world.locks(client)).toEqual([])
  })
})

describe('an agent that is silent for 20 s', () => {
  it('has its runs shown as unknown, and settles them afterwards: frozen, or cut off by the network', async () => {
    await world.counter.hold()
    // Only the others are cut off: the line of a frozen agent stays open until its server misses it.
    await world.reconfigure('agent-1', { servers: [`127.0.0.1:${world.agentAddress().port}`] })
    const runs: string[] = []
    for (const client of world.stack.clients) runs.push(await world.run(await world.commandJob(client)))
    for (const run of runs) await world.untilBegun(run)

    const begun = performance.now()
    world.process('agent-1').kill('SIGSTOP')
    link.cut()
    for (const run of runs) await world.untilState(run, 'unknown')
    // Their commands end while nobody hears of it.
    await world.counter.release()
    for (const run of runs) await world.untilCounted(run, '1 end')
    // For the other half the link takes everything and passes nothing on, as a firewall does.
    await until(begun + cutMs / 2)
    link.freeze()
    await until(begun + cutMs)
    const [frozen = '', ...cutOff] = runs
    expect((await world.look(frozen)).state).toBe('unknown')
    // Results have a way of their own, and it was open for these.
    for (const run of cutOff) expect((await world.look(run)).state).toBe('finished')
    world.process('agent-1').kill('SIGCONT')
    link.heal()

    for (const run of runs) {
      expect(await world.untilState(run, 'finished')).toMatchObject({ result: 'success', attempt: 1 })
      expect(world.counter.of(run)).toEqual(['1 start', '1 end'])
    }
    await world.expectAllSettled()
  })

  it('goes on with what it has when its link is back before that ended', async () => {
    await world.counter.hold()
    const run = await world.run(await world.commandJob('node-1'))
    await world.untilBegun(run)
    world.process('agent-1').kill('SIGSTOP')
    await world.untilState(run, 'unknown')
    world.process('agent-1').kill('SIGCONT')
    await world.untilState(run, 'running')
    await world.counter.release()
    expect(await world.untilState(run, 'finished')).toMatchObject({ result: 'success', attempt: 1 })
    expect(world.counter.of(run)).toEqual(['1 start', '1 end'])
    await world.expectAllSettled()
  })
})
