// Servers that die while nodes work.
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { randomTree } from '../support/random-tree.ts'
import { TestStack } from '../support/stack.ts'

vi.setConfig({ testTimeout: 150_000, hookTimeout: 150_000 })
let world: TestStack

beforeAll(async () => {
  world = await TestStack.start({ servers: 2, agents: 2 })
})
beforeEach(() => world.heal())
afterAll(() => world?.[Symbol.asyncDispose]())

const nameOf = (server: number) => `server-${server + 1}`

describe('servers that are killed', () => {
  it('do not disturb a backup: it goes on without them, and its result arrives when they are back', async () => {
    const folder = await randomTree(world.dir.join('data-1'), 3)
    const run = await world.run(await world.backupJob('node-1', folder, 512))
    await world.untilSaving(run)
    await world.crash('server-1', 'server-2')

    await eventually(() => world.undelivered('node-1').includes(`${run}.1`), { withinMs: 60_000 })

    await world.start('server-1', 'server-2')
    const over = await world.untilState(run, 'finished')
    expect(over).toMatchObject({ result: 'success', attempt: 1, steps: [{ tries: 1 }] })
    const [step] = over.steps
    expect((await world.must('GET', `/v1/backups/${step.backup_id}`)).backup_id).toBe(step.backup_id)
    expect(world.counter.of(run)).toEqual(['1 start'])
    await world.expectAllSettled()
  })

  it('leave their agents to the others, with all that they are doing', async () => {
    await world.counter.hold()
    const runs: string[] = []
    for (const client of world.stack.clients) runs.push(await world.run(await world.commandJob(client)))
    for (const run of runs) await world.untilBegun(run)
    // One after the other, so that each agent has to move at least once.
    for (const [dies, stays] of [
      [0, 1],
      [1, 0],
    ] as const) {
      await world.crash(nameOf(dies))
      for (const [index, client] of world.stack.clients.entries()) {
        await world.untilLine(client, 'up', stays)
        await world.untilState(runs[index] ?? '', 'running', stays)
      }
      await world.start(nameOf(dies))
    }
    await world.counter.release()
    for (const run of runs) {
      expect(await world.untilState(run, 'finished')).toMatchObject({ result: 'success', attempt: 1 })
      expect(world.counter.of(run)).toEqual(['1 start', '1 end'])
    }
    await world.expectAllSettled()
  })
})

describe('a leader that is killed right after a session was started', () => {
  const session = async (): Promise<{ id: string; jobs: string[] }> => {
    const id = `session-${crypto.randomUUID()}`
    await world.must('POST', `/v1/sessions/${id}`, { schedule: {}, hold_off: 0 })
    const jobs: string[] = []
    for (const client of world.stack.clients) {
      const job = await world.commandJob(client)
      await world.must('PUT', `/v1/sessions/${id}/jobs/${job}`)
      jobs.push(job)
    }
    return { id, jobs }
  }

  const untilEnded = async (id: string, server: number) => {
    const set = await eventually(
      async () => {
        const found = await world.must('GET', `/v1/sets/${id}/1`, undefined, server)
        if (found.phase !== 'ended') throw new Error(JSON.stringify(found))
        return found
      },
      { withinMs: 90_000, everyMs: 50 },
    )
    const runs: string[] = set.members.map((member: { run_id: string }) => member.run_id)
    world.expect(...runs)
    return { set, runs }
  }

  it('has its runs made by the next leader: all of them, with one go', async () => {
    await world.counter.release()
    const { id, jobs } = await session()
    const leads = await world.leader()
    const other = 1 - leads
    // A leader that is frozen has not made any run when the start is written down by the other server.
    await eventually(
      async () => (await world.ask('GET', `/v1/jobs/${jobs[1]}`, undefined, other)).status === 200,
    )
    world.process(nameOf(leads)).kill('SIGSTOP')
    const started = await world.must('POST', `/v1/sessions/${id}/start`, {}, other)
    expect(started).toMatchObject({ tag: 1, phase: 'preparing' })
    await world.crash(nameOf(leads))

    const { set, runs } = await untilEnded(id, other)
    expect(set).toMatchObject({
      result: 'success',
      members: [{ result: 'success' }, { result: 'success' }],
    })
    for (const run of runs) expect(world.counter.of(run)).toEqual(['1 start', '1 end'])
    expect(set.start_skew_us).toEqual(expect.any(Number))
    await world.start(nameOf(leads))
    await world.expectAllSettled()
  })

  it('ends its set whatever it had already done', async () => {
    const { id } = await session()
    const leads = await world.leader()
    await world.must('POST', `/v1/sessions/${id}/start`, {}, leads)
    await world.crash(nameOf(leads))
    const { set, runs } = await untilEnded(id, 1 - leads)
    expect(set.result).toBe('success')
    for (const run of runs) expect(world.counter.of(run)).toEqual(['1 start', '1 end'])
    await world.start(nameOf(leads))
    await world.expectAllSettled()
  })
})
