import { expect, it } from 'vitest'
import { later } from '../../core/clock.ts'
import type { ClientId, InstanceBackupId, JobId, RunId, ServerId, SessionId } from '../../core/ids.ts'
import type { Epoch } from '../../core/link.ts'
import { setIdOf } from '../../core/set.ts'
import {
  aClient,
  aJob,
  aReport,
  aRun,
  aSession,
  aSet,
  hourMs,
  noon,
  project,
  states,
  user,
} from '../../test/support/builders.ts'
import { eventually } from '../../test/support/eventually.ts'
import { anInstanceBackup } from '../../test/support/instance-builders.ts'
import { manualClock } from '../../test/support/manual-clock.ts'
import { memoryStore } from '../memory/backend.ts'
import type { Kind } from '../ports/backend.ts'
import { put, type Put } from '../state/documents.ts'
import { State } from '../state/state.ts'
import type { Context } from '../use-cases/context.ts'
import { startSession } from '../use-cases/start-session.ts'
import { History } from './history.ts'
import { InstanceWork } from './instance-work.ts'
import { LineBook } from './line-book.ts'
import { Runs } from './runs.ts'
import { ServerTime } from './server-time.ts'
import { Sets } from './sets.ts'

const epoch = (): Epoch => 1 as Epoch
const caller = { project, user, userName: 'u', role: 'admin' } as const

/** A leader on a store where one document, under this name, is of a later release. */
async function world(puts: readonly Put[], kind: Kind, id: string) {
  const store = memoryStore()
  const clock = manualClock()
  const backend = store.backend()
  const elsewhere = store.backend()
  await elsewhere.commit({ requires: [], writes: [{ kind, project, id, text: '{"v":9}' }] })
  const state = new State(backend, clock)
  await eventually(() => state.loaded)
  const leadership = store.leadership()
  await eventually(() => leadership.epoch() !== undefined)
  const leads = () => leadership.epoch()
  await state.commit({ requires: [], puts })
  const context: Context = {
    ...{ state, clock, holdsLine: () => false },
    sealer: { seal: (secret) => secret, open: (sealed) => sealed },
    secrets: { uuid: () => 'u', random: () => 'secret' },
    settings: {
      ...{ defaultRepository: '/repo/{client}', startMs: 60_000, runMs: 60_000, prepareMs: 1_500 },
      backupsPerProject: 50,
    },
  }
  /** The document is what it was meant to be. */
  const mend = (document: Put) =>
    elsewhere.commit({
      requires: [],
      writes: [{ kind, project, id, text: JSON.stringify({ v: 1, ...document.value }) }],
    })
  return { context, state, clock, leads, mend, elsewhere }
}

const run = aRun({ id: 'r1' as RunId, job: 'j1' as JobId, state: states.running() })

it('keeps the report of a run that cannot be read for whoever can', async () => {
  const { context, clock, mend, state } = await world([], 'run', 'r1')
  const looks: RunId[] = []
  const runs = new Runs({
    ...{ context, sealer: context.sealer, lines: new LineBook(clock), server: 's1' as ServerId },
    ...{
      time: new ServerTime(
        () => clock.now(),
        () => 0,
      ),
      leadsSince: () => noon,
      epoch,
    },
    wake: (_, id) => looks.push(id),
  })
  const report = () => runs.report({ project, client: run.client, report: aReport(run), delivered: 1 })
  const refused = report().catch((error: unknown) => error)
  runs.hear(project, run.id, { type: 'silent' })
  await runs.look(project, run.id)
  expect(await refused).toMatchObject({ code: 'unreadable' })
  await mend(put('run', project, 'r1', run))
  await state.catchUp()
  const told = report()
  await runs.look(project, run.id)
  expect(await told).toBe('committed')
})

it('does not take a job that cannot be read for one that is gone, when it sweeps', async () => {
  const { context, state, leads, clock } = await world(
    [
      put('run', project, 'r1', { ...run, state: states.finished('success') }),
      put('run', project, 'r2', {
        ...run,
        id: 'r2' as RunId,
        job: 'gone' as JobId,
        state: states.finished('success'),
      }),
    ],
    'job',
    'j1',
  )
  clock.advance(48 * hourMs)
  await new History({ context, epoch: leads }).sweep()
  expect([...state.all('run')].map(({ value }) => value.id)).toEqual(['r1'])
})

it('drops the other runs of a lot with one that has become unreadable', async () => {
  const gone = (id: string) =>
    put('run', project, id, {
      ...run,
      id: id as RunId,
      job: 'gone' as JobId,
      state: states.finished('success'),
    })
  const { context, state, leads, clock, elsewhere } = await world([gone('r1'), gone('r2')], 'job', 'j1')
  await elsewhere.commit({ requires: [], writes: [{ kind: 'run', project, id: 'r1', text: '{"v":9}' }] })
  await state.catchUp()
  clock.advance(48 * hourMs)
  await new History({ context, epoch: leads }).sweep()
  expect(state.get('run', project, 'r2')).toBeUndefined()
})

it('ends the member of a job that cannot be read as failed', async () => {
  const client = 'node1' as ClientId
  const members = [{ job: 'j1' as JobId, client, run: 'r1' as RunId }]
  const { context, state, leads } = await world([put('client', project, 'node1', aClient())], 'job', 'j1')
  const phase = { is: 'preparing', by: later(noon, 60_000) } as const
  const set = aSet({ session: 's1' as SessionId, tag: 1, members, missing: 'degrade', phase })
  await state.commit({ requires: [], puts: [put('set', project, setIdOf(set.session, 1), set)] })
  await new Sets({ context, epoch: leads }).look(project, setIdOf(set.session, 1))
  expect([...state.all('run')].map(({ value }) => value.state)).toMatchObject([
    { is: 'finished', result: 'failed', reason: { code: 'job_unreadable' } },
  ])
})

it('leaves such a job out of a session only where some may be missing', async () => {
  const session = (id: string, firn?: { missing: string }) =>
    put('session', project, id, {
      ...aSession({ id: id as SessionId, holdOffS: 0, jobs: ['j1' as JobId, 'j2' as JobId] }),
      ...(firn ? { firn } : {}),
    })
  const job = put('job', project, 'j2', aJob({ id: 'j2' as JobId, client: 'node1' as ClientId }))
  const { context } = await world(
    [
      session('strict'),
      session('loose', { missing: 'degrade' }),
      job,
      put('client', project, 'node1', aClient()),
    ],
    'job',
    'j1',
  )
  const start = (id: string) => startSession(context, caller, id as SessionId, { key: 'k' })
  await expect(start('strict')).rejects.toMatchObject({ code: 'unreadable' })
  expect((await start('loose')).value.members.map(({ job: id }) => id)).toEqual(['j2'])
})

it('waits for the run of a backup when it cannot be read', async () => {
  const backup = anInstanceBackup({ run: 'r1' as RunId })
  const { context, state, leads } = await world(
    [put('instance_backup', project, backup.id, backup)],
    'run',
    'r1',
  )
  await new InstanceWork({ context, epoch: leads }).lookAtBackup(project, backup.id as InstanceBackupId)
  expect(state.get('instance_backup', project, backup.id)?.value.state.is).toBe('open')
})
