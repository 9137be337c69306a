// Servers that are replaced, one after the other, while everything goes on.
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { AnyServer } from '../support/any-server.ts'
import { eventually } from '../support/eventually.ts'
import { TestStack, type Loose } from '../support/stack.ts'

vi.setConfig({ testTimeout: 300_000, hookTimeout: 150_000 })
const waitMs = 90_000
const names = ['server-1', 'server-2', 'server-3']
/** Of the schedules. Milliseconds. */
const everyMs = 3_000
let world: TestStack

beforeAll(async () => {
  world = await TestStack.start({ servers: names.length, agents: 3 })
})
afterAll(() => world?.[Symbol.asyncDispose]())

it('loses nothing and does nothing twice: schedules, sessions, and what callers ask for', async () => {
  await world.counter.release()
  const anywhere = new AnyServer(world.stack.urls, world.stack.token)
  const scheduled = await Promise.all(world.stack.clients.map(schedule))
  const session = await openSession()
  const asked = { jobs: [] as string[], runs: [] as string[], sets: [] as number[] }
  const over = new AbortController()
  const load = [
    repeat(over.signal, async () =>
      asked.jobs.push((await anywhere.must('POST', '/v1/jobs', manual())).job_id),
    ),
    repeat(over.signal, async () =>
      asked.jobs.push((await anywhere.must('POST', '/v1/jobs', manual())).job_id),
    ),
    repeat(over.signal, async () => {
      const job = await anywhere.must('POST', '/v1/jobs', { ...manual(), client_id: 'node-1' })
      const { runs } = await anywhere.must('POST', '/v1/runs', { job_id: job.job_id })
      asked.runs.push(runs[0].run_id)
      await untilOver(anywhere, runs[0].run_id)
    }),
    repeat(over.signal, async () => {
      const { tag } = await anywhere.must('POST', `/v1/sessions/${session}/start`, {})
      asked.sets.push(tag)
      const { result, members } = await untilEnded(anywhere, session, tag)
      expect(result).toBe('success')
      world.expect(...members.map((member: Loose) => member.run_id))
    }),
  ]
  const told = load.map((one) => one.catch((error: unknown) => error))

  const left = new Set(names.keys())
  while (left.size > 0) {
    const leads = await world.leader()
    // The leader first, so that the lead is handed over as often as can be.
    const next = left.has(leads) ? leads : ([...left][0] ?? 0)
    left.delete(next)
    await replace(next)
  }
  over.abort()
  expect((await Promise.all(told)).filter((error) => error !== undefined)).toEqual([])

  for (const { id } of scheduled) await anywhere.must('POST', `/v1/jobs/${id}/event`, { stop: null })
  for (const { id } of scheduled) await expectEverySlot(id)
  for (const server of names.keys())
    for (const job of asked.jobs)
      expect((await world.ask('GET', `/v1/jobs/${job}`, undefined, server)).status).toBe(200)
  expect(asked.sets).toEqual(asked.sets.map((_, n) => n + 1))
  world.expect(...asked.runs)
  for (const run of await world.expectAllSettled()) {
    expect(run).toMatchObject({ result: 'success', attempt: 1 })
    expect(world.counter.of(run.run_id)).toEqual(['1 start', '1 end'])
  }
  tell(asked, anywhere)
})

const manual = () => ({
  ...{ client_id: 'node-2', firn: { autostart: false } },
  job_actions: [{ freezer_action: { action: 'exec', command: world.counter.command() } }],
})

/** Every slot is to start, however late. */
async function schedule(client: string): Promise<{ id: string }> {
  const id = `every-${client}`
  await world.must('POST', `/v1/jobs/${id}`, {
    ...{ ...manual(), client_id: client },
    firn: { pattern: `*/${everyMs / 1_000} * * * * *`, catch_up: 'all', catch_up_max: 100, overlap: 'allow' },
  })
  return { id }
}

async function openSession(): Promise<string> {
  await world.must('POST', '/v1/sessions/all', { schedule: {}, hold_off: 0 })
  for (const client of world.stack.clients)
    await world.must('PUT', `/v1/sessions/all/jobs/${await world.commandJob(client)}`)
  return 'all'
}

/** Has a server end in order, and another take its place at once. */
async function replace(nth: number): Promise<void> {
  const name = names[nth] ?? ''
  await world.process(name).stop()
  expect(JSON.parse(world.process(name).tail(1)[0] ?? '{}')).toMatchObject({ event: 'server.stopped' })
  await world.start(name)
  for (const server of names.keys())
    for (const client of world.stack.clients) await world.untilLine(client, 'up', server)
}

/** Not as fast as can be: the nodes are to do work as well. Milliseconds. */
const pauseMs = 100

async function repeat(signal: AbortSignal, what: () => Promise<unknown>): Promise<void> {
  for (; !signal.aborted; await sleep(pauseMs)) await what()
}

const untilOver = (anywhere: AnyServer, run: string): Promise<Loose> =>
  eventually(
    async () => {
      const found = await anywhere.must('GET', `/v1/runs/${run}`)
      return found.state === 'finished' || Promise.reject(new Error(JSON.stringify(found)))
    },
    { withinMs: waitMs },
  )

const untilEnded = (anywhere: AnyServer, session: string, tag: number): Promise<Loose> =>
  eventually(
    async () => {
      const set = await anywhere.must('GET', `/v1/sets/${session}/${tag}`)
      return set.phase === 'ended' ? set : Promise.reject(new Error(JSON.stringify(set)))
    },
    { withinMs: waitMs },
  )

/** From the first to the last, each slot has one run. */
async function expectEverySlot(job: string): Promise<void> {
  const all = await world.must('GET', `/v1/jobs/${job}/slots?limit=500`)
  // What came due after it was stopped.
  const slots: Loose[] = all.slots.filter(({ reason }: Loose) => reason !== 'paused')
  expect(slots.filter(({ outcome }) => outcome !== 'run')).toEqual([])
  const at: number[] = slots.map(({ from }) => Date.parse(from))
  const newest = at[0] ?? 0
  expect(at).toEqual(at.map((_, n) => newest - n * everyMs))
  expect(at.length).toBeGreaterThan(names.length)
  world.expect(...slots.map(({ run }) => run.run_id))
}

/** Figures for whoever reads the output. How long nobody led depends on the machine, so nothing is asserted of it. */
function tell(asked: Record<'jobs' | 'runs' | 'sets', unknown[]>, anywhere: AnyServer): void {
  const changes = names
    .flatMap((name) => readFileSync(world.process(name).log, 'utf8').split('\n'))
    .filter((line) => line.includes('"event":"leader.changed"'))
    .map((line) => JSON.parse(line) as { time: string; leads: boolean; epoch: number })
    .sort((a, b) => a.time.localeCompare(b.time))
  const began = changes.filter(({ leads }) => leads)
  const gaps = began.slice(1).map(({ time, epoch }) => {
    const ended = changes.findLast((one) => !one.leads && one.epoch < epoch && one.time <= time)
    return Date.parse(time) - Date.parse(ended?.time ?? time)
  })
  const counts = Object.entries(asked).map(([what, all]) => `${all.length} ${what}`)
  console.info(
    `servers replaced under ${counts.join(', ')}: nobody led for ${gaps.join(', ')} ms; asked again: ${JSON.stringify(Object.fromEntries(anywhere.again))}`,
  )
}
