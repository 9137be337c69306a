import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { KeptDatabases } from '../../agent/disk/databases.ts'
import { readJournal } from '../../agent/disk/journal.ts'
import { stateOf } from '../../agent/work/journal-state.ts'
import { openEtcd } from '../../controller/etcd/open.ts'
import { memoryStore } from '../../controller/memory/backend.ts'
import { kinds, type Backend, type Leadership } from '../../controller/ports/backend.ts'
import { LineBook } from '../../controller/reconcile/line-book.ts'
import { Reconciler } from '../../controller/reconcile/reconciler.ts'
import { openSealer } from '../../controller/security/seal.ts'
import { State } from '../../controller/state/state.ts'
import type { Context } from '../../controller/use-cases/context.ts'
import { accessOf } from '../../controller/use-cases/repositories.ts'
import { systemClock } from '../../core/clock-system.ts'
import {
  clientId,
  projectId,
  runIdOf,
  slotAt,
  type JobId,
  type RunId,
  type ServerId,
} from '../../core/ids.ts'
import type { Run } from '../../core/run.ts'
import { startApi } from '../api/harness.ts'
import { eventually } from '../support/eventually.ts'
import { ScriptedAgent } from '../support/scripted-agent.ts'
import { startEtcd } from '../support/servers.ts'
import { tempDir, type TempDir } from '../support/temp.ts'
import { clockOf, countsOf, documentsOf, recorded, unpacked, writesOf } from './recorded.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })
const old = recorded('state-1')
const counts = countsOf(old)
const project = projectId('main')
const node1 = clientId('node-1')

let dir: TempDir
beforeAll(async () => {
  dir = await tempDir('recorded')
})
afterAll(() => dir[Symbol.asyncDispose]())

interface Store extends AsyncDisposable {
  readonly backend: Backend
  readonly leadership: Leadership
}

/** A store with all that was recorded. */
const stores = {
  async memory(): Promise<Store> {
    const store = memoryStore()
    const backend = store.backend()
    for (const write of writesOf(old)) await backend.commit(write)
    return { backend, leadership: store.leadership(), [Symbol.asyncDispose]: async () => {} }
  },
  async etcd(): Promise<Store> {
    const etcd = await startEtcd()
    const store = openEtcd({ endpoints: [etcd.url], server: 'server-now', clock: systemClock })
    for (const write of writesOf(old)) await store.backend.commit(write)
    return {
      ...{ backend: store.backend, leadership: store.leadership },
      [Symbol.asyncDispose]: async () => {
        await store[Symbol.asyncDispose]()
        await etcd[Symbol.asyncDispose]()
      },
    }
  },
}

/** A server of this release over what was recorded, at the time at which that was, or later. */
async function serverOn({ backend, leadership }: Store, laterMs = 0) {
  const clock = clockOf(old, laterMs)
  const unreadable: unknown[] = []
  const failures: string[] = []
  const state = new State(backend, clock, (ref, why) => unreadable.push({ ...ref, ...why }))
  const lines = new LineBook(clock)
  const sealer = await openSealer(`${await unpacked(dir, 'keys', old.keys)}/sealing.key`)
  let made = 0
  const context: Context = {
    ...{ state, clock, sealer },
    secrets: { uuid: () => `made-${made++}`, random: () => 'secret' },
    settings: {
      defaultRepository: '/repo/{client}',
      ...{ startMs: 60_000, runMs: 60_000, prepareMs: 60_000, backupsPerProject: 50 },
    },
    holdsLine: (of, client) => lines.line(of, client) !== undefined,
  }
  await eventually(() => state.loaded)
  const plan = () =>
    new Reconciler({
      ...{ context, leadership, server: 'server-now' as ServerId, clock, lines },
      monotonicUs: () => Math.round(performance.now() * 1_000),
      failed: (key, error) => failures.push(`${key}: ${String(error)}`),
    })
  return { state, context, unreadable, failures, plan }
}

