import type { JsonObject } from '../../core/action.ts'
import type { Repository, Token } from '../../core/catalogue.ts'
import { isoOf, type Instant } from '../../core/clock.ts'
import type { Progress, TreeEntry } from '../../core/link.ts'
import type { Reason, Run, Step, Task } from '../../core/run.ts'
import { setIdOf, type SetRecord } from '../../core/set.ts'
import type { Live } from '../../controller/ports/live.ts'
import type { Context } from '../../controller/use-cases/context.ts'
import { statsView } from '../freezer/backup-view.ts'
import { some } from '../fields.ts'

const iso = (at: Instant | undefined): string | null => (at === undefined ? null : isoOf(at))

const reasonView = (reason: Reason | undefined): JsonObject | null =>
  reason ? { code: reason.code, text: reason.text } : null

/** A run as API clients see it; `live` knows its progress. */
export function runView(run: Run, live: Pick<Live, 'progressOf'>): JsonObject {
  const { state } = run
  const ended = state.is === 'finished' ? state : undefined
  return {
    run_id: run.id,
    job_id: run.job,
    client_id: run.client,
    project_id: run.project,
    slot: run.slot,
    session: run.session ? { session_id: run.session.id, tag: run.session.tag } : null,
    purpose: run.purpose,
    restore_id: run.restore ?? null,
    state: state.is,
    attempt: state.attempt,
    result: ended?.result ?? null,
    reason: reasonView(reasonOf(run)),
    created_at: iso(run.createdAt),
    started_at: iso(run.startedAt),
    ended_at: iso(ended?.at),
    start_error_us: run.started?.errorUs ?? null,
    steps: run.tasks.map((task, index) => stepView(task, run.steps[index])),
    progress: ended ? null : progressView(live.progressOf(run.id)),
  }
}

function reasonOf({ state }: Run): Reason | undefined {
  if (state.is === 'finished') return state.reason
  const held = state.is === 'unknown' ? state.was : state
  return held.is === 'cancelling' ? held.why : undefined
}

function stepView({ actionId, action }: Task, step: Step | undefined): JsonObject {
  return {
    action_id: actionId,
    do: action.do,
    engine: action.engine,
    backup_name: action.do === 'backup' ? action.backupName : null,
    tries: step?.tries ?? 0,
    result: step?.result ?? null,
    reason: reasonView(step?.reason),
    backup_id: step?.backup ?? null,
    stats: step?.stats ? statsView(step.stats) : null,
    item_error_count: step?.itemErrorCount ?? 0,
    started_at: iso(step?.startedAt),
    ended_at: iso(step?.endedAt),
  }
}

/** What is known of the moment; absent figures are null. */
function progressView(progress: Progress | undefined): JsonObject | null {
  if (!progress) return null
  const { step, phase, done, errors } = progress
  return {
    ...{ step, phase, done, errors },
    total: progress.total ?? null,
    files_done: progress.filesDone ?? null,
    files_total: progress.filesTotal ?? null,
    fraction: progress.fraction ?? null,
    bytes_per_second: progress.bytesPerSecond ?? null,
    seconds_left: progress.secondsLeft ?? null,
    current: progress.current ?? null,
  }
}

/** A set with its members; each tells its run's summary. */
export function setView(set: SetRecord, state: Context['state'], live: Pick<Live, 'progressOf'>): JsonObject {
  const { phase } = set
  const ended = phase.is === 'ended' ? phase : undefined
  const reason = ended?.outcome.reason ?? (phase.is === 'cancelling' ? phase.why : undefined)
  return {
    session_id: set.session,
    tag: set.tag,
    set_id: setIdOf(set.session, set.tag),
    slot: set.slot,
    admitted_at: iso(set.admittedAt),
    phase: phase.is,
    go_at: phase.is === 'started' ? iso(Math.round(phase.goAtUs / 1000) as Instant) : null,
    ended_at: iso(ended?.at),
    result: ended?.outcome.result ?? null,
    grade: ended?.outcome.grade ?? null,
    reason: reasonView(reason),
    start_skew_us: ended?.outcome.startSkewUs ?? null,
    start_error_us: ended?.outcome.startErrorUs ?? null,
    members: set.members.map((member) => ({
      job_id: member.job,
      client_id: member.client,
      run_id: member.run,
      ...memberView(state.get('run', set.project, member.run)?.value, live),
    })),
  }
}

/** A member whose run is yet to be made waits. */
function memberView(run: Run | undefined, live: Pick<Live, 'progressOf'>): JsonObject {
  const ended = run?.state.is === 'finished' ? run.state : undefined
  const stats = run?.steps.flatMap((step) => step.stats ?? []) ?? []
  return {
    state: run?.state.is ?? 'waiting',
    result: ended?.result ?? null,
    reason: run ? reasonView(reasonOf(run)) : null,
    started_at: iso(run?.startedAt),
    ended_at: iso(ended?.at),
    backup_ids: run?.steps.flatMap((step) => step.backup ?? []) ?? [],
    stats: stats.length === 0 ? null : sumOf(stats.map(statsView)),
    progress: run && !ended ? progressView(live.progressOf(run.id)) : null,
  }
}

/** Statistics of several steps as one. */
function sumOf(stats: readonly JsonObject[]): JsonObject {
  const sum = new Map<string, number>()
  for (const one of stats)
    for (const [key, value] of Object.entries(one)) sum.set(key, (sum.get(key) ?? 0) + Number(value))
  return Object.fromEntries(sum)
}

/** Without what opens it. */
export const repositoryView = (repository: Repository): JsonObject => ({
  repository_id: repository.id,
  project_id: repository.project,
  client_id: repository.client ?? null,
  engine: repository.engine,
  location: repository.location,
  engine_id: repository.engineId ?? null,
  created_at: iso(repository.createdAt),
})

/** Without its secret, which nobody knows. */
export const tokenView = (token: Token): JsonObject => ({
  token_id: token.id,
  project_id: token.project,
  user_id: token.user,
  user_name: token.userName,
  role: token.role,
  created_at: iso(token.createdAt),
  expires_at: iso(token.expiresAt),
  revoked_at: iso(token.revokedAt),
})

export const treeEntryView = (entry: TreeEntry): JsonObject => ({
  path: entry.path,
  ...some('path_base64', entry.pathBase64),
  type: entry.type,
  size: entry.size,
  mode: entry.mode,
  mtime: entry.mtime,
})
