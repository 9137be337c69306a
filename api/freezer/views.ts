import type { Json, JsonObject } from '../../core/action.ts'
import type { Backup, Client, ForeignBackup } from '../../core/catalogue.ts'
import { isoOf, type Instant } from '../../core/clock.ts'
import type { Job, Session } from '../../core/job.ts'
import type { Result, Run } from '../../core/run.ts'
import { setIdOf, type SetRecord } from '../../core/set.ts'
import type { Context } from '../../controller/use-cases/context.ts'
import { isServerRun } from '../../controller/use-cases/job-planning.ts'
import type { Recent } from '../../controller/use-cases/recent.ts'
import { masked } from '../../controller/use-cases/secret-fields.ts'
import { some } from '../fields.ts'

/** What a view looks at beside the document itself. */
export interface Seen {
  readonly state: Context['state']
  readonly recent: Recent
}

/** v1 knows no projects; v2 shows the document's. */
export type Version = 'v1' | 'v2'

const owner = (document: { project: string; user: string }, version: Version): JsonObject =>
  version === 'v1' ? { user_id: document.user } : { project_id: document.project, user_id: document.user }

const seconds = (at: Instant | undefined): number => (at === undefined ? -1 : Math.floor(at / 1000))

/** Freezer's word for a result: a backup that is not whole is never called a success. */
const resultWords = {
  success: 'success',
  partial: 'fail',
  failed: 'fail',
  aborted: 'aborted',
  lost: 'fail',
} as const satisfies Record<Result, string>

/** A job as Freezer shows it. */
export function jobView(seen: Seen, job: Job, version: Version): JsonObject {
  const isRun = isServerRun(seen, job)
  return {
    job_id: job.id,
    ...owner(job, version),
    ...(job.client === undefined ? {} : { client_id: job.client }),
    description: job.description,
    session_id: job.session ?? '',
    session_tag: sessionTagOf(seen, job, isRun),
    ...(job.sessionName === undefined ? {} : { session_name: job.sessionName }),
    job_schedule: { ...job.schedule, ...(isRun ? statusOf(seen, job) : reportOf(job)) },
    job_actions: job.actions.map((action) => ({
      ...action.extra,
      action_id: action.actionId,
      ...owner(job, version),
      max_retries: action.maxRetries,
      max_retries_interval: action.maxRetriesIntervalS,
      mandatory: action.mandatory,
      freezer_action: masked(action.freezer),
    })),
    ...(job.firn ? { firn: job.firn } : {}),
    _version: job.version,
  }
}

function sessionTagOf({ state }: Seen, job: Job, isRun: boolean): number {
  if (!isRun || job.session === undefined) return job.sessionTag
  return state.get('session', job.project, job.session)?.value.tag ?? job.sessionTag
}

/** What a scheduler of its own says; before it has said anything, nothing has happened. */
function reportOf({ reported, createdAt }: Job): JsonObject {
  return {
    time_created: reported?.timeCreated ?? seconds(createdAt),
    time_started: reported?.timeStarted ?? -1,
    time_ended: reported?.timeEnded ?? -1,
    status: reported?.status ?? '',
    event: reported?.event ?? '',
    result: reported?.result ?? '',
    ...some('current_pid', reported?.currentPid),
  }
}

/** How a job stands that the servers run: its open run says, else the last finished one and the plan. */
function statusOf({ state, recent }: Seen, job: Job): JsonObject {
  const open = openRunOf(state, job)
  const last = recent.lastOf(job.project, job.id)?.value
  const shown = open ?? last
  return {
    time_created: seconds(job.createdAt),
    time_started: seconds(shown?.startedAt),
    time_ended: open ? -1 : seconds(endOf(last)),
    status: open ? (open.state.is === 'cancelling' ? 'aborting' : 'running') : restingStatus(job, last),
    event: '',
    result: open || last?.state.is !== 'finished' ? '' : resultWords[last.state.result],
  }
}

function restingStatus(job: Job, last: Run | undefined): string {
  if (job.wanted === 'stopped') return 'stop'
  if (job.plan.next !== undefined) return 'scheduled'
  return last ? 'completed' : ''
}

