import { readFileSync } from 'node:fs'
import path from 'node:path'
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js'
import { describe, expect, it, vi } from 'vitest'
import { connectToServers } from '../../agent/grpc/server-line.ts'
import type { ServerLineHandler } from '../../agent/ports/line.ts'
import { lineHandler } from '../../controller/lines.ts'
import { memoryStore } from '../../controller/memory/backend.ts'
import { Asks } from '../../controller/reconcile/asks.ts'
import { LineBook } from '../../controller/reconcile/line-book.ts'
import { ProgressBoard } from '../../controller/reconcile/progress-board.ts'
import { Reconciler } from '../../controller/reconcile/reconciler.ts'
import { put } from '../../controller/state/documents.ts'
import { State } from '../../controller/state/state.ts'
import type { Context } from '../../controller/use-cases/context.ts'
import { startRun } from '../../controller/use-cases/start-run.ts'
import { systemClock } from '../../core/clock-system.ts'
import { clientId, jobId, projectId, userId, type RunId, type ServerId } from '../../core/ids.ts'
import type { ToAgent, ToServer } from '../../core/link.ts'
import {
  decodeToAgent,
  decodeToServer,
  encodeToAgent,
  encodeToServer,
  lineService,
} from '../../proto/line.ts'
import { reportFromJson, reportToJson } from '../../proto/wire.ts'
import { aClient, aJob } from '../support/builders.ts'
import { deskRig } from '../support/desk-rig.ts'
import { eventually } from '../support/eventually.ts'
import { rawLine, startServer } from '../support/line-rig.ts'
import { realClock } from '../support/real-clock.ts'

vi.setConfig({ testTimeout: 120_000 })

interface Said<T> {
  readonly value: T
  readonly bytes: string
}
const old = JSON.parse(readFileSync(path.join(import.meta.dirname, 'line-1.json'), 'utf8')) as {
  readonly run: RunId
  readonly toAgent: readonly Said<ToAgent>[]
  readonly toServer: readonly Said<ToServer>[]
  readonly report: { readonly value: unknown; readonly text: string }
  readonly talk: {
    readonly agent: readonly Said<ToServer>[]
    readonly server: readonly Said<ToAgent>[]
    readonly report: string
  }
}
const bytesOf = ({ bytes }: Said<unknown>): Buffer => Buffer.from(bytes, 'base64')
const project = projectId('p')
const node = clientId('node-a')

describe('a message of protocol 1', () => {
  it.each(old.toAgent.map((said) => [said.value.type, said] as const))(
    'of a server means what it meant: %s',
    (_, said) => {
      expect(decodeToAgent(bytesOf(said))).toEqual({ ok: true, message: said.value })
      expect(decodeToAgent(encodeToAgent(said.value))).toEqual({ ok: true, message: said.value })
    },
  )

  it.each(old.toServer.map((said) => [said.value.type, said] as const))(
    'of an agent means what it meant: %s',
    (_, said) => {
      expect(decodeToServer(bytesOf(said))).toEqual({ ok: true, message: said.value })
      expect(decodeToServer(encodeToServer(said.value))).toEqual({ ok: true, message: said.value })
    },
  )

  it('is a report that means what it meant', () => {
    expect(reportFromJson(old.report.text)).toEqual(old.report.value)
    expect(reportFromJson(reportToJson(reportFromJson(old.report.text)))).toEqual(old.report.value)
  })
})

