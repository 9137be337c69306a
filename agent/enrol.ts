import { randomBytes } from 'node:crypto'
import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import os from 'node:os'
import path from 'node:path'
import { Fault } from '../core/fault.ts'
import { clientId, projectId, type ClientId } from '../core/ids.ts'
import { parseJoinToken } from '../core/tokens.ts'
import { makeCsr } from './security/csr.ts'
import { ownKey, storeIdentity } from './security/identity.ts'

/** Where the agent connects to, as its enrolment said. */
export interface Enrolment {
  readonly servers: readonly string[]
  readonly natsServers: readonly string[]
}

/** The folder of key and certificates in a state directory. */
export const identityDir = (stateDir: string): string => path.join(stateDir, 'identity')
const enrolmentFile = (stateDir: string): string => path.join(stateDir, 'enrolment.json')
const credentialsFile = (stateDir: string): string => path.join(stateDir, 'identity', 'nats.creds')

/** The whole exchange with a server. Milliseconds. */
const enrolMs = 15_000
const answerMax = 1024 * 1024

/**
 * Makes this node's key, has a server sign its certificate for a join token, and keeps what it answers. Throws
 * Fault('unauthenticated') (token or CA is wrong), 'forbidden', 'conflict', 'bad_request', 'timeout', or 'agent_offline' when
 * no server answers there. May be called again after any of them.
 */
export async function enrolAgent(wish: {
  readonly server: string
  readonly joinToken: string
  readonly client: ClientId
  readonly stateDir: string
}): Promise<void> {
  const { stateDir, client } = wish
  const token = parseJoinToken(wish.joinToken)
  if (!token) throw new Fault('unauthenticated', 'this is not a join token: it begins with "firnjoin_"')
  await mkdir(stateDir, { recursive: true, mode: 0o700 })
  const csr = await makeCsr(await ownKey(identityDir(stateDir)))
  const answer = enrolledOf(
    await post(new URL('/v1/enrol', wish.server), {
      ...{ join_token: wish.joinToken, csr, client_id: client, hostname: os.hostname() },
    }),
  )
  const identity = await storeIdentity(identityDir(stateDir), answer, token.fingerprint)
  if (identity.project !== answer.project || identity.client !== client)
    throw new Fault('bad_message', 'the certificate is for another client')
  await keep(credentialsFile(stateDir), answer.credentials)
  await keep(
    enrolmentFile(stateDir),
    JSON.stringify({ servers: answer.servers, nats_servers: answer.natsServers }),
  )
}

/** Replaces the NATS credentials of the enrolment. */
export const keepCredentials = (stateDir: string, text: string): Promise<void> =>
  keep(credentialsFile(stateDir), text)

/** What the enrolment said; undefined before it. */
export async function readEnrolment(
  stateDir: string,
): Promise<(Enrolment & { readonly credentials: string }) | undefined> {
  try {
    const said = JSON.parse(await readFile(enrolmentFile(stateDir), 'utf8')) as Record<string, unknown>
    const credentials = await readFile(credentialsFile(stateDir), 'utf8')
    return { servers: texts(said['servers']), natsServers: texts(said['nats_servers']), credentials }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function enrolledOf(answer: unknown) {
  const said = answer as {
    project_id?: unknown
    client_id?: unknown
    certificate?: unknown
    ca?: unknown
    servers?: unknown
    nats?: { servers?: unknown; credentials?: unknown }
  } | null
  return {
    project: projectId(said?.project_id),
    client: clientId(said?.client_id),
    certificate: text(said?.certificate),
    ca: text(said?.ca),
    servers: texts(said?.servers),
    natsServers: texts(said?.nats?.servers),
    credentials: text(said?.nats?.credentials),
  }
}

function text(value: unknown): string {
  if (typeof value === 'string' && value !== '') return value
  throw new Fault('bad_message', 'the server did not answer as an enrolment does')
}

const texts = (value: unknown): string[] => (Array.isArray(value) ? value.map(text) : [])

/** Without fetch: its connections outlive the command by their keep-alive. */
async function post(url: URL, document: object): Promise<unknown> {
  const { status, body } = await sent(url, JSON.stringify(document))
  let answer: unknown
  try {
    answer = JSON.parse(body)
  } catch (cause) {
    throw new Fault('bad_message', `${url.origin} is not a Firn server (status ${status})`, { cause })
  }
  if (status >= 200 && status < 300) return answer
  const said = answer as { message?: unknown; detail?: unknown; title?: unknown } | null
  const words = [said?.detail, said?.message, said?.title].find((it) => typeof it === 'string')
  throw new Fault(faults[status] ?? 'bad_message', words ?? `${url.origin} answered with status ${status}`)
}

/** What the statuses of an enrolment mean. */
const faults: Readonly<Record<number, Fault['code']>> = {
  400: 'bad_request',
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not_found',
  409: 'conflict',
  503: 'store_down',
}

function sent(url: URL, body: string): Promise<{ status: number; body: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>()
  const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, {
    method: 'POST',
    agent: false,
    headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
    signal: AbortSignal.timeout(enrolMs),
  })
  request.on('error', (cause) =>
    reject(
      cause.name === 'AbortError' || cause.name === 'TimeoutError'
        ? new Fault('timeout', `${url.origin} did not answer in time`, { cause })
        : new Fault('agent_offline', `cannot reach ${url.origin}: ${cause.message}`, { cause }),
    ),
  )
  request.on('response', (response) => {
    let received = ''
    response.setEncoding('utf8')
    response.on('data', (part: string) => {
      received += part
      if (received.length > answerMax) request.destroy(new Error('the answer is too long'))
    })
    response.on('end', () => resolve({ status: response.statusCode ?? 0, body: received }))
    response.on('error', reject)
  })
  request.end(body)
  return promise
}

/** Replaced whole, 0600. */
async function keep(file: string, content: string): Promise<void> {
  const fresh = `${file}.${randomBytes(6).toString('hex')}`
  {
    await using handle = await open(fresh, 'wx', 0o600)
    await handle.writeFile(content)
    await handle.sync()
  }
  await rename(fresh, file)
}