const endOf = (run: Run | undefined): Instant | undefined =>
  run?.state.is === 'finished' ? run.state.at : undefined

function openRunOf(state: Context['state'], job: Job): Run | undefined {
  let newest: Run | undefined
  for (const { value } of state.where('run', 'openOfJob', `${job.project}/${job.id}`))
    if (value.purpose === 'job') newest = value
  return newest
}

/** A session as Freezer shows it: its jobs' part in the newest round from that round's runs. */
export function sessionView(seen: Seen, session: Session, version: Version): JsonObject {
  const { state } = seen
  const set = state.get('set', session.project, setIdOf(session.id, session.tag))?.value
  const entries = session.jobs.flatMap((id) => {
    const job = state.get('job', session.project, id)?.value
    return job ? [[id, memberView(seen, session, set, job)] as const] : []
  })
  const round = roundOf(
    session,
    set,
    entries.map(([, entry]) => entry),
  )
  return {
    ...session.extra,
    session_id: session.id,
    ...owner(session, version),
    description: session.description,
    hold_off: session.holdOffS,
    session_tag: session.tag,
    ...round,
    last_start: session.lastStart === undefined ? '' : isoOf(session.lastStart).slice(0, 19),
    time_start: seconds(session.lastStart),
    time_started: seconds(session.lastStart),
    time_ended: round['time_end'] ?? -1,
    schedule: { ...session.schedule },
    jobs: Object.fromEntries(entries),
    ...(session.firn ? { firn: session.firn } : {}),
    _version: session.version,
  }
}

interface Entry extends JsonObject {
  client_id: string
  status: string
  result: string
  time_started: number
  time_ended: number
}

function memberView(seen: Seen, session: Session, set: SetRecord | undefined, job: Job): Entry {
  const client_id = job.client ?? ''
  const said = session.external?.[job.id]
  if (said?.tag === session.tag && !isServerRun(seen, job)) {
    const { status, result, timeStarted, timeEnded } = said
    return { client_id, status, result, time_started: timeStarted, time_ended: timeEnded }
  }
  const runs = (set?.members ?? [])
    .filter((member) => member.job === job.id)
    .map((member) => seen.state.get('run', session.project, member.run)?.value)
  if (runs.length === 0) return { client_id, status: '', result: '', time_started: -1, time_ended: -1 }
  const results = runs.map((run) => (run?.state.is === 'finished' ? run.state.result : undefined))
  const isOver = results.every((result) => result !== undefined)
  const starts = runs.flatMap((run) => run?.startedAt ?? [])
  const ends = runs.flatMap((run) => endOf(run) ?? [])
  return {
    client_id,
    status: isOver ? 'completed' : 'running',
    result: isOver ? resultWords[results.find((result) => result !== 'success') ?? 'success'] : '',
    time_started: starts.length === 0 ? -1 : Math.floor(Math.min(...starts) / 1000),
    time_ended: isOver && ends.length > 0 ? Math.floor(Math.max(...ends) / 1000) : -1,
  }
}

/** A round is over when its set is and every scheduler of its own has said so. */
function roundOf(session: Session, set: SetRecord | undefined, entries: readonly Entry[]): JsonObject {
  if (session.lastStart === undefined) return { status: 'active', result: '', time_end: -1 }
  const ended = set?.phase.is === 'ended' ? set.phase : undefined
  const taking = entries.filter((entry) => set === undefined || entry.status !== '')
  const isOver = (!set || ended !== undefined) && taking.every((entry) => entry.status === 'completed')
  if (!isOver) return { status: 'running', result: '', time_end: -1 }
  const isGood =
    (ended ? ended.outcome.result === 'success' : true) && taking.every((entry) => entry.result === 'success')
  const ends = [seconds(ended?.at), ...taking.map((entry) => entry.time_ended)]
  return { status: 'completed', result: isGood ? 'success' : 'fail', time_end: Math.max(...ends) }
}

/** A client in Freezer's nested shape. */
export const clientView = (client: Client, version: Version): JsonObject => ({
  ...owner(client, version),
  client: {
    ...client.extra,
    client_id: client.id,
    hostname: client.hostname,
    description: client.description,
    uuid: client.uuid,
  },
  firn: agentView(client),
})

