import path from 'node:path'
import {
  Client,
  credentials,
  loadPackageDefinition,
  type ChannelCredentials,
  type ClientDuplexStream,
} from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { clientId } from '../../core/ids.ts'
import { epoch, protocolNow } from '../../core/link.ts'
import { eventually } from '../support/eventually.ts'
import { makePki, project, rawChannelOptions, run, startServer, type Pki } from '../support/line-rig.ts'

/*
 * A second implementation of the protocol: it knows the .proto files and nothing of our generated code, our names or our
 * core values. What it reads and writes is what any client in any language does.
 */

let pki: Pki
let creds: ChannelCredentials
beforeAll(async () => {
  pki = await makePki()
  const { ca, key, certificate } = await pki.agent('node-1')
  creds = credentials.createSsl(Buffer.from(ca), Buffer.from(key), Buffer.from(certificate))
})
afterAll(() => pki[Symbol.asyncDispose]())

type Loose = Record<string, unknown>
type Stub = Client & Record<string, (...args: unknown[]) => unknown>

/** A client of a service, made from .proto files at run time. */
function stub(address: string, service: string, file: string, dir: string): Stub {
  const loaded = loadSync(file, {
    includeDirs: [dir],
    keepCase: true,
    longs: Number,
    enums: String,
    oneofs: true,
  })
  let found: unknown = loadPackageDefinition(loaded)
  for (const name of service.split('.')) found = (found as Loose)[name]
  const make = found as new (address: string, creds: ChannelCredentials, options: object) => Stub
  return new make(address, creds, rawChannelOptions)
}

const ownProtos = path.join(import.meta.dirname, '../../proto')

it('lets a client that knows the .proto alone connect, take an order and hear that it is done', async () => {
  await using rig = await startServer(pki.server)
  const client = stub(rig.address, 'firn.v1.AgentLine', 'firn/v1/agent.proto', ownProtos)
  const call = client['Connect']!() as ClientDuplexStream<Loose, Loose>
  const received: Loose[] = []
  call.on('data', (message: Loose) => received.push(message)).on('error', () => undefined)
  const next = async (kind: string) => {
    const found = await eventually(() => received.find((message) => message['message'] === kind))
    return found[kind] as Loose
  }

  call.write({
    hello: {
      project_id: 'p',
      client_id: 'node-1',
      protocol_from: 1,
      protocol_to: protocolNow + 2,
      version: '9',
      hostname: 'node-1.example.org',
      engines: [{ engine: 'exec', available: true, capabilities: ['a'] }],
      labels: { rack: 'r1' },
      held: [{ run_id: 'old', attempt: 2, state: 'HELD_STATE_ENDED' }],
      slots: 4,
    },
  })
  expect(await next('welcome')).toEqual({
    server_id: 'server-1',
    protocol: protocolNow,
    beat_ms: 5_000,
    silence_ms: 15_000,
  })
  const line = rig.server.line(project, clientId('node-1'))!
  expect(line.hello).toMatchObject({
    engines: [{ engine: 'exec', available: true, capabilities: ['a'], problems: [] }],
    labels: { rack: 'r1' },
    held: [{ run: 'old', attempt: 2, state: 'ended' }],
    slots: 4,
  })

  call.write({ beat: { sequence: 7, agent_sent_us: 1_000, running: 1 } })
  const reading = await next('clock')
  expect(reading).toMatchObject({ sequence: 7, agent_sent_us: 1_000 })
  expect(reading['server_sent_us']).toBeGreaterThanOrEqual(Number(reading['server_received_us']))

  line.send({
    type: 'order',
    order: {
      ...{ run, project, client: line.client, attempt: 1, epoch: epoch(12), hold: true, runMs: 60_000 },
      ...{ job: 'j' as never, slot: 'manual:x' as never, answerBy: 1_900_000_000_000 as never },
      session: { id: 's' as never, tag: 3 },
      tasks: [],
      before: [],
      repositories: [
        { id: 'r' as never, engine: 'restic', location: '/srv/r', password: 'secret', expectedId: 'abc' },
      ],
    },
  })
  expect(await next('order')).toMatchObject({
    ...{ run_id: 'run-1', project_id: 'p', client_id: 'node-1', slot: 'manual:x' },
    ...{ session_id: 's', session_tag: 3, attempt: 1, epoch: 12, hold: true, run_ms: 60_000 },
    answer_by_ms: 1_900_000_000_000,
    tasks_json: '[]',
    repositories: [{ id: 'r', engine: 'restic', location: '/srv/r', password: 'secret', expected_id: 'abc' }],
  })

  call.write({ accepted: { run_id: 'run-1', attempt: 1, armed: true } })
  call.write({
    progress: { run_id: 'run-1', attempt: 1, phase: 'PHASE_TRANSFER', done: 5, total: 10, fraction: 0.5 },
  })
  await eventually(() => rig.handler.messages.length === 2)
  expect(rig.handler.messages).toMatchObject([
    { type: 'accepted', run: 'run-1', attempt: 1, armed: true },
    { type: 'progress', progress: { phase: 'transfer', done: 5, total: 10, fraction: 0.5 } },
  ])
  line.send({ type: 'committed', run, attempt: 1 })
  expect(await next('committed')).toEqual({ run_id: 'run-1', attempt: 1 })
  call.write({ bye: { reason: 'done' } })
  await eventually(() => rig.handler.log.at(-1) === 'closed node-1 bye')
  client.close()
})

it('answers health checks, and says no while it drains', async () => {
  await using rig = await startServer(pki.server)
  const proto = path.join(import.meta.dirname, '../../node_modules/grpc-health-check/proto')
  const client = stub(rig.address, 'grpc.health.v1.Health', 'health/v1/health.proto', proto)
  const check = (service: string) =>
    new Promise((resolve, reject) => {
      client['Check']!({ service }, (error: Error | null, answer: unknown) => {
        if (error) reject(error)
        else resolve(answer)
      })
    })
  expect(await check('')).toEqual({ status: 'SERVING' })
  expect(await check('firn.v1.AgentLine')).toEqual({ status: 'SERVING' })
  await expect(check('no.such.Service')).rejects.toMatchObject({ code: 5 })
  await rig.server.drain()
  expect(await check('')).toEqual({ status: 'NOT_SERVING' })
  client.close()
})

it('tells by reflection what it serves and in which messages', async () => {
  await using rig = await startServer(pki.server)
  const proto = path.join(import.meta.dirname, '../../node_modules/@grpc/reflection/build/proto')
  const client = stub(
    rig.address,
    'grpc.reflection.v1.ServerReflection',
    'grpc/reflection/v1/reflection.proto',
    proto,
  )
  const call = client['ServerReflectionInfo']!() as ClientDuplexStream<Loose, Loose>
  const answers: Loose[] = []
  call.on('data', (answer: Loose) => answers.push(answer)).on('error', () => undefined)
  call.write({ list_services: '' })
  call.write({ file_containing_symbol: 'firn.v1.AgentLine' })
  await eventually(() => answers.length === 2)
  const { service } = answers[0]!['list_services_response'] as { service: { name: string }[] }
  expect(service.map(({ name }) => name)).toContain('firn.v1.AgentLine')
  const { file_descriptor_proto: files } = answers[1]!['file_descriptor_response'] as {
    file_descriptor_proto: Buffer[]
  }
  expect(Buffer.concat(files).toString('latin1')).toContain('tasks_json')
  call.end()
  client.close()
})
