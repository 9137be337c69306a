// A job for more clients than one write holds: its slot is claimed first, in a write that is the same for any number, and the
// leader, or the next one, makes what is missing.
import { describe, expect, it } from 'vitest'
import { jobId, slotAt } from '../../core/ids.ts'
import type { Plan } from '../../core/job.ts'
import { Schedules } from '../../controller/reconcile/schedules.ts'
import { put } from '../../controller/state/documents.ts'
import type { State } from '../../controller/state/state.ts'
import type { Context } from '../../controller/use-cases/context.ts'
import { createRuns, requestsOf } from '../../controller/use-cases/start-run.ts'
import { admin, project, type Loose } from './harness.ts'
import { startWorld } from './qinling/world.ts'

const at = (time: string): string => `2027-01-15T${time}:00Z`
const slot = slotAt(Date.parse(at('11:00')) as Loose)

/** An hourly job on `count` clients, at its first slot. */
async function world({ count = 60, firn = {} }: { count?: number; firn?: object } = {}) {
  const w = await startWorld()
  const names = Array.from({ length: count }, (_, index) => `many${index}`)
  for (const name of names) {
    const client = await w.enrolled(name)
    await w.context.state.commit({
      requires: [],
      puts: [put('client', project, client.id, { ...client, labels: { rack: 'a' } })],
    })
  }
  w.until(at('10:30'))
  const job = {
    job_actions: [{ freezer_action: { action: 'exec', command: 'true' } }],
    job_schedule: { schedule_minute: '0' },
    firn: { client_selector: { rack: 'a' }, ...firn },
  }
  expect((await w.ask('POST', '/v1/jobs/j', job)).status).toBe(201)
  w.until(at('11:00'))
  /** Runs may start for two hours: also when the next slot is due, however slow the test is. */
  const context: Context = { ...w.context, settings: { ...w.context.settings, startMs: 7_200_000 } }
  // The first one in line leads; whoever looks here does so for it.
  const leadership = w.store.leadership()
  const leader = (of = context) => new Schedules({ context: of, epoch: () => leadership.highest() })
  const plan = (): Plan => w.context.state.get('job', project, 'j')!.value.plan
  const runs = () => [...w.context.state.where('run', 'job', `${project}/j`)].map(({ value }) => value)
  return { ...w, context, leader, plan, runs, look: (by = leader()) => by.lookAtJob(project, 'j') }
}

/** Ends all looks of a leader after so many writes, as its death would. */
function dyingAfter(context: Context, writes: number): Context {
  let left = writes
  const commit: State['commit'] = async (transaction) => {
    if (left-- <= 0) throw new Error('dead')
    return context.state.commit(transaction)
  }
  const state = new Proxy(context.state, {
    get(target, key) {
      const value: unknown = key === 'commit' ? commit : Reflect.get(target, key)
      return typeof value === 'function' && key !== 'commit' ? value.bind(target) : value
    },
  })
  return { ...context, state }
}

const slotsOf = async (w: Awaited<ReturnType<typeof world>>) =>
  (await w.ask('GET', '/v1/jobs/j/slots?limit=200')).json.slots as Loose[]

