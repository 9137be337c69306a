// Simulated agents with certificates, enrolled at a real server.
import { randomBytes } from 'node:crypto'
import type { ClientTls } from '../../agent/grpc/server-line.ts'
import { makeCsr } from '../../agent/security/csr.ts'
import { newKeys, pemOfKey } from '../../controller/security/certificates.ts'
import { issueFromCsr, type Authority } from '../../controller/security/ca.ts'
import { later } from '../../core/clock.ts'
import { systemClock } from '../../core/clock-system.ts'
import type { ClientId } from '../../core/ids.ts'
import { startAgentsProcess, type AgentsProcess } from './agents-process.ts'
import type { Child } from './child.ts'
import { project, type Rig, type ServerChild } from './rig.ts'
import { clientWrite, nodeName, storeAll } from './seed.ts'

/** What all agents of a fleet are labelled with, so that one job is for all of them. */
export const fleetLabels = { fleet: 'bench' } as const

export interface Member {
  readonly client: ClientId
  readonly tls: ClientTls
}

/** Certificates for `count` clients, which are stored as enrolled. They share one key: making a thousand takes a minute. */
export async function enrolFleet(rig: Rig, count: number): Promise<Member[]> {
  const key = pemOfKey((await newKeys()).privateKey)
  const csr = await makeCsr(key)
  const { authority } = rig
  const issued: (Member & { fingerprint: string })[] = []
  for (let n = 0; n < count; n++) issued.push(await memberOf(authority, csr, key, nodeName(n)))
  await storeAll(
    rig.connection,
    issued.map(({ client, fingerprint }) => clientWrite(client, fingerprint, fleetLabels)),
  )
  return issued.map(({ client, tls }) => ({ client, tls }))
}

async function memberOf(authority: Authority, csr: string, key: string, client: ClientId) {
  const { certificate, fingerprint } = await issueFromCsr(
    authority,
    csr,
    { project, client },
    systemClock.now(),
  )
  return { client, fingerprint, tls: { ca: authority.certificate, key, certificate } }
}

const credentialsMs = 3_600_000

/** Starts the agents in `processes` processes; resolves when all lines are open. Disposing the stack ends them. */
export async function connectFleet(
  rig: Rig,
  server: ServerChild,
  members: readonly Member[],
  {
    processes,
    stack,
    mayLose = false,
  }: { processes: number; stack: AsyncDisposableStack; mayLose?: boolean },
): Promise<Child<AgentsProcess>[]> {
  const each = Math.ceil(members.length / processes)
  const sims = Array.from({ length: processes }, () => stack.use(startAgentsProcess()))
  const expiresAt = later(systemClock.now(), credentialsMs)
  await Promise.all(
    sims.map((sim, nth) =>
      sim.ask('connect', {
        agents: members.slice(nth * each, (nth + 1) * each).map(({ client, tls }) => ({
          ...{ client, tls, server: server.agents, duty: 'work', labels: fleetLabels, mayLose },
          nats: {
            url: rig.nats.url,
            credentials: rig.operator.agentCredentials(project, client, expiresAt),
          },
        })),
      }),
    ),
  )
  return sims
}

/** One JSON request to a server. Throws unless it succeeds. */
export async function ask<T>(
  { url }: Pick<ServerChild, 'url'>,
  { token }: Pick<Rig, 'token'>,
  method: 'GET' | 'POST' | 'PUT',
  path: string,
  body?: object,
): Promise<T> {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: {
      ...{ 'x-auth-token': token, 'content-type': 'application/json' },
      'idempotency-key': randomBytes(12).toString('hex'),
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
  return (text === '' ? undefined : JSON.parse(text)) as T
}

/** A job for every agent of the fleet. Gives its id. */
export async function fleetJob(server: ServerChild, rig: Rig, action: object): Promise<string> {
  const { job_id } = await ask<{ job_id: string }>(server, rig, 'POST', '/v1/jobs', {
    description: 'for the whole fleet',
    firn: { client_selector: fleetLabels, autostart: false },
    job_actions: [{ freezer_action: action }],
  })
  return job_id
}
