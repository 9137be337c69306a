// Agents that die, freeze or are cut off while they work.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startProxy } from '../support/proxy.ts'
import { randomTree } from '../support/random-tree.ts'
import { TestStack } from '../support/stack.ts'

const perTest = 150_000
const cutMs = 20_000
let world: TestStack

beforeAll(async () => {
  world = await TestStack.start({ agents: 3 })
}, perTest)
beforeEach(() => world.heal(), perTest)
afterAll(() => world?.[Symbol.asyncDispose](), perTest)

describe('an agent that is killed and started again', () => {
  it(
    'ends what it had started before anything is tried again, and tries again what may be',
    async () => {
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
    },
    perTest,
  )
})

describe('an agent that is silent for 20 s', () => {
  it(
    'has its runs shown as unknown, and settles them afterwards: frozen, or cut off by the network',
    async () => {
      await world.counter.hold()
      await using proxies = new AsyncDisposableStack()
      const { port: direct } = world.agentAddress()
      // One link is cut, the other takes everything and forwards nothing.
      const cut = proxies.use(await startProxy({ port: direct }))
      const dropping = proxies.use(await startProxy({ port: direct }))
      const frozen = world.process('agent-1')
      await world.reconfigure('agent-2', { servers: [`127.0.0.1:${cut.port}`] })
      await world.reconfigure('agent-3', { servers: [`127.0.0.1:${dropping.port}`] })
      await world.heal()
      const runs: string[] = []
      for (const client of world.stack.clients) runs.push(await world.run(await world.commandJob(client)))
      for (const run of runs) await world.untilBegun(run)

      const begun = performance.now()
      frozen.kill('SIGSTOP')
      cut.cut()
      dropping.freeze()
      for (const run of runs) await world.untilState(run, 'unknown')
      // Their commands end while nobody hears of it.
      await world.counter.release()
      for (const run of runs) await world.untilCounted(run, '1 end')
      await sleep(Math.max(0, begun + cutMs - performance.now()))
      for (const run of runs) expect((await world.look(run)).state).not.toBe('waiting')
      frozen.kill('SIGCONT')
      cut.heal()
      dropping.heal()

      for (const run of runs) {
        expect(await world.untilState(run, 'finished')).toMatchObject({ result: 'success', attempt: 1 })
        expect(world.counter.of(run)).toEqual(['1 start', '1 end'])
      }
      await world.expectAllSettled()
      for (const name of ['agent-2', 'agent-3'])
        await world.reconfigure(name, { servers: [`127.0.0.1:${direct}`] })
    },
    perTest,
  )

  it(
    'goes on with what it has when its link is back before that ended',
    async () => {
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
    },
    perTest,
  )
})
