// Every message of an agent comes twice: on its line, and its reports under two message ids.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  startDoublingLine,
  startDoublingReports,
  type Doubling,
  type DoublingLine,
} from '../support/doubling.ts'
import { eventually } from '../support/eventually.ts'
import { randomTree } from '../support/random-tree.ts'
import { TestStack } from '../support/stack.ts'

vi.setConfig({ testTimeout: 150_000, hookTimeout: 150_000 })
const resources = new AsyncDisposableStack()
let world: TestStack
let lines: DoublingLine[]
let reports: Doubling

beforeAll(async () => {
  world = resources.use(await TestStack.start({ agents: 2 }))
  lines = []
  for (const [index, client] of world.stack.clients.entries()) {
    const line = resources.use(await startDoublingLine(world, client))
    lines.push(line)
    await world.reconfigure(`agent-${index + 1}`, { servers: [`127.0.0.1:${line.port}`] })
  }
  reports = resources.use(await startDoublingReports(world))
  await world.heal()
})
afterAll(() => resources.disposeAsync())

describe('messages that come twice', () => {
  it('start nothing twice, and count once: commands, a backup, a cancel, and attempts that are tried again', async () => {
    await world.counter.hold()
    const again = { max_retries: 1, max_retries_interval: 0 }
    const folder = await randomTree(world.dir.join('data'), 1)
    const success = [
      await world.run(await world.commandJob('node-1')),
      await world.run(await world.commandJob('node-2')),
      await world.run(await world.backupJob('node-1', folder, 512)),
    ]
    const cancelled = await world.run(await world.commandJob('node-2', again))
    const failing = await world.run(await world.commandJob('node-1', { failsFirst: true, ...again }))
    for (const run of [...success, cancelled]) await world.untilBegun(run)
    await world.must('POST', `/v1/runs/${cancelled}/cancel`, {})
    expect(await world.untilState(cancelled, 'finished')).toMatchObject({ result: 'aborted', attempt: 1 })
    // While the second attempt is under way the report of the first one comes again, and ends nothing.
    await world.untilBegun(failing, 2)
    await eventually(() => reports.doubled.has(`${failing}.1`))
    await world.counter.release()
    for (const run of success)
      expect(await world.untilState(run, 'finished')).toMatchObject({ result: 'success', attempt: 1 })
    expect(await world.untilState(failing, 'finished')).toMatchObject({
      ...{ result: 'success', attempt: 2, steps: [{ tries: 2 }] },
    })
    expect(world.counter.of(failing)).toEqual(['1 start', '1 end', '2 start', '2 end'])
    const { backups } = await world.must('GET', '/v1/backups')
    expect(backups.length).toBe(1)
    expect(world.counter.of(success[0] ?? '')).toEqual(['1 start', '1 end'])
    expect(world.counter.of(cancelled)).toEqual(['1 start'])
    await world.expectAllSettled()
  })

  it('do not disturb a session, nor an agent that dies under it', async () => {
    await world.counter.hold()
    await world.must('POST', '/v1/sessions/s', { schedule: {}, hold_off: 0 })
    for (const client of world.stack.clients) {
      const job = await world.commandJob(client, { max_retries: 1, max_retries_interval: 0 })
      await world.must('PUT', `/v1/sessions/s/jobs/${job}`)
    }
    const started = await world.must('POST', '/v1/sessions/s/start', {})
    const runs: string[] = started.members.map((member: { run_id: string }) => member.run_id)
    world.expect(...runs)
    for (const run of runs) await world.untilBegun(run)
    await world.crash('agent-2')
    await world.start('agent-2')
    const [first = '', second = ''] = runs
    await world.untilBegun(second, 2)
    await world.counter.release()
    const set = await eventually(
      async () => {
        const found = await world.must('GET', '/v1/sets/s/1')
        return found.phase === 'ended' && found
      },
      { withinMs: 60_000 },
    )
    expect(set.result).toBe('success')
    expect(world.counter.of(first)).toEqual(['1 start', '1 end'])
    expect(world.counter.of(second)).toEqual(['1 start', '2 start', '2 end'])
    await world.expectAllSettled()
  })

  it('were there: of every kind that these runs have, and every report', async () => {
    const kinds = new Set(lines.flatMap((line) => [...line.doubled.keys()]))
    for (const kind of ['accepted', 'started', 'ended', 'progress', 'beat']) expect(kinds).toContain(kind)
    await eventually(() => reports.doubled.size === 9)
  })
})