describe('a slot of many clients', () => {
  it('is claimed before any of its runs is there, and then all of them are', async () => {
    const w = await world()
    await w.look()
    expect(w.runs()).toHaveLength(0)
    expect(w.plan()).toMatchObject({ claimed: Date.parse(at('11:00')), making: {} })
    await w.look()
    expect(new Set(w.runs().map(({ client }) => client)).size).toBe(60)
    expect(new Set(w.runs().map((run) => run.slot))).toEqual(new Set([slot]))
    expect(w.plan().making).toBeUndefined()
  })

  it.each([0, 1, 2, 3])(
    'is made to its end by the next leader, after %i writes of the last one',
    async (n) => {
      const w = await world()
      await w.look()
      await expect(w.look(w.leader(dyingAfter(w.context, n)))).rejects.toThrow('dead')
      const before = w.runs()
      expect(before.length).toBeLessThanOrEqual(60)
      await w.look()
      expect(w.runs()).toHaveLength(60)
      expect(w.runs()).toEqual(expect.arrayContaining(before))
      expect(w.plan().making).toBeUndefined()
    },
  )

  it('is not made after the job was stopped, and says so', async () => {
    const w = await world()
    await w.look()
    await expect(w.look(w.leader(dyingAfter(w.context, 1)))).rejects.toThrow('dead')
    expect((await w.ask('POST', '/v1/jobs/j/event', { stop: null })).status).toBe(202)
    await w.look()
    expect(w.runs()).toHaveLength(25)
    expect(w.plan().making).toBeUndefined()
    const told = await slotsOf(w)
    expect(told.filter(({ outcome }) => outcome === 'run')).toHaveLength(25)
    expect(told.filter(({ outcome }) => outcome !== 'run')).toMatchObject([
      { from: '2027-01-15T11:00:00.000Z', count: 1, reason: 'paused' },
    ])
  })

  it('is not made after the job was deleted, however late the leader learns of it', async () => {
    const w = await world()
    await w.look()
    const late = w.context.state.get('job', project, 'j')!
    expect((await w.ask('DELETE', '/v1/jobs/j')).status).toBe(204)
    const behind = new Proxy(w.context.state, {
      get(target, key) {
        if (key === 'get')
          return (kind: Loose, of: string, id: string) => (kind === 'job' ? late : target.get(kind, of, id))
        const value: unknown = Reflect.get(target, key)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    await w.look(w.leader({ ...w.context, state: behind }))
    expect(w.runs()).toHaveLength(0)
  })

  it('goes on when the job was changed meanwhile', async () => {
    const w = await world()
    await w.look()
    await w.ask('PATCH', '/v1/jobs/j', { job_schedule: { schedule_minute: '30' } })
    await w.look()
    expect(w.runs()).toHaveLength(60)
    expect(w.plan()).toMatchObject({ next: Date.parse(at('11:30')) })
  })

  it('is lost where no leader made it in time, and what was made is not', async () => {
    const w = await world({ firn: { start_deadline: '10 minutes' } })
    await w.look()
    await expect(w.look(w.leader(dyingAfter(w.context, 1)))).rejects.toThrow('dead')
    w.until(at('11:20'))
    await w.look()
    expect(w.runs()).toHaveLength(25)
    const [lost] = (await slotsOf(w)).filter(({ outcome }) => outcome !== 'run')
    expect(lost).toMatchObject({ from: '2027-01-15T11:00:00.000Z', count: 1, reason: 'leader_lost' })
  })

  it('is one firing of a count, also the last', async () => {
    const w = await world({ firn: { count: 1 } })
    await w.look()
    expect(w.plan()).toMatchObject({ left: 0, making: {} })
    expect([...w.context.state.where('job', 'planned', '*')]).toHaveLength(1)
    expect((await w.ask('GET', '/v1/jobs/j')).json.job_schedule.status).toBe('running')
    await w.look()
    expect(w.runs()).toHaveLength(60)
    expect(w.plan()).toMatchObject({ left: 0 })
    expect([...w.context.state.where('job', 'planned', '*')]).toHaveLength(0)
  })

  it('lets the next one wait until it is made, which finds it open then', async () => {
    const w = await world()
    await w.look()
    w.until(at('12:00'))
    for (let looks = 0; looks < 3; looks++) await w.look()
    expect(w.runs().map((run) => run.slot)).toEqual(Array(60).fill(slot))
    expect(w.plan().skips).toMatchObject([{ from: Date.parse(at('12:00')), reason: 'overlap' }])
  })

  it('gives each client one run, also one that another has made before', async () => {
    const w = await world()
    const job = w.context.state.get('job', project, jobId('j'))!.value
    const some = requestsOf(w.context, job, slot, admin).requests.slice(10, 20)
    const known = await createRuns(w.context, some)
    await w.look()
    await w.look()
    expect(w.runs()).toHaveLength(60)
    expect(w.runs()).toEqual(expect.arrayContaining(known.map(({ value }) => value)))
  })

  it('fails once for all that have none when its function is gone', async () => {
    const w = await world()
    await w.look()
    await expect(w.look(w.leader(dyingAfter(w.context, 1)))).rejects.toThrow('dead')
    const stored = w.context.state.get('job', project, 'j')!.value
    const call = { ...stored, actions: [], function: { action: 'gone' as never, version: 0 } }
    await w.context.state.commit({ requires: [], puts: [put('job', project, 'j', call as Loose)] })
    await w.look()
    expect(w.runs()).toHaveLength(26)
    expect(w.runs().filter(({ state }) => state.is === 'finished')).toMatchObject([
      { state: { result: 'failed' } },
    ])
  })
})

describe('a slot of thousands of clients', () => {
  it('takes no more of the job’s document than one of thirty', async () => {
    const sizes: number[] = []
    for (const count of [30, 3_000]) {
      const w = await world({ count })
      await w.look()
      sizes.push(JSON.stringify(w.context.state.get('job', project, 'j')).length)
      if (count === 30) continue
      await w.look()
      expect(w.runs()).toHaveLength(count)
    }
    expect(sizes[1]! - sizes[0]!).toBeLessThan(50)
  })
})
