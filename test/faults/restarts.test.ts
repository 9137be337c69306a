// Processes that are asked to end, and all of them killed at one moment.
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { randomTree } from '../support/random-tree.ts'
import { TestStack } from '../support/stack.ts'

vi.setConfig({ testTimeout: 150_000, hookTimeout: 150_000 })
const again = { max_retries: 1, max_retries_interval: 0 }
let world: TestStack

beforeAll(async () => {
  world = await TestStack.start({ agents: 2 })
})
beforeEach(() => world.heal())
afterAll(() => world?.[Symbol.asyncDispose]())

const hasLogged = (name: string, event: string) =>
  eventually(() =>
    world
      .process(name)
      .tail(200)
      .some((line) => line.includes(`"event":"${event}"`)),
  )

describe('a process that is asked to end in the middle of a run', () => {
  it.each(['server-1', 'nats', 'etcd'])('lets the run go on: %s', async (name) => {
    await world.counter.hold()
    const run = await world.run(await world.commandJob('node-1', { max_retries: 0 }))
    await world.untilBegun(run)
    await world.process(name).stop()
    await world.counter.release()
    await eventually(() => world.undelivered('node-1').includes(`${run}.1`))
    await world.start(name)
    expect(await world.untilState(run, 'finished')).toMatchObject({ result: 'success', attempt: 1 })
    expect(world.counter.of(run)).toEqual(['1 start', '1 end'])
    await world.expectAllSettled()
  })

  it('waits for the run when it is the agent', async () => {
    await world.counter.hold()
    const run = await world.run(await world.commandJob('node-1', { max_retries: 0 }))
    await world.untilBegun(run)
    const ended = world.process('agent-1').stop()
    await hasLogged('agent-1', 'agent.draining')
    await world.counter.release()
    await ended
    expect(await world.untilState(run, 'finished')).toMatchObject({ result: 'success', attempt: 1 })
    expect(world.counter.of(run)).toEqual(['1 start', '1 end'])
    await world.start('agent-1')
    await world.expectAllSettled()
  })

  it('stops the run when it takes too long, with all its processes, and has it tried again as far as it may be', async () => {
    await world.counter.hold()
    const twice = await world.run(await world.commandJob('node-1', { child: 'same', ...again }))
    const once = await world.run(await world.commandJob('node-2', { child: 'same', max_retries: 0 }))
    for (const run of [twice, once]) await world.untilCounted(run, '1 child')
    await Promise.all([world.process('agent-1').stop(), world.process('agent-2').stop()])
    for (const run of [twice, once]) expect(world.counter.living(run)).toEqual([])
    await world.start('agent-1', 'agent-2')
    await world.untilBegun(twice, 2)
    await world.counter.release()
    expect(await world.untilState(twice, 'finished')).toMatchObject({ result: 'success', attempt: 2 })
    expect(await world.untilState(once, 'finished')).toMatchObject({ result: 'lost', attempt: 1 })
    expect(world.counter.of(twice)).toEqual(['1 start', '2 start', '2 end'])
    expect(world.counter.of(once)).toEqual(['1 start'])
    await world.expectAllSettled()
  })
})

describe('everything killed at one moment', () => {
  it('comes back, and every run ends: those that ran, those that waited, and a session that was just started', async () => {
    await world.counter.hold()
    const folder = await randomTree(world.dir.join('data'), 3)
    const backup = await world.run(await world.backupJob('node-1', folder, 512, again))
    const commands = await Promise.all(
      ['node-1', 'node-2'].map(async (client) => world.run(await world.commandJob(client, again))),
    )
    // It waits for the other backup, which writes to the same repository.
    const waiting = await world.run(await world.backupJob('node-1', folder, 4096, again))
    await world.must('POST', '/v1/sessions/s', { schedule: {}, hold_off: 0 })
    for (const client of world.stack.clients)
      await world.must('PUT', `/v1/sessions/s/jobs/${await world.commandJob(client, again)}`)
    await world.untilSaving(backup)
    for (const run of commands) await world.untilBegun(run)
    const started = await world.must('POST', '/v1/sessions/s/start', {})
    const members: string[] = started.members.map((member: { run_id: string }) => member.run_id)
    world.expect(...members)

    const everything = [...world.stack.processes.keys()]
    await world.crash(...everything)
    await world.start(...everything)
    await world.counter.release()
    for (const run of [backup, waiting, ...commands]) {
      const over = await world.untilState(run, 'finished')
      const logged = over.result === 'success' ? '' : await world.log(over.client_id, run)
      expect(over, `${JSON.stringify(over)}\n${logged}`).toMatchObject({ result: 'success' })
    }
    const set = await eventually(
      async () => {
        const found = await world.must('GET', '/v1/sets/s/1')
        if (found.phase !== 'ended') throw new Error(JSON.stringify(found))
        return found
      },
      { withinMs: 90_000 },
    )
    expect(set.result).toBe('success')
    for (const run of [...commands, ...members]) expect(world.counter.of(run).at(-1)).toMatch(/ end$/)
    await world.expectAllSettled()
    expect(await world.locks('node-1')).toEqual([])
  })
})
