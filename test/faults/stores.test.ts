// NATS and etcd that are away while nodes work.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { randomTree } from '../support/random-tree.ts'
import { TestStack } from '../support/stack.ts'

vi.setConfig({ testTimeout: 150_000, hookTimeout: 150_000 })
let world: TestStack

beforeAll(async () => {
  world = await TestStack.start({ agents: 2 })
})
beforeEach(() => world.heal())
afterAll(() => world?.[Symbol.asyncDispose]())

/** The time that a fault lasts, what was done meanwhile included. */
const until = (begunMs: number, lastsMs: number) => sleep(Math.max(0, begunMs + lastsMs - performance.now()))

describe('NATS away for 20 s, during and after a backup', () => {
  it('keeps the result on the disk of the node until it is back, and starts what is asked for meanwhile', async () => {
    await world.counter.hold()
    const folder = await randomTree(world.dir.join('data-1'), 3)
    const backup = await world.run(await world.backupJob('node-1', folder, 1024))
    await world.untilSaving(backup)
    const stoppedAt = performance.now()
    await world.process('nats').stop()

    await eventually(() => world.undelivered('node-1').includes(`${backup}.1`), { withinMs: 60_000 })
    const command = await world.run(await world.commandJob('node-2'))
    await world.untilBegun(command)
    await world.counter.release()
    await eventually(() => world.undelivered('node-2').includes(`${command}.1`))
    expect((await world.ask('GET', '/readyz')).json).toMatchObject({ status: 'ok', nats: 'away' })
    expect((await world.look(backup)).state).toBe('running')

    await until(stoppedAt, 20_000)
    expect(world.undelivered('node-1')).toEqual([`${backup}.1`])
    await world.start('nats')
    for (const run of [backup, command])
      expect(await world.untilState(run, 'finished')).toMatchObject({ result: 'success', attempt: 1 })
    expect(world.counter.of(backup)).toEqual(['1 start'])
    expect(world.counter.of(command)).toEqual(['1 start', '1 end'])
    await world.expectAllSettled()
  })

  it('lets a node that is restarted meanwhile find its results again', async () => {
    await world.counter.release()
    await world.process('nats').stop()
    const run = await world.run(await world.commandJob('node-2'))
    await eventually(() => world.undelivered('node-2').includes(`${run}.1`))
    await world.crash('agent-2')
    await world.start('agent-2')
    expect(world.undelivered('node-2')).toEqual([`${run}.1`])
    await world.start('nats')
    expect(await world.untilState(run, 'finished')).toMatchObject({ result: 'success', attempt: 1 })
    expect(world.counter.of(run)).toEqual(['1 start', '1 end'])
    await world.expectAllSettled()
  })
})

describe('etcd away for 10 s', () => {
  it('refuses writes meanwhile, serves reads as stale, and lets nodes work on', async () => {
    await world.counter.hold()
    const folder = await randomTree(world.dir.join('data-2'), 2)
    const backup = await world.run(await world.backupJob('node-1', folder, 512))
    const job = await world.commandJob('node-2')
    const command = await world.run(job)
    await world.untilSaving(backup)
    await world.untilBegun(command)
    const stoppedAt = performance.now()
    await world.process('etcd').stop()

    for (const [where, body] of [
      ['/v1/runs', { job_id: job }],
      ['/v1/jobs/another', { client_id: 'node-1', job_actions: [] }],
      [`/v1/runs/${command}/cancel`, {}],
    ] as const) {
      const refused = await world.ask('POST', where, body)
      expect([where, refused.status]).toEqual([where, 503])
    }
    const read = await eventually(async () => {
      const answer = await world.ask('GET', `/v1/runs/${backup}`)
      return answer.headers.has('firn-stale') && answer
    })
    expect(read).toMatchObject({ status: 200, json: { run_id: backup, state: 'running' } })
    await world.counter.release()
    await eventually(() => world.undelivered('node-1').includes(`${backup}.1`), { withinMs: 60_000 })
    await eventually(() => world.undelivered('node-2').includes(`${command}.1`))

    await until(stoppedAt, 10_000)
    await world.start('etcd')
    for (const run of [backup, command])
      expect(await world.untilState(run, 'finished')).toMatchObject({ result: 'success', attempt: 1 })
    expect(world.counter.of(backup)).toEqual(['1 start'])
    expect(world.counter.of(command)).toEqual(['1 start', '1 end'])
    await world.expectAllSettled()
    expect((await world.ask('GET', `/v1/runs/${backup}`)).headers.has('firn-stale')).toBe(false)
    expect((await world.ask('GET', '/v1/jobs/another')).status).toBe(404)
  })
})
