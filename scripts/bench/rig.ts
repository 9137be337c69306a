// etcd, nats-server and one Firn server for a benchmark, each a process of its own, with data in a temporary folder.
import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { Connection } from '../../controller/etcd/connection.ts'
import { keyOf, refOf } from '../../controller/etcd/keys.ts'
import { requestOf } from '../../controller/etcd/transaction.ts'
import { openOperator, type NatsOperator } from '../../controller/nats/operator.ts'
import type { Kind, RawTransaction, Ref } from '../../controller/ports/backend.ts'
import { openAuthority, type Authority } from '../../controller/security/ca.ts'
import { systemClock } from '../../core/clock-system.ts'
import { projectId, type ProjectId } from '../../core/ids.ts'
import { tokenText } from '../../core/tokens.ts'
import { eventually } from '../../test/support/eventually.ts'
import { freePort } from '../../test/support/ports.ts'
import { startEtcd, startNats, type ServerProcess } from '../../test/support/servers.ts'
import { tempDir } from '../../test/support/temp.ts'

export const project: ProjectId = projectId('bench')

const root = path.join(import.meta.dirname, '../..')
/** A server reads the whole store before it is ready: a million documents take a while. */
const readyMs = 180_000
const endMs = 10_000
const etcdQuota = 8 * 1024 ** 3

/** A running Firn server. Disposing ends it. */
export interface ServerChild extends AsyncDisposable {
  readonly url: string
  /** host:port for agents. */
  readonly agents: string
  readonly pid: number
  /** What it has logged so far. */
  log(): string
  /** Ends it as a crash does. */
  kill(): Promise<void>
}

export interface Rig extends AsyncDisposable {
  readonly etcd: ServerProcess
  readonly nats: ServerProcess
  readonly operator: NatsOperator
  /** The CA that the server and the simulated agents have their certificates from. */
  readonly authority: Authority
  /** An administrator's. */
  readonly token: string
  /** A connection to etcd for seeding and counting. */
  readonly connection: Connection
  startServer(): Promise<ServerChild>
}

/** etcd and NATS run when it resolves; a server is started when asked for, over what was seeded until then. */
export async function startRig(): Promise<Rig> {
  await using stack = new AsyncDisposableStack()
  const dir = stack.use(await tempDir('bench'))
  const keys = dir.join('keys')
  await mkdir(keys, { mode: 0o700 })
  const operator = await openOperator(path.join(keys, 'nats'), systemClock)
  const authority = await openAuthority(path.join(keys, 'agents-ca'), 'agents', systemClock.now())
  const etcd = stack.use(await startEtcd({ args: ['--quota-backend-bytes', String(etcdQuota)] }))
  const nats = stack.use(await startNats({ wholeConfig: (given) => operator.natsConfig(given) }))
  const connection = stack.use(new Connection({ endpoints: [etcd.url] }))
  const token = tokenText({
    id: randomBytes(8).toString('hex'),
    secret: randomBytes(32).toString('base64url'),
  })
  await writeFile(dir.join('token'), token, { mode: 0o600 })
  const config = {
    http: { port: 0 },
    // Agents find the next server where this one was.
    agents: { port: await freePort() },
    etcd: { endpoints: [etcd.url] },
    nats: { servers: [nats.url] },
    keys,
    first_token: { file: dir.join('token'), project },
    ready_file: dir.join('ready.json'),
  }
  await writeFile(dir.join('server.json'), JSON.stringify(config), { mode: 0o600 })
  const all = stack.move()
  return {
    ...{ etcd, nats, operator, authority, token, connection },
    startServer: () => startServer(dir.path),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}

/** The last resort for a benchmark that ends without disposing. */
const running = new Set<ChildProcess>()
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')))

async function startServer(dir: string): Promise<ServerChild> {
  const logFile = path.join(dir, 'server.log')
  // Of one that ran before.
  await rm(path.join(dir, 'ready.json'), { force: true })
  const log = openSync(logFile, 'w')
  const args = ['cli/firn.mjs', 'server', '--config', path.join(dir, 'server.json')]
  // A profile of the server alone: FIRN_BENCH_SERVER_FLAGS='--cpu-prof --cpu-prof-dir=/tmp/profiles'.
  const flags = (process.env['FIRN_BENCH_SERVER_FLAGS'] ?? '').split(' ').filter((flag) => flag !== '')
  const child = spawn(process.execPath, [...flags, ...args], { cwd: root, stdio: ['ignore', log, log] })
  closeSync(log)
  running.add(child)
  const ended = once(child, 'exit').then(() => void running.delete(child))
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null
  const text = () => readFileSync(logFile, 'utf8')
  const ready = await eventually(
    async () => (hasEnded() ? 'ended' : await readFile(path.join(dir, 'ready.json'), 'utf8')),
    { withinMs: readyMs },
  )
  if (ready === 'ended') throw new Error(`the server does not start:\n${text()}`)
  const { url, agents } = JSON.parse(ready) as { url: string; agents: string }
  return {
    ...{ url, agents, pid: child.pid ?? 0, log: text },
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
    async [Symbol.asyncDispose]() {
      const late = setTimeout(() => child.kill('SIGKILL'), endMs)
      if (!hasEnded()) child.kill('SIGTERM')
      await ended
      clearTimeout(late)
    },
  }
}

/** Writes a transaction as it is. */
export async function store(connection: Connection, transaction: RawTransaction): Promise<void> {
  const { succeeded } = await connection.txn(requestOf(transaction, undefined))
  if (!succeeded) throw new Error('the seed was there already')
}

/** How many documents of a kind the project has in etcd. */
export async function countOf(connection: Connection, kind: Kind): Promise<number> {
  const key = keyOf({ kind, project, id: '' })
  const answer = await connection.range({ key, range_end: after(key), count_only: true })
  return Number(answer.count)
}

/** Pages of a listing: etcd's answers have a limit. */
const pageSize = 1_000

/** All of a kind that the project has in etcd. */
export async function documentsOf(
  connection: Connection,
  kind: Kind,
): Promise<(Ref & { readonly text: string })[]> {
  const prefix = keyOf({ kind, project, id: '' })
  const found: (Ref & { text: string })[] = []
  for (let key = prefix, more = true; more;) {
    const answer = await connection.range({ key, range_end: after(prefix), limit: pageSize })
    for (const kv of answer.kvs) {
      const ref = refOf(kv.key)
      if (ref) found.push({ ...ref, text: kv.value.toString() })
    }
    const last = answer.kvs.at(-1)
    more = answer.more && last !== undefined
    if (last) key = Buffer.concat([last.key, Buffer.alloc(1)])
  }
  return found
}

/** The first key behind all that start with `prefix`. */
function after(prefix: Buffer): Buffer {
  const end = Buffer.from(prefix)
  end[end.length - 1] = (end.at(-1) ?? 0) + 1
  return end
}
