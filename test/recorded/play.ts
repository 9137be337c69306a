// What is done to a stack so that every kind of document is there, and runs are in every state that they can be in.
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Stack } from '../../scripts/up/stack.ts'
import { eventually } from '../support/eventually.ts'

/** A document of whatever shape. */
// oxlint-disable-next-line typescript/no-explicit-any
type Loose = any

/** Nothing here takes so long, unless it never ends. Milliseconds. */
const waitMs = 120_000

class Player {
  readonly #stack: Stack

  constructor(stack: Stack) {
    this.#stack = stack
  }

  /** Throws an Error with the answer when it is a refusal. */
  async ask(method: string, where: string, body?: object, headers: object = {}): Promise<Loose> {
    const response = await fetch(`${this.#stack.url}${where}`, {
      method,
      headers: { 'x-auth-token': this.#stack.token, 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${where}: ${response.status} ${text}`)
    return text === '' ? undefined : JSON.parse(text)
  }

  until<T>(look: () => Promise<T | false | undefined>): Promise<Exclude<T, false | null | undefined>> {
    return eventually(look, { withinMs: waitMs, everyMs: 100 })
  }

  async job(id: string, client: string, actions: readonly object[], more: object = {}): Promise<string> {
    const document = { client_id: client, job_actions: actions, firn: { autostart: false }, ...more }
    await this.ask('POST', `/v1/jobs/${id}`, document)
    return id
  }

  async run(job: string): Promise<string> {
    return (await this.ask('POST', '/v1/runs', { job_id: job })).runs[0].run_id as string
  }

  untilState(run: string, ...states: string[]): Promise<Loose> {
    return this.until(async () => {
      const seen = await this.ask('GET', `/v1/runs/${run}`)
      return states.includes(seen.state) && seen
    })
  }
}

const exec = (command: string, more: object = {}) => ({
  freezer_action: { action: 'exec', command },
  ...more,
})

/**
 * Leaves `node-1` and its server alive, `node-2` killed in the middle of its work. `folder`: for what is backed up.
 */
export async function play(stack: Stack, folder: string): Promise<void> {
  const player = new Player(stack)
  await mkdir(folder, { recursive: true })
  await writeFile(path.join(folder, 'letter.txt'), 'dear reader')
  await files(player, folder)
  await databases(player)
  await records(player)
  await underWay(player, stack)
}

/** A job that has saved a folder twice, a session of it, and a job on a schedule. */
async function files(player: Player, folder: string): Promise<void> {
  const save = { freezer_action: { action: 'backup', backup_name: 'docs', path_to_backup: folder } }
  await player.job('docs', 'node-1', [save], { description: 'recorded' })
  for (let times = 0; times < 2; times++) await player.untilState(await player.run('docs'), 'finished')
  const ended = await player.ask('POST', '/v1/sessions', {
    description: 'nightly',
    hold_off: 0,
    schedule: {},
  })
  await player.ask('PUT', `/v1/sessions/${ended.session_id}/jobs/docs`)
  await player.ask('POST', `/v1/sessions/${ended.session_id}/start`)
  await player.until(async () => {
    const { sets } = await player.ask('GET', '/v1/sets')
    return sets.some(({ phase }: Loose) => phase === 'ended')
  })
  await player.job('hourly', 'node-1', [exec('true')], { job_schedule: { schedule_interval: '1 hours' } })
  await player.job('fails', 'node-1', [exec('false')])
  await player.untilState(await player.run('fails'), 'finished')
}

/** A backup of a database, a database made from it, and where such backups go. */
async function databases(player: Player): Promise<void> {
  const trove = '/v1.0/main'
  const orders = await player.until(async () => {
    const { instances } = await player.ask('GET', `${trove}/instances`)
    return instances[0]
  })
  const { backup } = await player.ask('POST', `${trove}/backups`, {
    backup: { instance: orders.id, name: 'orders' },
  })
  await player.until(async () => {
    const seen = await player.ask('GET', `${trove}/backups/${backup.id}`)
    return seen.backup.status === 'COMPLETED'
  })
  await player.ask('POST', `${trove}/instances`, {
    instance: { name: 'copy', flavorRef: '1', volume: { size: 1 }, restorePoint: { backupRef: backup.id } },
  })
  await player.until(async () => {
    const { instances } = await player.ask('GET', `${trove}/instances`)
    return instances.length === 2 && instances.every(({ status }: Loose) => status === 'ACTIVE')
  })
  await player.ask('POST', `${trove}/backup_strategies`, { backup_strategy: { swift_container: 'weekly' } })
}

/** What is stored besides: functions, tokens, permissions, kept answers, other systems' backups. */
async function records(player: Player): Promise<void> {
  const action = { freezer_action: { action: 'exec', command: 'true' } }
  const { action_id } = await player.ask('POST', '/v1/actions', action)
  const qinling = '/qinling/v1'
  await player.ask('POST', `${qinling}/aliases`, { name: 'daily', function_id: action_id })
  await player.ask('POST', `${qinling}/jobs`, {
    ...{
      name: 'cron',
      function_id: action_id,
      pattern: '30 2 * * *',
      function_input: '{"client_id": "node-1"}',
      count: null,
    },
    ...{ function_alias: null, function_version: 0, first_execution_time: null },
  })
  await player.ask('POST', '/v1/tokens', { user_id: 'looker', role: 'viewer' })
  await player.ask('POST', '/v1/join-tokens', { client_id: 'node-3', ttl_seconds: 86_400 })
  const secret = { location: '/srv/shared', password: 'known to tests only' }
  await player.ask('POST', '/v1/repositories', secret, { 'idempotency-key': 'recorded-1' })
  await player.ask('POST', '/v1/backups', {
    ...{ container: 'c', hostname: 'h', backup_name: 'foreign', time_stamp: 1_700_000_000, level: 0 },
  })
}

/** Runs that are running, cancelling, unknown, waiting, waiting to be tried again, offered and armed; a set in the making. */
async function underWay(player: Player, stack: Stack): Promise<void> {
  await player.job('long-1', 'node-1', [exec('sleep 3600')])
  await player.job('long-2', 'node-2', [exec('sleep 3600')])
  await player.job('stuck-2', 'node-2', [exec('sleep 3600')])
  await player.job('again-1', 'node-1', [exec('false', { max_retries: 5, max_retries_interval: 3_600 })])
  await player.job('later-2', 'node-2', [exec('true')])
  await player.job('member-1', 'node-1', [exec('true')])
  await player.job('member-2', 'node-2', [exec('true')])
  const stuck = await player.run('stuck-2')
  for (const run of [await player.run('long-1'), await player.run('long-2'), stuck])
    await player.untilState(run, 'running')
  const again = await player.run('again-1')
  await player.until(async () => {
    const seen = await player.ask('GET', `/v1/runs/${again}`)
    return seen.state === 'waiting' && seen.attempt === 2
  })
  await stack.process('agent-2').crash()
  await player.ask('POST', `/v1/runs/${stuck}/cancel`)
  await player.untilState(await player.run('later-2'), 'waiting')
  const made = await player.ask('POST', '/v1/sessions', {
    description: 'in the making',
    hold_off: 0,
    schedule: {},
  })
  for (const job of ['member-1', 'member-2'])
    await player.ask('PUT', `/v1/sessions/${made.session_id}/jobs/${job}`)
  await player.ask('POST', `/v1/sessions/${made.session_id}/start`)
  await player.until(async () => {
    const { runs } = await player.ask('GET', '/v1/runs?limit=100')
    return ['armed', 'unknown'].every((state) => runs.some((run: Loose) => run.state === state))
  })
}
