// The agents of a stack: each with a state directory, a configuration and an identity of its own.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chown, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { object, text } from '../../cli/json.ts'
import { path as urlPath, type Api } from '../../cli/http.ts'
import { ownDatabase } from './databases.ts'
import { makeFolder, type Layout } from './layout.ts'
import { Problem } from './problem.ts'
import type { Recipe } from './process.ts'

/** An agent that is wanted. */
export interface AgentOptions {
  /** `node-1`, `node-2` … when left out. */
  readonly client?: string
  /** The user (and group) that it runs as; only root can choose. */
  readonly uid?: number
  readonly labels?: Readonly<Record<string, string>>
  /** What it may back up; everything when left out. */
  readonly paths?: readonly string[]
  /** Where it may restore; below the data directory's `restores` and the system's temporary folder when left out. */
  readonly targets?: readonly string[]
  /** Programs that exec may run; none when left out. */
  readonly commands?: readonly string[] | 'any'
  /** How long running work may go on when the agent is asked to stop. Seconds; 5 when left out. */
  readonly drainSeconds?: number
  /** It looks after a database `orders`, and may make more. */
  readonly database?: boolean
  /** Laid over the configuration: `limits`, `stall_seconds` … */
  readonly config?: Readonly<Record<string, unknown>>
  /** Another checkout to run it from, for a user who cannot read this one. */
  readonly firn?: readonly [string, ...string[]]
  /** Another restic. */
  readonly restic?: string
}

/** What is the same for all agents of a stack. */
export interface AgentBase {
  readonly env: Recipe['env']
  readonly firn: readonly [string, ...string[]]
  readonly restic: string
  /** host:port of the servers. */
  readonly servers: readonly string[]
  readonly natsUrl: string
  readonly restUrl: string
  readonly api: Api
  readonly logLevel: string
}

export const clientOf = (options: AgentOptions, nth: number): string => options.client ?? `node-${nth}`
export const stateDirOf = (layout: Layout, client: string): string => path.join(layout.agents, client)

/** Bounds what hangs: several processes that start at once on a busy machine take a while. Milliseconds. */
const enrolMs = 90_000
const drainS = 5
/** What an agent takes beside its draining: reports that are still to be delivered, engines that are interrupted. */
const stopExtraMs = 10_000

/** Makes its folders and configuration, and says how the agent is started. */
export async function agentRecipe(
  layout: Layout,
  nth: number,
  options: AgentOptions,
  base: AgentBase,
): Promise<Recipe> {
  const client = clientOf(options, nth)
  const name = `agent-${nth}`
  const state = stateDirOf(layout, client)
  const { uid, drainSeconds = drainS, firn = base.firn } = options
  await ownFolder(state, 0o700, uid)
  await ownFolder(path.join(layout.repositories, client), 0o700, uid)
  await ownFolder(path.join(layout.restores, client), 0o700, uid)
  const temporary = path.join(state, 'tmp')
  await ownFolder(temporary, 0o700, uid)
  const config = {
    state_dir: state,
    servers: base.servers,
    nats_servers: [base.natsUrl],
    labels: options.labels ?? {},
    allow: {
      paths: options.paths ?? ['/'],
      targets: options.targets ?? [layout.restores, os.tmpdir()],
      repositories: [layout.repositories],
      commands: options.commands ?? [],
    },
    restic: options.restic ?? base.restic,
    drain_seconds: drainSeconds,
    log: { level: base.logLevel },
    ...(options.database === true ? await ownDatabase(layout, client, uid) : {}),
    ...options.config,
  }
  const file = path.join(state, 'agent.yaml')
  await writeFile(file, `${JSON.stringify(config, undefined, 2)}\n`, { mode: 0o600 })
  if (uid !== undefined) await chown(file, uid, uid)
  const [program, ...args] = firn
  return {
    ...{ name, kind: 'agent', file: program, args: [...args, 'agent', '--config', file] },
    // The caller's own may be closed to another user.
    env: { ...base.env, TMPDIR: temporary },
    ...(uid === undefined ? {} : { uid }),
    log: path.join(layout.logs, `${name}.log`),
    stopMs: drainSeconds * 1_000 + stopExtraMs,
    isReady: (sinceMs) => isConnected(base.api, client, sinceMs),
  }
}

async function ownFolder(dir: string, mode: number, uid: number | undefined): Promise<void> {
  await makeFolder(dir, mode)
  if (uid !== undefined) await chown(dir, uid, uid)
}

/** A line that was open before this start does not count: the server may not have noticed its end. */
async function isConnected(api: Api, client: string, sinceMs: number): Promise<boolean> {
  const found = object(object(await api.get(urlPath`/v1/clients/${client}`))['firn'])
  return text(found, 'line') === 'up' && Date.parse(text(found, 'since')) >= sinceMs
}

/** Gives an agent that has no identity yet one, the way every node gets one. Throws a Problem. */
export async function enrolOnce(
  layout: Layout,
  nth: number,
  options: AgentOptions,
  base: AgentBase,
): Promise<void> {
  const client = clientOf(options, nth)
  const state = stateDirOf(layout, client)
  if (existsSync(path.join(state, 'enrolment.json'))) return
  const answer = await base.api.post('/v1/join-tokens', { client_id: client, ttl_seconds: 600 })
  const [program, ...args] = options.firn ?? base.firn
  const { uid } = options
  const child = spawn(
    program,
    [...args, 'agent', 'enrol', '--server', base.restUrl, '--state-dir', state, '--client-id', client],
    {
      stdio: ['pipe', 'ignore', 'pipe'],
      env: base.env,
      cwd: '/',
      detached: true,
      ...(uid === undefined ? {} : { uid, gid: uid }),
    },
  )
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (part: string) => (said += part))
  child.stdin.on('error', () => {})
  child.stdin.end(text(answer, 'join_token'))
  const code = await once(child, 'close', { signal: AbortSignal.timeout(enrolMs) }).then(
    ([code]) => code as number | null,
    (error: Error) => {
      child.kill('SIGKILL')
      said ||= error.message
      return null
    },
  )
  if (code !== 0)
    throw new Problem(`agent ${client} cannot be enrolled: ${said.trim() || 'no reason was given'}`)
}
