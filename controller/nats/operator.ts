import { link, mkdir, open, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import type { Clock, Instant } from '../../core/clock.ts'
import { Fault } from '../../core/fault.ts'
import type { ClientId, ProjectId } from '../../core/ids.ts'
import { credentialsText } from '../../proto/nats/credentials.ts'
import { keyFromSeed, newKey } from '../../proto/nats/keys.ts'
import {
  agentInbox,
  agentSubjects,
  projectSubjects,
  serverInbox,
  serverSubjects,
} from '../../proto/subjects.ts'
import { accountJwt, operatorJwt, userJwt } from './jwt.ts'
import type { Permissions } from './jwt.ts'

/**
 * Who may do what on the project's own nats-server: an operator, one account with all of Firn in it, and users that are
 * made at run time. nats-server knows only public keys; a user proves itself by a JWT that the account's signing key
 * signed, so that making or ending one needs no change there.
 */
export interface NatsOperator {
  /**
   * Text of nats-server's configuration file. Holds no secret. nats-server does not start with a field that it does not
   * know: tried with 2.9.
   */
  natsConfig(options: NatsConfigOptions): string
  /** For one agent: it may publish results and logs of its own runs, and hear what is sent to it alone. */
  agentCredentials(project: ProjectId, client: ClientId, expiresAt: Instant): string
  /** For a server: everything of Firn, and JetStream. A new user at each call; it does not expire. */
  serverCredentials(): string
  /** For a plain NATS client: may subscribe to the subjects of one project and publish nothing. */
  operatorCredentials(project: ProjectId, expiresAt: Instant): string
}

export interface NatsConfigOptions {
  /** On 127.0.0.1. */
  readonly port: number
  /** Where JetStream keeps its streams. */
  readonly storeDir: string
  /** Port of its own HTTP status pages on 127.0.0.1, which ask for no credentials; absent: none. */
  readonly monitorPort?: number
  /** The most that all streams together may take on disk; more than the sum of their own limits. Bytes. */
  readonly storeMaxBytes?: number
}

/** Four times what the streams take at most: see streams.ts. */
const storeMaxBytes = 10 * 2 ** 30

/** What is kept, in one file, so that it is there as a whole or not at all. */
interface Kept {
  /** Seeds. The operator's and the accounts' are needed only to make these JWTs anew. */
  readonly operator: string
  readonly account: string
  readonly system: string
  readonly signing: string
  /** JWTs for nats-server. */
  readonly operatorJwt: string
  readonly accountJwt: string
  readonly systemJwt: string
}

const fileName = 'nats-operator.json'

/**
 * The operator whose keys are kept in `dir` (made 0700, the file 0600), made there when there is none. Several servers may
 * do this at once: all get the same. Throws Fault('bad_message') when the file is unreadable, and node's errors of the disk.
 */
export async function openOperator(dir: string, clock: Pick<Clock, 'now'>): Promise<NatsOperator> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const file = path.join(dir, fileName)
  const kept = (await readKept(file)) ?? (await keepFirst(file, makeKept(clock.now())))
  return operatorOf(kept, clock)
}

function makeKept(now: Instant): Kept {
  const [operator, account, system, signing] = [
    newKey('operator'),
    newKey('account'),
    newKey('account'),
    newKey('account'),
  ]
  return {
    operator: operator.seed,
    account: account.seed,
    system: system.seed,
    signing: signing.seed,
    operatorJwt: operatorJwt(operator, system.publicKey, now),
    accountJwt: accountJwt(
      operator,
      { publicKey: account.publicKey, name: 'firn', signingKey: signing.publicKey },
      now,
    ),
    systemJwt: accountJwt(operator, { publicKey: system.publicKey, name: 'system' }, now),
  }
}

async function readKept(file: string): Promise<Kept | undefined> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  const unreadable = (cause?: unknown) => new Fault('bad_message', `${file} is unreadable`, { cause })
  let kept: Partial<Record<keyof Kept, unknown>> | null
  try {
    kept = JSON.parse(text) as typeof kept
  } catch {
    // The parser's error quotes the text, which is secret.
    throw unreadable()
  }
  const names = [
    'operator',
    'account',
    'system',
    'signing',
    'operatorJwt',
    'accountJwt',
    'systemJwt',
  ] as const
  if (names.some((name) => typeof kept?.[name] !== 'string')) throw unreadable()
  return kept as Kept
}

/** A hard link is made or is there already, whole in both cases: the first one wins and the others read it. */
async function keepFirst(file: string, kept: Kept): Promise<Kept> {
  const draft = `${file}.${process.pid}.${newKey('user').publicKey.slice(1, 9)}`
  const handle = await open(draft, 'wx', 0o600)
  try {
    await handle.writeFile(JSON.stringify(kept, undefined, 2))
    await handle.sync()
    await link(draft, file)
    return kept
  } catch (error) {
    const first = (error as NodeJS.ErrnoException).code === 'EEXIST' ? await readKept(file) : undefined
    if (first === undefined) throw error
    return first
  } finally {
    await handle.close()
    await rm(draft, { force: true })
  }
}

function operatorOf(kept: Kept, clock: Pick<Clock, 'now'>): NatsOperator {
  const account = keyFromSeed(kept.account).publicKey
  const system = keyFromSeed(kept.system).publicKey
  const signingKey = keyFromSeed(kept.signing)
  const user = (name: string, permissions: Permissions, expiresAt?: Instant) => {
    const key = newKey('user')
    const expiry = expiresAt === undefined ? {} : { expiresAt }
    const claims = { publicKey: key.publicKey, name, permissions, issuedAt: clock.now(), ...expiry }
    return credentialsText(userJwt(signingKey, account, claims), key)
  }
  return {
    natsConfig: (options) => natsConfig(options, kept, { account, system }),
    agentCredentials: (project, client, expiresAt) =>
      user(
        `agent ${project} ${client}`,
        {
          publish: { allow: agentSubjects(project, client) },
          subscribe: { allow: [`${agentInbox(project, client)}.>`] },
        },
        expiresAt,
      ),
    serverCredentials: () =>
      user('server', {
        publish: { allow: [...serverSubjects, '$JS.API.>', '$JS.ACK.>'] },
        subscribe: { allow: [...serverSubjects, `${serverInbox}.>`] },
      }),
    operatorCredentials: (project, expiresAt) =>
      user(
        `operator ${project}`,
        { publish: { deny: ['>'] }, subscribe: { allow: [projectSubjects(project)] } },
        expiresAt,
      ),
  }
}

function natsConfig(
  options: NatsConfigOptions,
  kept: Kept,
  accounts: { readonly account: string; readonly system: string },
): string {
  const text = JSON.stringify
  const lines = [
    `listen: ${text(`127.0.0.1:${options.port}`)}`,
    ...(options.monitorPort === undefined ? [] : [`http: ${text(`127.0.0.1:${options.monitorPort}`)}`]),
    'jetstream {',
    `  store_dir: ${text(options.storeDir)}`,
    `  max_memory_store: ${64 * 2 ** 20}`,
    `  max_file_store: ${options.storeMaxBytes ?? storeMaxBytes}`,
    '}',
    // Finds a peer that is gone in half a minute instead of six.
    'ping_interval: "10s"',
    'ping_max: 2',
    `operator: ${text(kept.operatorJwt)}`,
    `system_account: ${text(accounts.system)}`,
    'resolver: MEMORY',
    'resolver_preload: {',
    `  ${accounts.account}: ${text(kept.accountJwt)}`,
    `  ${accounts.system}: ${text(kept.systemJwt)}`,
    '}',
  ]
  return `${lines.join('\n')}\n`
}
