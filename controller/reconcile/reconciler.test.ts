import { afterEach, describe, expect, it } from 'vitest'
import { later } from '../../core/clock.ts'
import { systemClock } from '../../core/clock-system.ts'
import {
  clientId,
  jobId,
  projectId,
  sessionId,
  slotAt,
  userId,
  type RunId,
  type ServerId,
} from '../../core/ids.ts'
import type { Client } from '../../core/catalogue.ts'
import { protocolNow, type Hello } from '../../core/link.ts'
import type { Job, Session } from '../../core/job.ts'
import type { Run } from '../../core/run.ts'
import { setIdOf, type SetRecord } from '../../core/set.ts'
import { aRun, aSession, hourMs, states } from '../../test/support/builders.ts'
import { eventually } from '../../test/support/eventually.ts'
import { helloOf } from '../../test/support/line-rig.ts'
import { ScriptedAgent } from '../../test/support/scripted-agent.ts'
import { memoryStore } from '../memory/backend.ts'
import type { AgentLine } from '../ports/lines.ts'
import { put, ref } from '../state/documents.ts'
import { State } from '../state/state.ts'
import { cancelRun } from '../use-cases/cancel-run.ts'
import { removeClient, revokeClient } from '../use-cases/clients.ts'
import type { Caller, Context } from '../use-cases/context.ts'
import { startRun } from '../use-cases/start-run.ts'
import { startSession } from '../use-cases/start-session.ts'
import { LineBook } from './line-book.ts'
import { Reconciler } from './reconciler.ts'

const project = projectId('p1')
const caller: Caller = { project, user: userId('u1'), userName: 'u1', role: 'admin' }
const nothingPlanned = { generation: 1 } as const

/** A server without network or etcd: the shipped parts on a shared memory store. */
class Server implements AsyncDisposable {
  readonly lines = new LineBook(systemClock)
  readonly state: State
  readonly context: Context
  readonly reconciler: Reconciler
  readonly failures: string[] = []
  readonly backend

