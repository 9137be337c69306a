// The API over state in memory: no port, no store, time moved by hand.
import { randomBytes, randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { buildApp } from '../../api/app.ts'
import type { ApiDeps } from '../../api/deps.ts'
import { memoryStore, type MemoryBackend, type MemoryStore } from '../../controller/memory/backend.ts'
import type { FollowedEvent } from '../../controller/ports/feed.ts'
import { put } from '../../controller/state/documents.ts'
import { State } from '../../controller/state/state.ts'
import type { Context } from '../../controller/use-cases/context.ts'
import { ensureToken } from '../../controller/use-cases/tokens.ts'
import { instant, type Clock, type Instant, type Monotonic } from '../../core/clock.ts'
import type { Client, Role } from '../../core/catalogue.ts'
import { clientId, projectId, userId, type ProjectId } from '../../core/ids.ts'
import { tokenText } from '../../core/tokens.ts'
import { realClock } from '../support/real-clock.ts'
import { eventually } from '../support/eventually.ts'
import { checkTold } from './told.ts'

/** A document of whatever shape: a test that looks for what is not there fails. */
// oxlint-disable-next-line typescript/no-explicit-any
export type Loose = any

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** Undefined when the text is no JSON. */
  readonly json: Loose
}

export interface Api {
  readonly deps: ApiDeps
  readonly context: Context
  readonly store: MemoryStore
  readonly backend: MemoryBackend
  /** Errors that nobody foresaw, as logged. */
  readonly failures: unknown[]
  readonly answered: { route: string; status: number }[]
  /** Moves the wall clock. Milliseconds. */
  readonly pass: (ms: number) => void
  /** From now on the monotonic clock, which allowances of requests grow by, stands still. */
  readonly halt: () => void
  readonly now: () => Instant
  /** One request as the administrator, unless `as` names another token. */
  readonly ask: (
    method: string,
    path: string,
    body?: unknown,
    as?: string,
    headers?: Record<string, string>,
  ) => Promise<Answer>
  readonly token: (role: Role, user?: string, project?: string) => Promise<string>
  /** A client with an agent. */
  readonly enrolled: (name: string, project?: ProjectId) => Promise<Client>
  events: FollowedEvent[]
  readonly feed: { isUp: boolean }
}

export const project = projectId('p1')
export const admin = userId('u-admin')

const plainSealer = {
  seal: (secret: string, where: string) =>
    `sealed:${Buffer.from(`${where}\0${secret}`).toString('base64url')}`,
  open(sealed: string, where: string) {
    const [place, secret] = Buffer.from(sealed.slice('sealed:'.length), 'base64url').toString().split('\0')
    if (place !== where || secret === undefined) throw new Error('not of this place')
    return secret
  },
}

/** `with_` replaces what a test needs otherwise. */
export async function startApi(with_: Partial<ApiDeps> = {}, store = memoryStore()): Promise<Api> {
  let offset = 0
  let halted: Monotonic | undefined
  const clock: Clock = {
    ...realClock,
    now: () => instant(Date.now() + offset),
    monotonic: () => halted ?? realClock.monotonic(),
  }
  const backend = store.backend()
  const state = new State(backend, clock)
  await eventually(() => state.loaded)
  const context: Context = {
    state,
    clock,
    sealer: plainSealer,
    secrets: {
      uuid: () => randomUUID().replaceAll('-', ''),
      random: (bytes) => randomBytes(bytes).toString('base64url'),
    },
    settings: {
      defaultRepository: '/srv/{client}',
      startMs: 1000,
      runMs: 1000,
      prepareMs: 1000,
      backupsPerProject: 50,
    },
    holdsLine: () => false,
  }
  const failures: unknown[] = []
  const answered: { route: string; status: number }[] = []
  const events: FollowedEvent[] = []
  const feed = { isUp: true }
  const deps: ApiDeps = {
    context,
    live: {
      progressOf: () => undefined,
      browse: async () => ({ entries: [], more: false }),
      health: () => ({
        etcd: state.staleMs === undefined,
        nats: feed.isUp,
        leader: 'this',
        linesOpen: 0,
        draining: false,
      }),
    },
    events: {
      async *follow(of, { after }) {
        for (const event of events)
          if (event.project === of && (event.sequence ?? 0) > (after ?? 0)) yield event
      },
      async *logs() {
        yield { at: 0, level: 'info', text: 'hello' }
      },
    },
    enrol: {
      ca: 'CA',
      caFingerprint: 'ab'.repeat(32),
      issue: async (csr, agent) => ({
        certificate: `${String(csr)} for ${agent.project}/${agent.client}`,
        fingerprint: 'f'.repeat(64),
        notAfter: instant(clock.now() + 90 * 86_400_000),
      }),
      natsCredentials: () => 'CREDENTIALS',
      natsServers: () => ['nats://127.0.0.1:4222'],
      agentServers: () => ['127.0.0.1:9091'],
    },
    log: {
      answered: ({ route, status }) => answered.push({ route, status }),
      failed: (error) => failures.push(error),
    },
    version: '0.0.0',
    ...with_,
  }
  const app = buildApp(deps)
  const token = async (role: Role, user: string = admin, of: string = project) => {
    const text = tokenText({
      id: randomBytes(8).toString('hex'),
      secret: randomBytes(32).toString('base64url'),
    })
    await ensureToken(context, text, { project: projectId(of), user: userId(user), userName: user, role })
    return text
  }
  const administrator = await token('admin')
  return {
    deps,
    context,
    store,
    backend,
    failures,
    answered,
    events,
    feed,
    token,
    pass: (ms) => void (offset += ms),
    halt: () => void (halted = realClock.monotonic()),
    now: () => clock.now(),
    async ask(method, path, body, as = administrator, headers = {}) {
      const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
      const sent = {
        'x-auth-token': as,
        'content-type': 'application/json',
        accept: 'application/json',
        ...headers,
      }
      const incoming = Object.assign(Readable.from(text === undefined ? [] : [Buffer.from(text)]), {
        headers: {
          ...sent,
          ...(text === undefined ? {} : { 'content-length': String(Buffer.byteLength(text)) }),
        },
      })
      const response = await app.request(path, { method, headers: sent }, { incoming } as never)
      const answer = await answerOf(response)
      checkTold(method, path, answer)
      return answer
    },
    async enrolled(name, of = project) {
      const client: Client = {
        ...{ id: clientId(name), project: of, user: admin, hostname: name, description: '', uuid: 'u' },
        ...{ labels: {}, line: { is: 'never' }, createdAt: clock.now() },
        enrolled: { at: clock.now(), fingerprint: 'f'.repeat(64) },
      }
      await state.commit({ requires: [], puts: [put('client', of, client.id, client)] })
      return client
    },
  }
}

async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text()
  const { status, headers } = response
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    json = undefined
  }
  return { status, headers, text, json }
}

/** What keeps a new job from running at once. */
export const byHand = { firn: { autostart: false } }

/** The smallest job that is one. */
export const smallJob = (client: string, more: object = {}) => ({
  client_id: client,
  job_actions: [{ freezer_action: { action: 'exec', command: 'true' } }],
  ...more,
})