it('an agent of protocol 1 gets its order from a server of now, and its result is committed', async () => {
  const store = memoryStore()
  await using state = new State(store.backend(), systemClock)
  await eventually(() => state.loaded)
  const lines = new LineBook(systemClock)
  const context: Context = {
    ...{ state, clock: systemClock },
    sealer: { seal: (secret) => secret, open: (sealed) => sealed },
    secrets: { uuid: () => 'made', random: () => 'secret' },
    settings: {
      defaultRepository: '/repo/{client}',
      ...{ startMs: 60_000, runMs: 60_000, prepareMs: 60_000, backupsPerProject: 50 },
    },
    holdsLine: (of, client) => lines.line(of, client) !== undefined,
  }
  const failures: string[] = []
  await using reconciler = new Reconciler({
    ...{ context, leadership: store.leadership(), server: 'server-1' as ServerId, clock: systemClock, lines },
    monotonicUs: () => Math.round(performance.now() * 1_000),
    failed: (key, error) => failures.push(`${key}: ${String(error)}`),
  })
  const handler = lineHandler({
    ...{ context, reconciler, asks: new Asks(systemClock, () => 'q'), board: new ProgressBoard() },
    ...{ events: { progress: () => {} } as never, enrol: {} as never },
    failed: (what, error) => failures.push(`${what}: ${String(error)}`),
  })
  await using rig = await startServer('plain', { handler })
  const enrolled = { at: systemClock.now(), fingerprint: '' }
  await state.commit({
    requires: [],
    puts: [
      put('client', project, node, aClient({ id: node, project, enrolled, line: { is: 'never' } })),
      put(
        'job',
        project,
        'j',
        aJob({
          ...{ id: jobId('j'), project, client: node, plan: { generation: 1 } },
          actions: [
            {
              ...{ actionId: 'a5' as never, maxRetries: 0, maxRetriesIntervalS: 0, mandatory: false },
              freezer: { action: 'exec', command: ['true'] },
            },
          ],
        }),
      ),
    ],
  })
  using agent = rawLine(rig.address, 'plain')
  const [hello, ...more] = old.talk.agent
  agent.sendBytes(bytesOf(hello!))
  await eventually(() => agent.received.some(({ type }) => type === 'welcome'))
  expect(rig.server.line(project, node)?.protocol).toBe(1)
  const caller = { project, user: userId('u1'), userName: 'u1', role: 'operator' } as const
  const [started] = await startRun(context, caller, { job: jobId('j'), key: 'recorded' })
  expect(started!.value.id).toBe(old.run)
  const order = await eventually(() => agent.received.find(({ type }) => type === 'order'))
  expect(order).toMatchObject({ order: { run: old.run, attempt: 1, tasks: [{ action: { do: 'exec' } }] } })
  for (const said of more.filter(({ value }) => value.type !== 'bye')) agent.sendBytes(bytesOf(said))
  await eventually(() => {
    const run = state.get('run', project, old.run)?.value
    expect(run).toMatchObject({ state: { is: 'running', attempt: 1 }, started: { errorUs: 100 } })
    return true
  })
  await reconciler.report({ project, client: node, report: reportFromJson(old.talk.report), delivered: 1 })
  expect(state.get('run', project, old.run)?.value.state).toMatchObject({ is: 'finished', result: 'success' })
  await eventually(() => agent.received.some(({ type }) => type === 'committed'))
  agent.sendBytes(bytesOf(old.talk.agent.at(-1)!))
  await agent.status
  expect(rig.events.filter(({ event }) => event === 'line.closed')).toMatchObject([
    { fields: { why: 'bye' } },
  ])
  expect(failures).toEqual([])
})

it('a server of protocol 1 has its order done by an agent of now', async () => {
  await using rig = deskRig()
  const heard: ToServer[] = []
  const calls: ServerDuplexStream<Buffer, Buffer>[] = []
  const { path: method } = lineService.connect
  const same = (bytes: Buffer): Buffer => bytes
  const connect = {
    ...{ path: method, requestStream: true, responseStream: true },
    ...{
      requestSerialize: same,
      requestDeserialize: same,
      responseSerialize: same,
      responseDeserialize: same,
    },
  }
  const server = new Server()
  await using resources = new AsyncDisposableStack()
  resources.defer(() => server.forceShutdown())
  server.addService(
    { connect },
    {
      connect: (call: ServerDuplexStream<Buffer, Buffer>) => {
        calls.push(call)
        call.on('error', () => undefined)
        call.on('data', (bytes: Buffer) => {
          const received = decodeToServer(bytes)
          if (received.ok) heard.push(received.message)
        })
      },
    },
  )
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  )
  const handler: ServerLineHandler = {
    hello: () => rig.desk.hello(),
    welcomed: (name, protocol) => rig.desk.welcomed(name, protocol),
    received: (message) => void (message.type !== 'renewed' && rig.desk.received(message)),
    lost: (why) => rig.desk.lost(why),
    running: () => rig.desk.running(),
  }
  const line = connectToServers({ servers: [`127.0.0.1:${port}`], tls: 'plain', clock: realClock }, handler)
  resources.use(line)
  await eventually(() => heard.some(({ type }) => type === 'hello'))
  const say = (...types: ToAgent['type'][]) => {
    for (const said of old.talk.server) if (types.includes(said.value.type)) calls[0]!.write(bytesOf(said))
  }
  say('welcome', 'servers', 'order')
  const call = await rig.call(rig.exec)
  expect(line.protocol).toBe(1)
  expect(rig.of('accepted')).toEqual([{ type: 'accepted', run: old.run, attempt: 1, armed: false }])
  call.end({ result: 'success' })
  const report = await eventually(() => rig.published[0])
  expect(report).toMatchObject({ run: old.run, attempt: 1, end: 'ended', steps: [{ result: 'success' }] })
  expect(rig.desk.hello().held).toEqual([{ run: old.run, attempt: 1, state: 'ended' }])
  say('committed', 'cancel')
  await eventually(() => rig.desk.hello().held.length === 0)
  await eventually(() => rig.of('absent').length === 1)
  // What it says, said on the line: a server of then would know all of it.
  for (const message of rig.said) line.send(message)
  await eventually(() => rig.said.every(({ type }) => heard.some((known) => known.type === type)))
})