  constructor(store: ReturnType<typeof memoryStore>, name: string) {
    this.backend = store.backend()
    this.state = new State(this.backend, systemClock)
    let count = 0
    this.context = {
      state: this.state,
      clock: systemClock,
      sealer: { seal: (secret) => secret, open: (sealed) => sealed },
      secrets: { uuid: () => `${name}${count++}`, random: () => 'secret' },
      settings: {
        defaultRepository: '/repo/{client}',
        startMs: 60_000,
        runMs: 60_000,
        prepareMs: 1_500,
        backupsPerProject: 50,
      },
      holdsLine: (ofProject, client) => this.lines.line(ofProject, client) !== undefined,
    }
    this.reconciler = new Reconciler({
      context: this.context,
      leadership: store.leadership(),
      server: name as ServerId,
      clock: systemClock,
      lines: this.lines,
      monotonicUs: () => Math.round(performance.now() * 1_000),
      failed: (key, error) => this.failures.push(`${key}: ${String(error)}`),
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.reconciler[Symbol.asyncDispose]()
    await this.state[Symbol.asyncDispose]()
    await this.backend[Symbol.asyncDispose]()
  }

  run = (id: RunId): Run => this.state.get('run', project, id)!.value
  set = (session: string, tag: number): SetRecord =>
    this.state.get('set', project, setIdOf(sessionId(session), tag))!.value

  whenState = (id: RunId, is: Run['state']['is']): Promise<Run> =>
    eventually(() => {
      const run = this.run(id)
      expect(run.state.is).toBe(is)
      return run
    })
}

const open: AsyncDisposable[] = []
afterEach(async () => {
  while (open.length > 0) await open.pop()![Symbol.asyncDispose]()
})

async function world(names: string[] = ['n1']) {
  const store = memoryStore()
  const server = new Server(store, 's1')
  open.push(server)
  await eventually(() => server.state.loaded)
  const agents = names.map((name) => new ScriptedAgent(project, clientId(name)))
  for (const name of names) await enrol(server, name)
  return { store, server, agents, agent: agents[0]! }
}

async function enrol(server: Server, name: string): Promise<void> {
  const now = systemClock.now()
  const client: Client = {
    ...{
      id: clientId(name),
      project,
      user: caller.user,
      hostname: name,
      description: '',
      uuid: name,
      labels: {},
    },
    enrolled: { at: now, fingerprint: 'f' },
    line: { is: 'never' },
    createdAt: now,
  }
  await server.state.commit({
    requires: [
      { ...ref('client', project, name), revision: 0 },
      { ...ref('server', '', 's1'), revision: 0 },
    ].slice(0, 1),
    puts: [put('client', project, name, client)],
  })
}

async function job(server: Server, id: string, client: string, over: Partial<Job> = {}): Promise<Job> {
  const value: Job = {
    ...{ id: jobId(id), project, user: caller.user, client: clientId(client), description: '', schedule: {} },
    actions: [
      {
        ...{ actionId: `a-${id}` as never, maxRetries: 0, maxRetriesIntervalS: 0, mandatory: false },
        freezer: { action: 'exec', command: ['true'] },
      },
    ],
    ...{ sessionTag: 0, wanted: 'active', plan: nothingPlanned, createdAt: systemClock.now(), version: 1 },
    ...over,
  }
  await server.state.commit({ requires: [], puts: [put('job', project, id, value)] })
  return value
}

async function session(
  server: Server,
  id: string,
  jobs: string[],
  over: Partial<Session> = {},
): Promise<void> {
  const value = aSession({ id: sessionId(id), jobs: jobs.map(jobId), holdOffS: 0, ...over })
  await server.state.commit({ requires: [], puts: [put('session', project, id, value)] })
}

const start = async (server: Server, id: string, key = 'k1'): Promise<RunId> =>
  (await startRun(server.context, caller, { job: jobId(id), key }))[0]!.value.id

describe('a run that is asked for by hand', () => {
  it('is offered in the write that makes it when its line is here, done once, and committed', async () => {
    const { server, agent } = await world()
    agent.connect(server.reconciler)
    await job(server, 'j1', 'n1')
    const id = await start(server, 'j1')
    await eventually(() => agent.journal.get(`${id}.1`)?.state === 'ended')
    await agent.publish(server.reconciler)
    const run = await server.whenState(id, 'finished')
    expect(run.state).toMatchObject({ result: 'success' })
    expect(agent.started).toEqual([`${id}.1`])
    await eventually(() => agent.committed.includes(`${id}.1`))
    expect(server.failures).toEqual([])
  })

  it('is the same run when asked for again with the same key', async () => {
    const { server, agent } = await world()
    await job(server, 'j1', 'n1')
    const [first, second] = await Promise.all([start(server, 'j1'), start(server, 'j1')])
    expect(first).toBe(second)
    agent.connect(server.reconciler)
    await eventually(() => agent.started.length === 1)
  })

  it('waits for its node, and starts when the node is there', async () => {
    const { server, agent } = await world()
    await job(server, 'j1', 'n1')
    const id = await start(server, 'j1')
    expect(server.run(id).state.is).toBe('waiting')
    agent.connect(server.reconciler)
    await eventually(() => agent.started.includes(`${id}.1`))
  })

  it('is retried under the next attempt number while its tries last', async () => {
    const { server, agent } = await world()
    agent.connect(server.reconciler)
    agent.script = ['failed', 'success']
    const action = { actionId: 'a' as never, maxRetries: 1, maxRetriesIntervalS: 0, mandatory: false }
    await job(server, 'j1', 'n1', {
      actions: [{ ...action, freezer: { action: 'exec', command: ['false'] } }],
    })
    const id = await start(server, 'j1')
    await eventually(async () => {
      await agent.publish(server.reconciler)
      return server.run(id).state.is === 'finished'
    })
    expect(server.run(id)).toMatchObject({
      state: { result: 'success' },
      steps: [{ tries: 2, result: 'success' }],
    })
    expect(agent.started).toEqual([`${id}.1`, `${id}.2`])
  })
})

describe('a node that is silent', () => {
  it('has unknown runs, which go on when it is back, and are not started again', async () => {
    const { server, agent } = await world()
    agent.busy = true
    agent.connect(server.reconciler)
    await job(server, 'j1', 'n1')
    const id = await start(server, 'j1')
    await server.whenState(id, 'running')
    agent.disconnect()
    await server.whenState(id, 'unknown')
    agent.connect(server.reconciler)
    await server.whenState(id, 'running')
    agent.finish()
    await agent.publish(server.reconciler)
    await server.whenState(id, 'finished')
    expect(agent.started).toEqual([`${id}.1`])
  })

  it('has lost the attempt when its journal, back from a crash, says so', async () => {
    const { server, agent } = await world()
    agent.busy = true
    agent.connect(server.reconciler)
    await job(server, 'j1', 'n1')
    const id = await start(server, 'j1')
    await server.whenState(id, 'running')
    agent.crash()
    agent.connect(server.reconciler)
    await agent.publish(server.reconciler)
    expect((await server.whenState(id, 'finished')).state).toMatchObject({ result: 'lost' })
  })
})

describe('a cancel', () => {
  it('reaches the node, and the run ends as aborted when the node says so', async () => {
    const { server, agent } = await world()
    agent.busy = true
    agent.connect(server.reconciler)
    await job(server, 'j1', 'n1')
    const id = await start(server, 'j1')
    await server.whenState(id, 'running')
    await cancelRun(server.context, caller, id, 'enough')
    await eventually(() => agent.journal.get(`${id}.1`)?.state === 'ended')
    await agent.publish(server.reconciler)
    expect((await server.whenState(id, 'finished')).state).toMatchObject({ result: 'aborted' })
  })

  it('ends a run that was never sent at once', async () => {
    const { server } = await world()
    await job(server, 'j1', 'n1')
    const id = await start(server, 'j1')
    const { value } = await cancelRun(server.context, caller, id, '')
    expect(value.state).toMatchObject({ is: 'finished', result: 'aborted' })
  })
})

describe('a session', () => {
  it('starts its members together and ends with the worst of their results', async () => {
    const { server, agents } = await world(['n1', 'n2', 'n3'])
    for (const agent of agents) agent.connect(server.reconciler)
    agents[1]!.script = ['partial']
    for (const n of [1, 2, 3]) await job(server, `j${n}`, `n${n}`)
    await session(server, 'web', ['j1', 'j2', 'j3'])
    await startSession(server.context, caller, sessionId('web'), { key: 'k' })
    await eventually(async () => {
      for (const agent of agents) await agent.publish(server.reconciler)
      return server.set('web', 1).phase.is === 'ended'
    })
    expect(agents.flatMap((agent) => agent.orders.map((order) => order.hold))).toEqual([true, true, true])
    expect(server.set('web', 1).phase).toMatchObject({ outcome: { result: 'partial', grade: 'G0' } })
    expect(server.state.get('session', project, 'web')!.value.tag).toBe(1)
  })

  it('starts nobody when a member is missing, unless it may go on without', async () => {
    const { server, agents } = await world(['n1', 'n2'])
    agents[0]!.connect(server.reconciler)
    for (const n of [1, 2]) await job(server, `j${n}`, `n${n}`)
    await session(server, 'strict', ['j1', 'j2'])
    await startSession(server.context, caller, sessionId('strict'), { key: 'k' })
    await eventually(async () => {
      await agents[0]!.publish(server.reconciler)
      return server.set('strict', 1).phase.is === 'ended'
    })
    expect(agents[0]!.started).toEqual([])
    expect(server.set('strict', 1).phase).toMatchObject({
      outcome: { result: 'aborted', reason: { code: 'member_missing' } },
    })
  })

  it('is the same start when asked for again with the same key, and refused while one is under way', async () => {
    const { server } = await world(['n1'])
    await job(server, 'j1', 'n1')
    await session(server, 'web', ['j1'])
    const first = await startSession(server.context, caller, sessionId('web'), { key: 'k' })
    const again = await startSession(server.context, caller, sessionId('web'), { key: 'k' })
    expect(again.value.tag).toBe(first.value.tag)
    await expect(
      startSession(server.context, caller, sessionId('web'), { key: 'other' }),
    ).rejects.toMatchObject({ code: 'busy' })
  })
})

describe('an agent that comes back and goes before it has told what it did by itself', () => {
  it('is as far behind as it was', async () => {
    const { server } = await world()
    const lineNow = () => server.state.get('client', project, 'n1')!.value.line
    const line = (decided: boolean): AgentLine => ({
      ...{ project, client: clientId('n1'), fingerprint: 'f', protocol: protocolNow },
      hello: { ...helloOf('n1'), autonomous: true, ...(decided ? { decided: true as const } : {}) },
      send: () => true,
      close: () => undefined,
    })
    const first = line(false)
    server.reconciler.lineOpened(first)
    await eventually(() => lineNow().is === 'up')
    server.reconciler.lineClosed(first)
    const gone = await eventually(() => {
      const now = lineNow()
      if (now.is !== 'down') throw new Error(now.is)
      return now
    })
    const second = line(true)
    server.reconciler.lineOpened(second)
    await eventually(() => lineNow().is === 'up')
    server.reconciler.lineClosed(second)
    await eventually(() => lineNow().is === 'down')
    expect(lineNow()).toMatchObject({ alone: true, behind: later(gone.since, -30_000) })
    const third = line(true)
    server.reconciler.lineOpened(third)
    await eventually(() => lineNow().is === 'up')
    server.reconciler.settled(third, 1)
    await eventually(() => expect(lineNow()).not.toHaveProperty('behind'))
  })
})

describe('several servers', () => {
  it('go on where one that vanished left off, and nothing is done twice', async () => {
    const { store, server, agent } = await world()
    agent.busy = true
    agent.connect(server.reconciler)
    await job(server, 'j1', 'n1')
    const id = await start(server, 'j1')
    await server.whenState(id, 'running')
    const second = new Server(store, 's2')
    open.push(second)
    await eventually(() => second.state.loaded)
    server.backend.stop()
    agent.connect(second.reconciler)
    agent.finish()
    await agent.publish(second.reconciler)
    await second.whenState(id, 'finished')
    await eventually(() => agent.committed.includes(`${id}.1`))
    expect(agent.started).toEqual([`${id}.1`])
  })
})

describe('a client whose old line is not known to be dead', () => {
  /** A line that nobody reads at the other end. */
  function lineTo(server: Server, hello: Hello) {
    const line = {
      ...{ project, client: hello.client, hello, protocol: protocolNow, fingerprint: 'f' },
      ...{ closed: 0, send: () => true },
      close() {
        line.closed++
        server.reconciler.lineClosed(line)
      },
    }
    return line
  }

  it('keeps the newer one; the server of the older lets go of it, and they do not fight', async () => {
    const { store, server, agent } = await world()
    const second = new Server(store, 's2')
    open.push(second)
    await eventually(() => second.state.loaded)
    for (const id of ['s1', 's2'] as ServerId[])
      await server.state.commit({
        requires: [],
        puts: [
          put('server', '', id, { id, agents: id, http: id, version: '0', startedAt: systemClock.now() }),
        ],
      })
    const lineAt = (at: string) => () => {
      const stored = server.state.get('client', project, 'n1')?.value.line
      return stored?.is === 'up' && stored.server === at
    }
    agent.connect(server.reconciler)
    const { hello } = server.lines.line(project, clientId('n1'))!
    agent.disconnect()
    const [old, young] = [lineTo(server, hello), lineTo(second, hello)]
    server.reconciler.lineOpened(old)
    await eventually(lineAt('s1'))
    second.reconciler.lineOpened(young)
    await eventually(() => old.closed === 1)
    await eventually(lineAt('s2'))
    expect(young.closed).toBe(0)
  })
})

describe('a client that may not connect any more', () => {
  const shutOut = { revoked: revokeClient, forgotten: removeClient }

  it.each(['revoked', 'forgotten'] as const)('loses its line at once when it is %s', async (how) => {
    const { server, agent } = await world()
    agent.connect(server.reconciler)
    await eventually(() => server.state.get('client', project, 'n1')?.value.line.is === 'up')
    await shutOut[how](server.context, caller, clientId('n1'))
    await eventually(() => server.lines.line(project, clientId('n1')) === undefined)
    await eventually(() => server.state.get('client', project, 'n1')?.value.line.is !== 'up')
    expect(server.failures).toEqual([])
  })
})

describe('a schedule', () => {
  it('starts each slot once', async () => {
    const { server, agent } = await world()
    agent.connect(server.reconciler)
    const now = systemClock.now()
    await job(server, 'j1', 'n1', {
      schedule: { schedule_interval: '1 seconds' },
      plan: { generation: 1, next: now },
    })
    await eventually(async () => {
      await agent.publish(server.reconciler)
      return agent.started.length >= 3
    })
    const slots = agent.orders.map((order) => order.slot)
    expect(new Set(slots).size).toBe(slots.length)
  })
})

describe('runs whose job is gone', () => {
  it('are forgotten after a day, those of jobs that are there are not', async () => {
    const { server } = await world()
    await job(server, 'stays', 'n1')
    const longAgo = later(systemClock.now(), -48 * hourMs)
    const state = { ...states.finished('success'), at: longAgo }
    const [old, fresh] = ['gone', 'stays'].map((id) => aRun({ job: jobId(id), slot: slotAt(1), state }))
    for (const run of [old!, fresh!])
      await server.state.commit({ requires: [], puts: [put('run', project, run.id, run)] })
    server.reconciler.wakeAll()
    await eventually(() => !server.state.get('run', project, old!.id))
    expect(server.state.get('run', project, fresh!.id)).toBeDefined()
  })
})
