// Every server is gone, and the node goes on with its schedule.
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { TestStack, type Loose } from '../support/stack.ts'

vi.setConfig({ testTimeout: 200_000, hookTimeout: 150_000 })
let world: TestStack

beforeAll(async () => {
  world = await TestStack.start({
    ...{ servers: 1, agents: 1 },
    agentConfig: { autonomy: { grace_seconds: 2 } },
  })
})
afterAll(() => world?.[Symbol.asyncDispose]())

/** A job that writes down each slot that it is started for. */
async function writingJob(firn: object): Promise<{ id: string; starts: () => string[] }> {
  const id = `job-${crypto.randomUUID()}`
  const file = world.dir.join(id)
  const command = ['sh', '-c', `echo "$FIRN_SLOT $FIRN_RUN_ID" >> ${file}`]
  await world.must('POST', `/v1/jobs/${id}`, {
    ...{ client_id: 'node-1', firn },
    job_schedule: { schedule_interval: '3 seconds' },
    job_actions: [{ freezer_action: { action: 'exec', command } }],
  })
  const starts = (): string[] => {
    try {
      return readFileSync(file, 'utf8').trim().split('\n')
    } catch {
      return []
    }
  }
  return { id, starts }
}

const slotsOf = async (id: string): Promise<Loose[]> =>
  (await world.must('GET', `/v1/jobs/${id}/slots?limit=200`)).slots

const runsOf = async (id: string): Promise<Loose[]> =>
  (await slotsOf(id)).filter(({ outcome }) => outcome === 'run').map(({ run }) => run)

describe('an agent that has lost every server', () => {
  it('goes on with its jobs, and each slot is started and counted once', async () => {
    const counted = await writingJob({ count: 12 })
    const waiting = await writingJob({ autonomy: false })
    await eventually(() => counted.starts().length >= 2 && waiting.starts().length >= 2, { withinMs: 90_000 })
    await world.crash('server-1')
    const before = counted.starts().length
    await eventually(() => counted.starts().length >= before + 3, { withinMs: 90_000 })
    const left = waiting.starts().length
    await eventually(() => counted.starts().length >= before + 4, { withinMs: 90_000 })
    expect(waiting.starts().length, 'the job that waits for servers').toBe(left)

    await world.start('server-1')
    await eventually(() => counted.starts().length === 12, { withinMs: 120_000 })
    const runs = await eventually(
      async () => {
        const found = await runsOf(counted.id)
        if (found.length < 12 || found.some(({ state }) => state !== 'finished'))
          throw new Error(JSON.stringify(found.map(({ slot, state }) => [slot, state])))
        return found
      },
      { withinMs: 90_000 },
    )
    expect(runs.map(({ result }) => result)).toEqual(runs.map(() => 'success'))
    const known = runs.map(({ slot, run_id }) => `${slot} ${run_id}`)
    expect(counted.starts().toSorted()).toEqual(known.toSorted())
    expect(new Set(counted.starts()).size).toBe(12)
    expect((await slotsOf(counted.id)).filter(({ outcome }) => outcome === 'unknown')).toEqual([])
    await world.must('POST', `/v1/jobs/${waiting.id}/event`, { stop: null })
  })
})
