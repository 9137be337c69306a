import { randomBytes, randomUUID } from 'node:crypto'
import { readFile, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { ApiLog } from '../api/deps.ts'
import { serveHttp } from '../api/serve.ts'
import { systemClock } from '../core/clock-system.ts'
import { badField, isFault } from '../core/fault.ts'
import { projectId, userId, type RunId, type ServerId } from '../core/ids.ts'
import type { ServerConfig } from './config.ts'
import { leaveWhenCutOff } from './cut-off.ts'
import { drain } from './drain.ts'
import { openEtcd } from './etcd/open.ts'
import type { Recorder } from './events.ts'
import { serveAgents } from './grpc/server.ts'
import { Keystone } from './keystone/keystone.ts'
import { lineHandler } from './lines.ts'
import { openFeed } from './nats/feed.ts'
import { openOperator, type NatsOperator } from './nats/operator.ts'
import type { Leadership } from './ports/backend.ts'
import type { ReportFeed } from './ports/feed.ts'
import type { IdentityService } from './ports/identity.ts'
import type { Live } from './ports/live.ts'
import { checkOthers, keepPresence } from './presence.ts'
import { announcer } from './reconcile/announcer.ts'
import { Asks } from './reconcile/asks.ts'
import { LineBook } from './reconcile/line-book.ts'
import { ProgressBoard } from './reconcile/progress-board.ts'
import { Reconciler } from './reconcile/reconciler.ts'
import { recordChanges } from './record-changes.ts'
import { issueFromCsr, issueServer, openAuthority, type Authority } from './security/ca.ts'
import { readPrivate } from './security/files.ts'
import { openSealer } from './security/seal.ts'
import { State } from './state/state.ts'
import type { Context } from './use-cases/context.ts'
import type { EnrolDeps } from './use-cases/enrol.ts'
import { ensureToken } from './use-cases/tokens.ts'
import { version } from './version.ts'

/** Reports handled together: enough to fill grouped transactions. */
const reportsAtOnce = 256

/** The first start waits this long for etcd before it says that it is still waiting. Milliseconds. */
const loadPollMs = 50

export interface RunningServer extends AsyncDisposable {
  readonly id: ServerId
  readonly url: string
  /** host:port for agents. */
  readonly agents: string
}

/**
 * Starts one server and resolves when it takes requests. It waits for etcd for as long as it takes (or until the signal
 * aborts); NATS may come later. Disposing drains: others lead, agents move, answers and looks under way end.
 */
export async function startServer(
  config: ServerConfig,
  record: Recorder,
  signal: AbortSignal,
): Promise<RunningServer> {
  const clock = systemClock
  const id = `s-${randomUUID()}` as ServerId
  record('server.starting', { server: id, version, node: process.version })
  const authority = await openAuthority(path.join(config.keys, 'agents-ca'), 'agents', clock.now())
  const sealer = await openSealer(path.join(config.keys, 'sealing.key'))
  const identity = await identityOf(config, record)
  const operator = await openOperator(path.join(config.keys, 'nats'), clock)

  await using stack = new AsyncDisposableStack()
  const store = stack.use(
    openEtcd({
      ...(await etcdAccess(config)),
      server: id,
      clock,
      trouble: (what, err) => record('store.trouble', { what, err }),
    }),
  )
  const state = stack.use(
    new State(store.backend, clock, ({ kind, project, id }, { is, ...more }) =>
      record('store.unreadable', { kind, project, id, why: is, ...more }),
    ),
  )
  const { leadership } = store
  leadership.onChange(() =>
    record('leader.changed', { leads: leadership.epoch() !== undefined, epoch: leadership.highest() }),
  )
  recordChanges(state, record)

  const lines = new LineBook(clock)
  const context: Context = {
    ...{ state, clock, sealer, secrets },
    settings: settingsOf(config),
    holdsLine: (project, client) => lines.line(project, client) !== undefined,
  }
  while (!state.loaded) await clock.sleep(loadPollMs, signal)
  checkOthers(state)
  await ensureFirstToken(context, config)

  const failed = (key: string, err: unknown): void => {
    if (!isFault(err, 'store_down', 'stale_write', 'fenced')) record('look.failed', { key, err })
  }
  const reconciler = stack.use(
    new Reconciler({ context, leadership, server: id, clock, lines, monotonicUs, failed }),
  )
  const board = new ProgressBoard()
  state.onLook(({ kind, id, after }) => {
    if (kind === 'run' && (!after || after.value.state.is === 'finished')) board.drop(id as RunId)
  })
  const feed = await openFeed({
    servers: config.nats.servers,
    credentials: operator.serverCredentials(),
    clock,
    log: feedLog(record),
    handle: (delivery) => reconciler.report(delivery),
    progress: (project, progress) => {
      const run = state.get('run', project, progress.run)?.value
      if (run && run.state.is !== 'finished') board.note(progress)
    },
    atOnce: reportsAtOnce,
  })
  stack.use(feed.feed)
  state.onCommit(announcer(feed.events))

  const asks = new Asks(clock, () => randomUUID())
  let ours = ''
  const enrol = enrolment(config, authority, operator, state, () => ours, clock)
  const agents = stack.use(
    await serveAgents({
      listen: { host: config.agents.host, port: config.agents.port },
      server: id,
      tls: await agentTls(authority, config),
      report: (event, fields) => record(event, fields as never),
      handler: lineHandler({ context, reconciler, asks, board, events: feed.events, enrol, failed }),
    }),
  )
  ours = config.agents.advertise[0] ?? `${config.agents.host}:${agents.port}`
  const end = new AbortController()
  const live = liveOf({ state, leadership, feed: feed.feed, lines, board, asks, ending: end.signal })
  const http = stack.use(
    await serveHttp(
      {
        ...{ context, live, events: feed.source, enrol, log: apiLog(record), version },
        ...(identity ? { identity } : {}),
        requests: {
          perSecond: config.limits.requests_per_second,
          burst: config.limits.requests_burst,
        },
      },
      config.http,
    ),
  )
  const presence = stack.use(keepPresence(context, { id, agents: ours, http: http.url }))
  stack.use(leaveWhenCutOff({ state, clock, presence, lines }))
  reconciler.wakeAll()
  if (config.ready_file !== undefined)
    await writeReady(config.ready_file, { url: http.url, agents: ours, server_id: id })
  record('server.ready', { url: http.url, agents: ours })

  const running = stack.move()
  return {
    id,
    url: http.url,
    agents: ours,
    [Symbol.asyncDispose]: async () => {
      record('server.draining', { waitingFor: `${lines.size} agents, ${reconciler.backlog} looks` })
      end.abort()
      await drain({ leadership, presence, agents, http })
      await running.disposeAsync()
      record('server.stopped', {})
    },
  }
}

const secrets: Context['secrets'] = {
  uuid: () => randomUUID().replaceAll('-', ''),
  random: (bytes) => randomBytes(bytes).toString('base64url'),
}

const settingsOf = ({ default_repository, limits }: ServerConfig): Context['settings'] => ({
  defaultRepository: default_repository,
  startMs: limits.start_seconds * 1_000,
  runMs: limits.run_seconds * 1_000,
  prepareMs: limits.prepare_seconds * 1_000,
  backupsPerProject: limits.backups_per_project,
})

const apiLog = (record: Recorder): ApiLog => ({
  answered: ({ requestId, method, route, status, durationMs, project, user }) =>
    record('http.request', {
      ...{ request: requestId, method, route, status, ms: Math.round(durationMs * 10) / 10 },
      ...(project === undefined ? {} : { project }),
      ...(user === undefined ? {} : { user }),
    }),
  failed: (err, { requestId, method, route }) =>
    record('http.failed', { request: requestId, method, route, err }),
})

/** This process's monotonic clock in microseconds: the one that agents' clock probes read. */
const monotonicUs = (): number => Number(process.hrtime.bigint() / 1_000n)

async function etcdAccess(config: ServerConfig) {
  const { endpoints, ca, certificate, key } = config.etcd
  if (ca === undefined || certificate === undefined || key === undefined) return { endpoints }
  return {
    endpoints,
    tls: { ca: await readFile(ca), cert: await readFile(certificate), key: await readFile(key) },
  }
}

async function agentTls(authority: Authority, config: ServerConfig) {
  const hosts = new Set([config.agents.host, ...config.agents.names, '127.0.0.1', 'localhost'])
  for (const address of config.agents.advertise)
    hosts.add(address.replace(/:\d+$/, '').replace(/^\[|\]$/g, ''))
  const pair = await issueServer(authority, 'firn-server', [...hosts], systemClock.now())
  return { ca: authority.certificate, certificate: pair.certificate, key: pair.key }
}

async function ensureFirstToken(context: Context, config: ServerConfig): Promise<void> {
  const first = config.first_token
  if (!first) return
  await ensureToken(context, (await readFile(first.file, 'utf8')).trim(), {
    project: projectId(first.project),
    user: userId('admin'),
    userName: 'admin',
    role: 'admin',
  })
}

/** Throws Fault('bad_request') for a password that is not there, 'forbidden' for one that others may read. */
async function identityOf(
  { keystone }: ServerConfig,
  record: Recorder,
): Promise<IdentityService | undefined> {
  if (!keystone) return undefined
  const password = (await readPrivate(keystone.password_file))?.trim()
  if (password === undefined || password === '')
    throw badField('keystone.password_file', `${keystone.password_file} holds no password`)
  return new Keystone({
    url: keystone.url,
    as: {
      ...{ user: keystone.user, password, project: keystone.project },
      ...{ userDomain: keystone.user_domain, projectDomain: keystone.project_domain },
    },
    roles: keystone.roles,
    cacheMs: keystone.cache_seconds * 1_000,
    deadlineMs: keystone.timeout_seconds * 1_000,
    clock: systemClock,
    trouble: (what, err) => record('identity.trouble', { what, err }),
  })
}

function enrolment(
  config: ServerConfig,
  authority: Authority,
  operator: NatsOperator,
  state: State,
  ours: () => string,
  clock: Context['clock'],
): EnrolDeps {
  return {
    ca: authority.certificate,
    caFingerprint: authority.fingerprint,
    issue: (csr, agent) => issueFromCsr(authority, csr, agent, clock.now()),
    natsCredentials: (project, client, expiresAt) => operator.agentCredentials(project, client, expiresAt),
    natsServers: () => config.nats.servers,
    agentServers: () => [
      ...new Set([
        ours(),
        ...[...state.all('server')].flatMap(({ value }) => (value.draining ? [] : [value.agents])),
      ]),
    ],
  }
}

interface LiveParts {
  readonly state: State
  readonly leadership: Leadership
  readonly feed: ReportFeed
  readonly lines: LineBook
  readonly board: ProgressBoard
  readonly asks: Asks
  /** Aborts when the server was asked to end. */
  readonly ending: AbortSignal
}

const liveOf = ({ state, leadership, feed, lines, board, asks, ending }: LiveParts): Live => ({
  progressOf: (run) => board.of(run),
  browse: (project, client, ask) => asks.browse(lines.line(project, client), ask),
  health: () => ({
    etcd: state.loaded && state.staleMs === undefined,
    nats: feed.healthy(),
    leader: leadership.epoch() !== undefined ? 'this' : leadership.highest() > 0 ? 'other' : 'none',
    linesOpen: lines.size,
    draining: ending.aborted,
  }),
})

async function writeReady(file: string, facts: Record<string, string>): Promise<void> {
  await writeFile(`${file}.new`, JSON.stringify(facts), { mode: 0o600 })
  await rename(`${file}.new`, file)
}

const feedLog = (record: Recorder) => {
  const tell = (facts: object, what: string): void => record('feed.trouble', { what, ...facts })
  return { debug: () => {}, info: () => {}, warn: tell }
}
