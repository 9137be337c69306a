import { randomUUID } from 'node:crypto'
import { mkdirSync, readFileSync, realpathSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { Logger } from 'pino'
import { systemClock } from '../core/clock-system.ts'
import type { Clock } from '../core/clock.ts'
import { Fault } from '../core/fault.ts'
import type { AgentConfig } from './config.ts'
import { KeptDatabases } from './disk/databases.ts'
import { damagedName, FileJournal, readJournal } from './disk/journal.ts'
import { lockFolder } from './disk/lock.ts'
import { LogFolder } from './disk/logs.ts'
import { realPathOf } from './disk/real-path.ts'
import { identityDir, readEnrolment } from './enrol.ts'
import { endOrphans, findOrphans } from './engines/process/orphans.ts'
import { processStat } from './engines/process/proc.ts'
import { createEngines, datastoreTools } from './engines/registry.ts'
import { connectToServers } from './grpc/server-line.ts'
import { recorderOf } from './log.ts'
import { openPublisher } from './nats/publisher.ts'
import type { Engine } from './ports/engine.ts'
import type { Recorder } from './ports/events.ts'
import type { ServerLine } from './ports/line.ts'
import type { Orphans } from './ports/orphans.ts'
import { Renewal } from './renewal.ts'
import { readIdentity, type Identity } from './security/identity.ts'
import { Announcer } from './work/announcer.ts'
import { Asks } from './work/asks.ts'
import { Book } from './work/book.ts'
import { Desk, type DeskParts } from './work/desk.ts'
import { snapshotOf, stateOf } from './work/journal-state.ts'
import { Outbox, type OutboxLine } from './work/outbox.ts'
import type { RealPaths } from './work/policy.ts'
import { Probes } from './work/probes.ts'
import { recover, recoverRest } from './work/recover.ts'

export interface AgentOptions {
  readonly config: AgentConfig
  readonly log: Logger
  readonly clock?: Clock
  /** Aborts when running work is to be stopped without waiting for it. */
  readonly hurry?: AbortSignal
}

/** How long links of paths may take to follow: a network file system may hang. Milliseconds. */
const followMs = 5_000
/** How long the start waits for what engines remove; a network file system may hang. Milliseconds. */
const settleMs = 10_000
/** How long reports may take to reach the broker when the agent stops; the next start goes on with the rest. Milliseconds. */
const flushMs = 5_000

/**
 * Starts the agent of this node: settles what an earlier process left, then connects. Disposing drains: it takes no more
 * orders, waits for running work as configured, stops the rest, publishes what it can and says bye. Throws
 * Fault('unauthenticated') when the node is not enrolled, Fault('conflict') when another agent uses the state directory,
 * Fault('unsupported') for a journal of a later version.
 */
export async function startAgent(options: AgentOptions): Promise<AsyncDisposable> {
  const { config, log } = options
  const clock = options.clock ?? systemClock
  const record = recorderOf(log)
  await using cleanup = new AsyncDisposableStack()
  mkdirSync(config.stateDir, { recursive: true, mode: 0o700 })
  const { identity, enrolment } = await whoThisIs(config.stateDir)
  cleanup.use(lockFolder(config.stateDir, ownName(), lives))

  const book = cleanup.use(openBook(config.stateDir, clock, record))
  await book.begin()
  const stateMark = realpathSync(config.stateDir)
  const resticPath = config.resticPath === undefined ? {} : { resticPath: config.resticPath }
  const databases = openDatabases(config, record)
  const engines = createEngines({ stateMark, databases, ...resticPath })
  const probes = new Probes(engines, clock)
  const recovery = { book, clock, record, orphans: orphansOf(stateMark, clock) }
  const [survivors] = await Promise.all([recover(recovery), probes.fresh(engines.keys(), () => 0)])
  // What a process that hangs in the kernel still writes to is left for the next attempt to clean up.
  if (survivors.length === 0) await settle(engines, engineDirs(config.stateDir), clock)

  const publisher = cleanup.use(
    openPublisher({
      ...{ project: identity.project, client: identity.client, clock, log: log.child({ part: 'nats' }) },
      servers: config.natsServers ?? enrolment.natsServers,
      credentials: enrolment.credentials,
    }),
  )
  const open: { line?: ServerLine } = {}
  const ended: OutboxLine['ended'] = (run, attempt) => void open.line?.send({ type: 'ended', run, attempt })
  const outbox = cleanup.use(new Outbox(publisher, { ended }, clock, record))
  publisher.onConnected(() => outbox.brokerBack())
  const runLogs = cleanup.use(new LogFolder(path.join(config.stateDir, 'logs'), config.runLogs, clock))
  const life = new AbortController()
  const announcer = new Announcer({
    ...{ databases, datastores: datastoreTools, clock, record },
    send: (announced) => open.line?.send({ type: 'instances', ...announced }) ?? false,
  })
  await announcer.look()
  const parts = { book, outbox, probes, engines, databases, announcer, publisher, runLogs, clock, record }
  const desk = deskOf(config, identity, () => open.line, life.signal, parts)
  const renewal = new Renewal(identity, {
    ...{ stateDir: config.stateDir, clock, record },
    send: (message) => open.line?.send(message) ?? false,
    useCredentials: (text) => publisher.useCredentials(text),
  })
  cleanup.defer(() => life.abort(new Fault('stopping', 'the agent stops')))
  if (survivors.length > 0) keepRecovering(recovery, desk, record, life.signal)
  open.line = cleanup.use(connect(config.servers ?? enrolment.servers, desk, renewal, clock, record))
  void renewal.keepUp(life.signal)
  void announcer.keepUp(life.signal)
  record('agent.started', { stateDir: config.stateDir, held: book.state.attempts.size })
  cleanup.defer(async () => {
    await desk.drain(config.drainMs, options.hurry ?? new AbortController().signal)
    await flush(outbox, clock, options.hurry)
    record('agent.stopped', { undelivered: outbox.unpublished })
  })
  return cleanup.move()
}

function openDatabases(config: AgentConfig, record: Recorder): KeptDatabases {
  const databases = new KeptDatabases(config)
  if (databases.damaged !== undefined) record('instances.damaged', { kept: databases.damaged })
  return databases
}

/** Has the engines remove what an earlier process left on the node. */
async function settle(
  engines: ReadonlyMap<string, Engine>,
  engineDir: (engine: string) => string,
  clock: Clock,
): Promise<void> {
  const enough = new AbortController()
  const settled = [...engines.values()].map(async (engine) => engine.settle?.(engineDir(engine.name)))
  await Promise.race([Promise.all(settled), clock.sleep(settleMs, enough.signal).catch(() => undefined)])
  enough.abort()
}

async function whoThisIs(stateDir: string) {
  const identity = await readIdentity(identityDir(stateDir))
  const enrolment = await readEnrolment(stateDir)
  if (!identity || !enrolment)
    throw new Fault('unauthenticated', `${stateDir} holds no identity: enrol this node first`)
  return { identity, enrolment }
}

type Given =
  | ('book' | 'outbox' | 'probes' | 'engines' | 'publisher' | 'runLogs' | 'clock' | 'record')
  | ('databases' | 'announcer')

function deskOf(
  config: AgentConfig,
  { project, client }: Identity,
  line: () => ServerLine | undefined,
  signal: AbortSignal,
  parts: Pick<DeskParts, Given>,
): Desk {
  const { engines, clock } = parts
  const { policy, capacity, autonomy, stallMs } = config
  const engineDir = engineDirs(config.stateDir)
  const realPaths = (paths: readonly string[]): Promise<RealPaths> => follow(paths, clock)
  const asks = new Asks({ engines, policy, clock, engineDir, realPaths, signal })
  const about = aboutThisNode(config.labels)
  return new Desk({
    ...parts,
    ...{ project, client, line, asks, policy, capacity, autonomy, stallMs, engineDir, realPaths, about },
  })
}

const connect = (
  servers: readonly string[],
  desk: Desk,
  renewal: Renewal,
  clock: Clock,
  record: Recorder,
): ServerLine =>
  connectToServers(
    {
      ...{ servers, clock },
      tls: () => renewal.identity,
      nowUs: () => Math.round(clock.monotonic() * 1_000),
      report: (event, fields) => reportLine(record, event, fields),
    },
    {
      hello: () => desk.hello(),
      welcomed: (server, protocol) => desk.welcomed(server, protocol),
      received: (message) =>
        message.type === 'renewed' ? void renewal.renewed(message) : desk.received(message),
      lost: (why) => desk.lost(why),
      running: () => desk.running(),
    },
  )

function openBook(stateDir: string, clock: Clock, record: Recorder): Book {
  const read = readJournal(stateDir)
  const { damaged, doubtful } = read
  if (read.torn) record('journal.torn', {})
  if (damaged.length > 0) {
    const kept = path.join(stateDir, damagedName)
    record('journal.damaged', { lines: damaged, doubtful: doubtful.length, kept })
  }
  const state = stateOf(read)
  return new Book(state, new FileJournal(stateDir, () => snapshotOf(state)), clock, record)
}

const ownName = (): { pid: number; startTime: string } => ({
  pid: process.pid,
  startTime: processStat(process.pid)?.startTime ?? '',
})

function lives({ pid, startTime }: { pid: number; startTime: string }): boolean {
  const stat = processStat(pid)
  return stat !== undefined && stat.state !== 'Z' && stat.startTime === startTime
}

/** Children that carry this mark, or that the ledger names. */
export const orphansOf = (stateMark: string, clock: Clock): Orphans => ({
  end: (ledger) => endOrphans(findOrphans({ stateMark, ledger }), clock),
})

function keepRecovering(
  recovery: Parameters<typeof recoverRest>[0],
  desk: Desk,
  record: Recorder,
  signal: AbortSignal,
): void {
  recoverRest(recovery, (held) => desk.settled(held), signal).catch((err: unknown) => {
    if (!signal.aborted) record('bug', { err, where: 'recovery' })
  })
}

/** A folder for each engine's caches, made on first use. */
function engineDirs(stateDir: string): (engine: string) => string {
  const made = new Set<string>()
  return (engine) => {
    const dir = path.join(stateDir, 'engines', engine)
    if (!made.has(dir)) mkdirSync(dir, { recursive: true, mode: 0o700 })
    made.add(dir)
    return dir
  }
}

/** Paths that cannot be followed in time are left out, and so are refused. */
async function follow(paths: readonly string[], clock: Clock): Promise<RealPaths> {
  const real = new Map<string, string>()
  if (paths.length === 0) return real
  const enough = new AbortController()
  const followed = paths.map(async (wanted) => {
    const leadsTo = await realPathOf(wanted).catch(() => undefined)
    if (leadsTo !== undefined) real.set(wanted, leadsTo)
  })
  await Promise.race([Promise.all(followed), clock.sleep(followMs, enough.signal).catch(() => undefined)])
  enough.abort()
  return new Map(real)
}

function aboutThisNode(labels: AgentConfig['labels']) {
  const file = new URL('../package.json', import.meta.url)
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string }
  return {
    ...{ version, labels, hostname: os.hostname(), incarnation: randomUUID() },
    os: `${os.type()} ${os.release()} ${os.arch()}`,
  }
}

type LineReport = NonNullable<Parameters<typeof connectToServers>[0]['report']>

/** The desk tells of lines that open and close; here is what only the connection knows. */
const reportLine = (record: Recorder, ...[event, fields]: Parameters<LineReport>): void => {
  if (event === 'line.failed' && 'againInMs' in fields) record('line.failed', fields)
  else if (event === 'line.refused' && 'why' in fields) record('line.unreadable', fields)
  else if (event === 'line.bug' && 'err' in fields) record('bug', { err: fields.err, where: 'line' })
}

async function flush(outbox: Outbox, clock: Clock, hurry: AbortSignal | undefined): Promise<void> {
  const enough = new AbortController()
  const signal = hurry ? AbortSignal.any([hurry, enough.signal]) : enough.signal
  const limit = clock.sleep(flushMs, enough.signal).then(
    () => enough.abort(new Fault('timeout', 'NATS is away')),
    () => undefined,
  )
  await outbox.flushed(signal).catch(() => undefined)
  enough.abort()
  await limit
}
