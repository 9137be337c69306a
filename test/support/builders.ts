// Domain values for tests: each builder gives a plain, valid one, and takes what the test is about.
import type { Action, JobAction } from '../../core/action.ts'
import type { Backup, Client } from '../../core/catalogue.ts'
import { instant, later, type Instant } from '../../core/clock.ts'
import {
  runIdOf,
  slotAt,
  type ActionId,
  type BackupId,
  type ClientId,
  type JobId,
  type ProjectId,
  type RepositoryId,
  type RunId,
  type SessionId,
  type UserId,
} from '../../core/ids.ts'
import type { Job, Session } from '../../core/job.ts'
import type {
  HeldState,
  Reason,
  Report,
  Result,
  Run,
  RunState,
  Started,
  StepReport,
  Task,
} from '../../core/run.ts'
import type { Member, SetRecord } from '../../core/set.ts'

/** `2027-01-31T02:00Z` as an instant. */
export const at = (text: string): Instant => instant(Date.parse(text))

/** When the tests of one moment play. */
export const noon = at('2027-01-15T12:00Z')

export const project = 'p1' as ProjectId
export const user = 'u-alice' as UserId
export const hourMs = 3_600_000

export const why: Reason = { code: 'cancelled', text: 'somebody asked for it' }
export const trouble: Reason = { code: 'no_space', text: 'the disk is full' }

export const aBackupAction = (over: Partial<Extract<Action, { do: 'backup' }>> = {}): Action => ({
  do: 'backup',
  engine: 'restic',
  backupName: 'etc',
  paths: ['/etc'],
  excludes: [],
  oneFileSystem: false,
  onUnreadable: 'partial',
  levels: { noIncremental: false },
  repository: { is: 'default' },
  limits: {},
  ...over,
})

export const anExecAction = (): Action => ({
  do: 'exec',
  engine: 'exec',
  commands: [['true']],
  timeLimitMs: hourMs,
  limits: {},
})

/** A backup that is tried once and waits 60 s before it is tried again. */
export const aTask = (over: Partial<Task> = {}): Task => ({
  actionId: 'a1' as ActionId,
  action: aBackupAction(),
  maxRetries: 0,
  retryAfterMs: 60_000,
  mandatory: false,
  repository: 'r1' as RepositoryId,
  level: 0,
  ...over,
})

/** The states of a run at `noon`, attempt 1. */
export const states = {
  waiting: (over: Partial<Extract<RunState, { is: 'waiting' }>> = {}): RunState => ({
    is: 'waiting',
    attempt: 1,
    from: noon,
    by: later(noon, hourMs),
    ...over,
  }),
  offered: (over: Partial<Extract<HeldState, { is: 'offered' }>> = {}): HeldState => ({
    is: 'offered',
    attempt: 1,
    at: noon,
    by: later(noon, hourMs),
    ...over,
  }),
  armed: (over: Partial<Extract<HeldState, { is: 'armed' }>> = {}): HeldState => ({
    is: 'armed',
    attempt: 1,
    at: noon,
    by: later(noon, 60_000),
    ...over,
  }),
  running: (over: Partial<Extract<HeldState, { is: 'running' }>> = {}): HeldState => ({
    is: 'running',
    attempt: 1,
    since: noon,
    by: later(noon, 2 * hourMs),
    ...over,
  }),
  cancelling: (over: Partial<Extract<HeldState, { is: 'cancelling' }>> = {}): HeldState => ({
    is: 'cancelling',
    attempt: 1,
    why,
    by: later(noon, 60_000),
    ...over,
  }),
  unknown: (was: HeldState): RunState => ({
    is: 'unknown',
    attempt: was.attempt,
    since: noon,
    by: later(noon, 24 * hourMs),
    was,
  }),
  finished: (result: Result, reason?: Reason): RunState => ({
    is: 'finished',
    attempt: 1,
    result,
    at: noon,
    ...(reason ? { reason } : {}),
  }),
}