/** What is known of a client's agent. */
function agentView({ enrolled, line, agent, labels }: Client): JsonObject {
  const iso = (at: Instant | undefined): string | null => (at === undefined ? null : isoOf(at))
  return {
    enrolled_at: iso(enrolled?.at),
    ...(enrolled?.revokedAt === undefined ? {} : { revoked_at: iso(enrolled.revokedAt) }),
    line: line.is,
    since: line.is === 'never' ? null : iso(line.since),
    agent: agent
      ? {
          version: agent.version,
          os: agent.os,
          hostname: agent.hostname,
          engines: agent.engines.map(({ engine, available, version, capabilities, problems }) => ({
            ...{ engine, available, version: version ?? null },
            capabilities: [...capabilities],
            problems: [...problems],
          })),
        }
      : null,
    labels: { ...labels },
  }
}

/** A stored action. */
export function actionView(
  action: Job['actions'][number] & { project: string; user: string; version: number },
  version: Version,
): JsonObject {
  return {
    ...action.extra,
    action_id: action.actionId,
    ...owner(action, version),
    max_retries: action.maxRetries,
    max_retries_interval: action.maxRetriesIntervalS,
    mandatory: action.mandatory,
    freezer_action: masked(action.freezer),
    _version: action.version,
  }
}

/** A record that another system's agent registered. */
export const foreignBackupView = (backup: ForeignBackup, version: Version): JsonObject => ({
  backup_id: backup.id,
  ...owner(backup, version),
  user_name: backup.userName,
  backup_metadata: backup.metadata,
})

/** A catalogue entry in the shape of Freezer's records; what those cannot say is in `firn`. */
export function backupView({ state }: Seen, backup: Backup, version: Version): JsonObject {
  const client = state.get('client', backup.project, backup.client)?.value
  const repository = state.get('repository', backup.project, backup.repository)?.value
  const [path = ''] = backup.paths
  return {
    backup_id: backup.id,
    ...owner(backup, version),
    user_name: backup.user,
    backup_metadata: {
      action: 'backup',
      always_level: '',
      backup_media: 'fs',
      backup_name: backup.backupName,
      client_id: backup.client,
      client_os: client?.agent?.os ?? '',
      client_version: client?.agent?.version ?? '',
      compression: '',
      consistency_checksum: '',
      container: repository?.location ?? '',
      container_segments: '',
      curr_backup_level: backup.level,
      dry_run: '',
      engine_name: backup.engine,
      fs_real_path: path,
      hostname: client?.hostname ?? backup.client,
      job_id: backup.job,
      log_file: '',
      max_level: '',
      mode: 'fs',
      path_to_backup: backup.paths.join(' '),
      proxy: '',
      ssh_host: '',
      ssh_key: '',
      ssh_port: 22,
      ssh_username: '',
      storage: 'local',
      time_stamp: seconds(backup.startedAt),
      vol_snap_path: path,
    },
    firn: backupDetails(backup),
  }
}

/** What Firn knows of a backup beyond Freezer's record. */
function backupDetails(backup: Backup): JsonObject {
  return {
    result: backup.result,
    client_id: backup.client,
    run_id: backup.run,
    step: backup.step,
    session: backup.session ? { session_id: backup.session.id, tag: backup.session.tag } : null,
    engine: backup.engine,
    engine_ref: backup.engineRef,
    engine_version: backup.engineVersion,
    repository_id: backup.repository,
    parent_id: backup.parent ?? null,
    paths: [...backup.paths],
    started_at: isoOf(backup.startedAt),
    ended_at: isoOf(backup.endedAt),
    item_error_count: backup.itemErrorCount,
    stats: backup.stats ? statsView(backup.stats) : null,
  }
}

/** Statistics with names in snake_case, sizes in bytes. */
export const statsView = (stats: NonNullable<Backup['stats']>): JsonObject =>
  Object.fromEntries(
    Object.entries(stats)
      .filter((entry): entry is [string, number] => entry[1] !== undefined)
      .map(([key, value]): [string, Json] => [
        key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
        value,
      ]),
  )
