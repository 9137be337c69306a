// An agent whose disk is full: it takes nothing that it could forget, and forgets nothing that it has taken.
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { skipWhen } from '../support/skip.ts'
import { SmallDisk } from '../support/small-disk.ts'
import { TestStack } from '../support/stack.ts'

vi.setConfig({ testTimeout: 150_000, hookTimeout: 150_000 })
const isRoot = process.getuid?.() === 0
let disk: SmallDisk | undefined
let world: TestStack

beforeAll(async () => {
  if (!isRoot) return
  world = await TestStack.start({
    agents: 1,
    before: async (data) => {
      disk = await SmallDisk.mount(path.join(data, 'agents', 'node-1'), 4)
    },
  })
})
afterAll(async () => {
  await world?.stack.stop()
  disk?.[Symbol.dispose]()
  await world?.[Symbol.asyncDispose]()
})

/** More than fits into what is left of the journal's last page. */
const many = 24
const start = async (): Promise<string[]> => {
  const job = await world.commandJob('node-1', { max_retries: 0 })
  const runs: string[] = []
  for (let nth = 0; nth < many; nth++) runs.push(await world.run(job))
  return runs
}

/** Waits until the agent has logged an event so often. */
const hasLogged = (event: string, times: number) =>
  eventually(() => {
    const lines = world.process('agent-1').tail(10_000)
    return lines.filter((line) => line.includes(`"event":"${event}"`)).length >= times
  })

describe('a full disk', () => {
  it('lets orders wait until there is room: nothing is taken that is not on disk', async (context) => {
    skipWhen(context, 'needs root, to mount a small file system', !isRoot)
    await world.counter.release()
    disk?.fill()
    const runs = await start()
    // As many as fit are done; for the others the agent says "not now", and means it.
    const waiting = await eventually(async () => {
      const states = await Promise.all(runs.map((run) => world.look(run)))
      const still = states.filter(({ state }) => state === 'waiting' || state === 'offered')
      return still.length > 0 && states.every(({ state }) => state !== 'running') && still
    })
    for (const { run_id } of waiting) expect(world.counter.of(run_id)).toEqual([])
    await hasLogged('journal.failed', 1)
    disk?.free()
    for (const run of runs) {
      expect(await world.untilState(run, 'finished')).toMatchObject({ result: 'success', attempt: 1 })
      expect(world.counter.of(run)).toEqual(['1 start', '1 end'])
    }
    await world.expectAllSettled()
  })

  it('loses no outcome: it is written down as soon as there is room', async (context) => {
    skipWhen(context, 'needs root, to mount a small file system', !isRoot)
    await world.counter.hold()
    const runs = (await start()).slice(0, 16) // as many as run at once
    for (const run of runs) await world.untilBegun(run)
    await world.process('nats').stop() // so that only the node knows how they end
    disk?.fill()
    await world.counter.release()
    for (const run of runs) await world.untilCounted(run, '1 end')
    await hasLogged('journal.failed', 2)
    disk?.free()
    await eventually(() => runs.every((run) => world.undelivered('node-1').includes(`${run}.1`)))
    await world.crash('agent-1')
    await world.start('nats', 'agent-1')
    for (const run of runs) {
      expect(await world.untilState(run, 'finished')).toMatchObject({ result: 'success', attempt: 1 })
      expect(world.counter.of(run)).toEqual(['1 start', '1 end'])
    }
    await world.expectAllSettled()
  })
})