describe.each(Object.entries(stores))('the state of the first format, in %s,', (_, open) => {
  it('is read whole, and its secrets open', async () => {
    await using store = await open()
    const { state, context, unreadable } = await serverOn(store)
    await using _state = state
    expect(unreadable).toEqual([])
    const seen = kinds.filter((kind) => kind !== 'server').map((kind) => [kind, state.total(kind)])
    expect(Object.fromEntries(seen)).toEqual(
      Object.fromEntries([...counts].filter(([kind]) => kind !== 'server')),
    )
    const repositories = [...state.of('repository', project)].map(({ value }) => value)
    const passwords = repositories.map((repository) => accessOf(repository, context.sealer).password)
    expect(passwords).toContain('known to tests only')
    const [answer] = [...state.of('answer', project)].map(({ value }) => value)
    const body = context.sealer.open(answer!.answer!.body, `answer/main/${answer!.id}`)
    expect(body).toContain('/srv/shared')
  })

  it('is planned: a slot that falls due starts, and the next one is in its place', async () => {
    await using store = await open()
    const hourMs = 3_600_000
    const { state, failures, plan } = await serverOn(store, hourMs + 1_000)
    await using _state = state
    const slot = state.get('job', project, 'hourly')!.value.plan.next!
    await using reconciler = plan()
    reconciler.wakeAll()
    const agent = await agentOf('node-1')
    agent.connect(reconciler)
    const run = runIdOf(project, 'hourly' as JobId, node1, slotAt(slot))
    await eventually(
      async () => {
        agent.finish()
        await agent.publish(reconciler)
        return state.get('run', project, run)?.value.state.is === 'finished'
      },
      { withinMs: 60_000 },
    )
    expect(state.get('job', project, 'hourly')?.value.plan).toMatchObject({
      claimed: slot,
      next: slot + hourMs,
    })
    expect(failures).toEqual([])
  })

  it('goes on: what runs ends, what was cancelled stops, members start together', async () => {
    await using store = await open()
    const { state, failures, plan } = await serverOn(store)
    await using _state = state
    const before = new Map([...state.of('run', project)].map(({ value }) => [value.id, value]))
    await using reconciler = plan()
    reconciler.wakeAll()
    const agents = await Promise.all([agentOf('node-1'), agentOf('node-2')])
    for (const agent of agents) agent.connect(reconciler)
    const ofJob = (job: string): Run =>
      [...state.of('run', project)].map(({ value }) => value).find((run) => run.job === job)!
    const ends = (job: string, result: string, finishing: boolean) =>
      eventually(
        async () => {
          for (const agent of agents) {
            if (finishing) agent.finish()
            await agent.publish(reconciler)
          }
          expect(ofJob(job).state).toMatchObject({ is: 'finished', result })
          return true
        },
        { withinMs: 60_000 },
      )
    await ends('stuck-2', 'aborted', false)
    for (const job of ['long-1', 'long-2', 'later-2', 'member-1', 'member-2'])
      await ends(job, 'success', true)
    // In an hour only: it is as it was.
    expect(ofJob('again-1')).toEqual(before.get(ofJob('again-1').id))
    for (const run of before.values())
      if (run.state.is === 'finished') expect(state.get('run', project, run.id)?.value).toEqual(run)
    await eventually(() => [...state.of('set', project)].every(({ value }) => value.phase.is === 'ended'))
    expect(failures).toEqual([])
  })
})

/** An agent whose journal is the recorded one. */
async function agentOf(name: string): Promise<ScriptedAgent> {
  const folder = await unpacked(dir, name, old.agents[name])
  const agent = new ScriptedAgent(project, clientId(name))
  for (const [key, { run, attempt, begunAt }] of stateOf(readJournal(folder)).attempts)
    agent.journal.set(key, { run, attempt, state: begunAt === undefined ? 'armed' : 'running' })
  return agent
}

it('is listed and shown by every API', async () => {
  const store = memoryStore()
  const backend = store.backend()
  for (const write of writesOf(old)) await backend.commit(write)
  const api = await startApi({}, store)
  const token = await api.token('admin', 'admin', 'main')
  const list = async (path: string, name: string) => {
    const { status, json, text } = await api.ask('GET', path, undefined, token)
    expect(status, `${path}: ${text}`).toBe(200)
    return json[name] as object[]
  }
  expect(await list('/v1/jobs?limit=100', 'jobs')).toHaveLength(counts.get('job')!)
  expect(await list('/v1/sessions', 'sessions')).toHaveLength(counts.get('session')!)
  expect(await list('/v1/sets', 'sets')).toHaveLength(counts.get('set')!)
  expect(await list('/v1/runs?limit=100', 'runs')).toHaveLength(counts.get('run')!)
  expect(await list('/v1/clients', 'clients')).toHaveLength(counts.get('client')!)
  expect((await list('/v1/backups?limit=100', 'backups')).length).toBeGreaterThanOrEqual(
    counts.get('foreign')!,
  )
  expect(await list('/v1/actions?limit=100', 'actions')).toHaveLength(counts.get('action')!)
  expect(await list('/v1/repositories', 'repositories')).toHaveLength(counts.get('repository')!)
  expect(await list('/v1.0/main/instances', 'instances')).toHaveLength(counts.get('instance')!)
  expect(await list('/v1.0/main/backups', 'backups')).toHaveLength(counts.get('instance_backup')!)
  expect(await list('/v1.0/main/backup_strategies', 'backup_strategies')).toHaveLength(1)
  expect(await list('/qinling/v1/aliases', 'function_aliases')).toHaveLength(counts.get('alias')!)
  for (const { kind, id } of documentsOf(old)) {
    const [path] = [
      ...(kind === 'run' ? [`/v1/runs/${id}`] : []),
      ...(kind === 'job' ? [`/v1/jobs/${id}`] : []),
      ...(kind === 'set' ? [`/v1/sets/${id.replace('.', '/')}`] : []),
      ...(kind === 'client' ? [`/v1/clients/${id}`] : []),
    ]
    if (path === undefined) continue
    const shown = await api.ask('GET', path, undefined, token)
    expect(shown.status, `${path}: ${shown.text}`).toBe(200)
  }
  expect(api.failures).toEqual([])
})

describe('what an agent kept', () => {
  it('is its journal, without a damage, and the databases that it has made', async () => {
    const folder = await unpacked(dir, 'kept', old.agents[node1])
    const read = readJournal(folder)
    expect([read.torn, read.damaged, read.doubtful]).toEqual([false, [], []])
    const running = documentsOf(old)
      .filter(({ kind, text }) => kind === 'run' && text.includes('"job":"long-1"'))
      .map(({ id }) => id as RunId)
    const attempts = [...stateOf(read).attempts.values()]
    expect(attempts.map(({ run }) => run)).toEqual(expect.arrayContaining(running))
    expect(await readFile(`${folder}/instances.json`, 'utf8')).toContain('copy')
    const { templates, instances } = { templates: [], instances: [] }
    expect(() => new KeptDatabases({ stateDir: folder, instances, templates })).not.toThrow()
  })
})
