import { expect, it } from 'vitest'
import type { Decided } from '../../core/autonomy.ts'
import { instant, later, type Instant } from '../../core/clock.ts'
import { clientId, jobId, runIdOf, slotAt } from '../../core/ids.ts'
import type { Job } from '../../core/job.ts'
import type { ToAgent } from '../../core/link.ts'
import { aJob, aTask, noon, project, user } from '../../test/support/builders.ts'
import { eventually } from '../../test/support/eventually.ts'
import { helloOf } from '../../test/support/line-rig.ts'
import { manualClock } from '../../test/support/manual-clock.ts'
import { memoryStore } from '../memory/backend.ts'
import type { AgentLine } from '../ports/lines.ts'
import { put } from '../state/documents.ts'
import { State } from '../state/state.ts'
import type { Context } from '../use-cases/context.ts'
import { ticketOf } from '../use-cases/tickets.ts'
import { DecidedSlots } from './decided.ts'
import { LineBook } from './line-book.ts'

const client = clientId('n1')
const hourMs = 3_600_000
const sealer: Context['sealer'] = { seal: (secret) => secret, open: (sealed) => sealed }
const limits = { runMs: 60_000, startMs: 60_000 }

async function world(job?: Partial<Job>, foreign?: { readonly kind: 'job' | 'run'; readonly id: string }) {
  const store = memoryStore()
  const elsewhere = store.backend()
  if (foreign) await elsewhere.commit({ requires: [], writes: [{ ...foreign, project, text: '{"v":9}' }] })
  const clock = manualClock()
  const state = new State(store.backend(), clock)
  await eventually(() => state.loaded)
  const now = clock.now()
  if (job)
    await state.commit({
      requires: [],
      puts: [put('job', project, 'j1', aJob({ id: jobId('j1'), client, ...job }))],
    })
  const context: Context = {
    ...{ state, clock, sealer, holdsLine: () => true },
    secrets: { uuid: () => 'u', random: () => 'secret' },
    settings: { ...limits, defaultRepository: '/r', prepareMs: 1_500, backupsPerProject: 50 },
  }
  const told: ToAgent[] = []
  const line: AgentLine = {
    ...{ project, client, fingerprint: '', protocol: 2, hello: helloOf('n1') },
    send: (message) => told.push(message) > 0,
    close: () => undefined,
  }
  const lines = new LineBook(clock)
  lines.open(line)
  const failures: unknown[] = []
  const failed = (_: string, error: unknown) => failures.push(error)
  const slots = new DecidedSlots({ context, lines, wake: () => undefined, failed })
  const tell = async (at: readonly Instant[], more: Partial<Decided> = {}) => {
    const id = more.job ?? jobId('j1')
    const ticket = ticketOf(sealer, {
      project,
      client,
      job: id,
      user,
      generation: 1,
      tasks: [aTask()],
      limits,
    })
    const runs = at.map((slot) => ({ run: runIdOf(project, id, client, slotAt(slot)), slot, at: slot }))
    const page = { sequence: 1, job: id, generation: 1, ticket, upTo: at.at(-1) ?? now, runs, skips: [] }
    slots.hear(line, { ...page, ...more })
    await slots.look(project, client)
  }
  const runs = () => [...state.all('run')].map(({ value }) => value.slot)
  return {
    state,
    now,
    tell,
    told,
    failures,
    runs,
    planned: () => state.get('job', project, 'j1')?.value.plan,
  }
}

const hourly = (now: Instant): Partial<Job> => ({
  schedule: { schedule_interval: '1 hours' },
  plan: { generation: 1, claimed: later(now, -2 * hourMs), next: later(now, -hourMs) },
})

it('writes down the runs of a job that cannot be read, so that those of others follow', async () => {
  const { tell, told, now, runs } = await world(undefined, { kind: 'job', id: 'j1' })
  const slot = later(now, -hourMs)
  await tell([slot])
  expect(runs()).toEqual([slotAt(slot)])
  expect(told).toEqual([{ type: 'noted', sequence: 1 }])
})

it('writes down the other runs where one is stored that cannot be read', async () => {
  const at = [later(noon, -2 * hourMs), later(noon, -hourMs)]
  const id = runIdOf(project, jobId('j1'), client, slotAt(at[0]!))
  const { tell, told, runs } = await world(undefined, { kind: 'run', id })
  await tell(at)
  expect(runs()).toEqual([slotAt(at[1]!)])
  expect(told).toEqual([{ type: 'noted', sequence: 1 }])
})

it('leaves the plan of a schedule that this version cannot read as it is', async () => {
  const plan = { generation: 1, next: later(noon, -hourMs) }
  const { tell, told, runs, planned } = await world({ schedule: { schedule_interval: 'now and then' }, plan })
  await tell([plan.next])
  expect(runs()).toHaveLength(1)
  expect(planned()).toEqual(plan)
  expect(told).toEqual([{ type: 'noted', sequence: 1 }])
})

it('passes over no slot that is yet to come, whatever an agent says', async () => {
  const { now } = await world()
  const { tell, planned } = await world(hourly(now))
  const reason = 'missed'
  const far = instant(8_640_000_000_000_000)
  await tell([later(now, -hourMs)], { upTo: far, skips: [{ from: now, to: far, count: 9, reason }] })
  expect(planned()).toMatchObject({ claimed: now, next: later(now, hourMs) })
})

it('takes no run of a slot that is yet to come', async () => {
  const { tell, told, failures, runs, now } = await world({})
  await tell([later(now, 48 * hourMs)])
  expect(runs()).toEqual([])
  expect(failures).toMatchObject([{ code: 'bad_message' }])
  expect(told).toEqual([{ type: 'noted', sequence: 1 }])
})

it('goes by the generation that the servers have sealed', async () => {
  const { now } = await world()
  const job = hourly(now)
  const { tell, planned } = await world({ ...job, plan: { ...job.plan!, generation: 7 } })
  await tell([later(now, -hourMs)], { generation: 7 })
  expect(planned()).toMatchObject({ next: later(now, -hourMs) })
})