/** A run of job j1 on node1 for the slot at `noon`, waiting, with one backup to do. */
export function aRun(over: Partial<Run> = {}): Run {
  const tasks = over.tasks ?? [aTask()]
  const job = over.job ?? ('j1' as JobId)
  const client = over.client ?? ('node1' as ClientId)
  const slot = over.slot ?? slotAt(noon)
  return {
    id: runIdOf(over.project ?? project, job, client, slot),
    project,
    user,
    job,
    client,
    slot,
    purpose: 'job',
    createdAt: noon,
    tasks,
    steps: tasks.map(() => ({ tries: 0 })),
    limits: { runMs: 2 * hourMs, startMs: hourMs },
    state: states.waiting(),
    ...over,
  }
}

/** How one step of an attempt went. A backup that saved something says so with `saved`. */
export const aStepReport = (
  step: number,
  result: Result = 'success',
  over: Partial<StepReport> = {},
): StepReport => ({
  step,
  result,
  itemErrors: [],
  itemErrorCount: 0,
  startedAt: noon,
  endedAt: later(noon, 1_000),
  ...(result === 'success' ? {} : { reason: trouble }),
  ...over,
})

export const saved = { engineRef: 'snapshot-1', engineVersion: 'restic 0.18.0', paths: ['/etc'] } as const

/** What the run's agent says at the end of its attempt; of attempt 1 when the run is in none. */
export const aReport = (run: Run, over: Partial<Report> = {}): Report => ({
  run: run.id,
  attempt: run.state.is === 'finished' ? 1 : run.state.attempt,
  client: run.client,
  steps: [],
  end: 'ended',
  at: noon,
  ...over,
})

/** A start measured at `noon` plus `us` microseconds. */
export const aStart = (us = 0, errorUs = 100): Started => ({
  at: later(noon, us / 1_000),
  atUs: noon * 1_000 + us,
  errorUs,
})

export const aMember = (name: string): Member => ({
  job: `job-${name}` as JobId,
  client: name as ClientId,
  run: `run-${name}` as RunId,
})

/** The start with tag 1 of session s1, preparing for a minute from `noon`. */
export const aSet = (over: Partial<SetRecord> = {}): SetRecord => ({
  session: 's1' as SessionId,
  tag: 1,
  project,
  user,
  slot: slotAt(noon),
  admittedAt: noon,
  members: [aMember('a'), aMember('b')],
  missing: 'abort',
  phase: { is: 'preparing', by: later(noon, 60_000) },
  ...over,
})

export const aJobAction = (over: Partial<JobAction> = {}): JobAction => ({
  actionId: 'a1' as ActionId,
  maxRetries: 0,
  maxRetriesIntervalS: 60,
  mandatory: false,
  freezer: { action: 'backup', path_to_backup: '/etc', backup_name: 'etc' },
  ...over,
})

export const aJob = (over: Partial<Job> = {}): Job => ({
  id: 'j1' as JobId,
  project,
  user,
  client: 'node1' as ClientId,
  description: '',
  schedule: {},
  actions: [aJobAction()],
  sessionTag: 0,
  wanted: 'active',
  plan: { generation: 1 },
  createdAt: noon,
  version: 1,
  ...over,
})

export const aSession = (over: Partial<Session> = {}): Session => ({
  id: 's1' as SessionId,
  project,
  user,
  description: '',
  holdOffS: 30,
  tag: 0,
  schedule: {},
  jobs: [],
  wanted: 'active',
  plan: { generation: 1 },
  createdAt: noon,
  version: 1,
  ...over,
})

/** A client with an enrolled agent that has not connected yet. */
export const aClient = (over: Partial<Client> = {}): Client => ({
  id: 'node1' as ClientId,
  project,
  user,
  hostname: 'node1',
  description: '',
  uuid: '67ff37a8625d468d88e835d82394e537',
  enrolled: { at: noon, fingerprint: 'ab'.repeat(32) },
  labels: {},
  line: { is: 'never' },
  createdAt: noon,
  ...over,
})

export const aBackup = (over: Partial<Backup> = {}): Backup => ({
  id: 'b1' as BackupId,
  project,
  user,
  job: 'j1' as JobId,
  client: 'node1' as ClientId,
  run: 'run-1' as RunId,
  step: 0,
  backupName: 'etc',
  engine: 'restic',
  engineRef: 'snapshot-1',
  engineVersion: 'restic 0.18.0',
  repository: 'r1' as RepositoryId,
  paths: ['/etc'],
  level: 0,
  result: 'success',
  startedAt: noon,
  endedAt: later(noon, 1_000),
  itemErrorCount: 0,
  ...over,
})
