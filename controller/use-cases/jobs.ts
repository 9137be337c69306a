import { isDeepStrictEqual } from 'node:util'
import type { JobAction, JsonObject } from '../../core/action.ts'
import { Fault, badField } from '../../core/fault.ts'
import type { Instant } from '../../core/clock.ts'
import { jobId, type ClientId, type JobId, type ProjectId, type SessionId } from '../../core/ids.ts'
import type { Job, Reported, Session } from '../../core/job.ts'
import { copiedSchedule, withJob, withoutJob } from '../plan/membership.ts'
import { checkSchedule } from '../plan/schedule.ts'
import { put, ref, unchanged, type Put, type Stored, type Transaction } from '../state/documents.ts'
import type { Caller, Context } from './context.ts'
import type { Expectation } from './expectation.ts'
import { actionsOf } from './functions.ts'
import { takeActions, type JobEntry } from './job-actions.ts'
import { retryingInLine } from './in-line.ts'
import {
  isServerRun,
  mergedExtensions,
  selectorOf,
  withFirstPlan,
  withJobPlan,
  withSessionPlan,
} from './job-planning.ts'
import { retrying } from './retrying.ts'

/** What a document says of a job; absent: it says nothing of it. Types are checked, meaning is not. */
export interface JobFields {
  readonly client?: ClientId
  readonly description?: string
  /** The trigger fields of `job_schedule`, as sent. */
  readonly schedule?: JsonObject
  /** The other fields of `job_schedule`. */
  readonly reported?: Partial<Reported>
  readonly actions?: readonly JobEntry[]
  readonly session?: SessionId
  readonly sessionTag?: number
  readonly sessionName?: string
  readonly firn?: JsonObject
}

/** A stored document may have this many characters: two of them and more have to fit into one request to etcd. */
export const documentMax = 256 * 1024

const nothingReported: Reported = { status: '', result: '', event: '', timeStarted: -1, timeEnded: -1 }

/** Creates a job under an id of the server's. Throws Fault 'bad_request' (naming the field), 'store_down'. */
export async function createJob(context: Context, caller: Caller, fields: JobFields): Promise<Stored<Job>> {
  const id = jobId(context.secrets.uuid())
  const timeCreated = Math.floor(context.clock.now() / 1000)
  const reported = { ...fields.reported, timeCreated, timeStarted: -1, timeEnded: -1 }
  const store = () => storeJob(context, caller, id, { ...fields, reported }, undefined)
  const { session } = fields
  return session === undefined ? retrying(context, store) : retryingInLine(context, caller, session, store)
}

/** Creates a job under this id, or replaces the one that has it. Throws as `createJob`, and 'precondition_failed'. */
export async function replaceJob(
  context: Context,
  caller: Caller,
  id: JobId,
  fields: JobFields,
  expected?: Expectation,
): Promise<Stored<Job>> {
  return retrying(context, async () => {
    const before = context.state.get('job', caller.project, id)
    expected?.(before)
    return storeJob(context, caller, id, fields, before)
  })
}

/** Everything that a document decides about a job by itself, whole or as a change to `base`. */
function described(
  fields: JobFields,
  base: Job | undefined,
): Pick<Job, 'description' | 'schedule'> & Partial<Job> {
  const firn = mergedExtensions(base?.firn, fields.firn)
  const selector = selectorOf(firn)
  const client = fields.client ?? base?.client
  if (client === undefined && !selector)
    throw new Fault('bad_request', "'client_id' is a required property", { field: 'client_id' })
  const sessionName = fields.sessionName ?? base?.sessionName
  return {
    ...(client === undefined ? {} : { client }),
    ...(selector ? { selector } : {}),
    description: fields.description ?? base?.description ?? '',
    schedule: checkSchedule({ ...base?.schedule, ...fields.schedule }, firn),
    ...(firn ? { firn } : {}),
    ...(sessionName === undefined ? {} : { sessionName }),
  }
}

async function storeJob(
  context: Context,
  caller: Caller,
  id: JobId,
  fields: JobFields,
  before: Stored<Job> | undefined,
): Promise<Stored<Job>> {
  if (!fields.actions)
    throw new Fault('bad_request', "'job_actions' is a required property", { field: 'job_actions' })
  const { project, user } = caller
  const known = before ? actionsOf(context, before.value) : []
  const taken = takeActions(context, caller, fields.actions, known)
  const isCall = before?.value.function !== undefined && isSameActions(taken, known)
  const { actions, puts, requires } = isCall ? { ...taken, actions: [] } : taken
  const session = before ? before.value.session : fields.session
  const now = context.clock.now()
  const plain = {
    ...described(fields, undefined),
    id,
    project,
    user: before?.value.user ?? user,
    actions,
    ...(isCall ? callIn(before.value) : {}),
    sessionTag: before?.value.sessionTag ?? fields.sessionTag ?? 0,
    ...(session === undefined ? {} : { session }),
    ...(before ? standingIn(before.value) : firstStanding(fields, now)),
    createdAt: before?.value.createdAt ?? now,
    version: (before?.value.version ?? 0) + 1,
  } as const
  const reporting = withReport(context, plain, fields.reported, undefined)
  if (before)
    return commitJob(context, withJobPlan(context, reporting, before.value), before, { puts, requires })
  const joined = session === undefined ? undefined : sessionToJoin(context, project, session)
  const placed = joined
    ? {
        ...reporting,
        sessionTag: joined.value.tag,
        schedule: copiedSchedule(reporting, joined.value, now),
      }
    : reporting
  const job = withFirstPlan(context, placed, fields.reported)
  const grown = joined ? [grownBy(context, joined.value, job)] : []
  return commitJob(context, job, undefined, {
    puts: [...puts, ...grown.map((value) => put('session', project, value.id, value))],
    requires: [...requires, ...(joined ? [unchanged('session', project, joined.value.id, joined)] : [])],
  })
}

type StandingOf = Pick<Job, 'wanted' | 'stoppedAt'>

const standingIn = ({ wanted, stoppedAt }: Job): StandingOf => ({
  wanted,
  ...(stoppedAt === undefined ? {} : { stoppedAt }),
})

/** Created with the event stop, or with abort, which is the same for what does not run, a job is created stopped. */
const firstStanding = ({ reported }: JobFields, now: Instant): StandingOf =>
  ['stop', 'abort'].includes(reported?.event ?? '')
    ? { wanted: 'stopped', stoppedAt: now }
    : { wanted: 'active' }

/** Whether a document's actions say no more than is known. */
const isSameActions = (taken: ReturnType<typeof takeActions>, known: readonly JobAction[]): boolean =>
  taken.puts.length === 0 &&
  isDeepStrictEqual(
    taken.actions.map(({ actionId }) => actionId),
    known.map(({ actionId }) => actionId),
  )

/** What makes a job one that calls a saved action. */
function callIn({ function: call, named, first }: Job): Pick<Job, 'function' | 'named' | 'first'> {
  return {
    ...(call ? { function: call } : {}),
    ...(named ? { named } : {}),
    ...(first === undefined ? {} : { first }),
  }
}

/**
 * The actions that a change leaves a job with. One that calls a saved action has none of its own: a document that shows that
 * action may come back, another is refused. Throws Fault('bad_request').
 */
function changedActions(
  context: Context,
  caller: Caller,
  job: Job,
  entries: readonly JobEntry[] | undefined,
): ReturnType<typeof takeActions> {
  if (!entries) return { actions: job.actions, puts: [], requires: [] }
  const known = actionsOf(context, job)
  const taken = takeActions(context, caller, entries, known)
  if (!job.function) return taken
  if (isSameActions(taken, known)) return { ...taken, actions: [] }
  throw badField('job_actions', 'this job calls a saved action: change that, or make a job with its own')
}

/** A job that is created with a session_id is a member from its first moment. Throws Fault('bad_request'). */
function sessionToJoin({ state }: Context, project: ProjectId, id: SessionId): Stored<Session> {
  const session = state.get('session', project, id)
  if (!session) throw badField('session_id', `'${id}' is no session`)
  return session
}

/** The session with a job that is about to be stored. */
function grownBy(context: Context, session: Session, job: Job): Session {
  const gained = isServerRun(context, job)
  return withSessionPlan(context, withJob(session, job, gained), session, { gained })
}

/**
 * Changes what `fields` name and nothing else; `schedule` and `firn` are merged key by key, `actions` replaced whole.
 * Throws Fault 'not_found', 'bad_request', 'precondition_failed', 'stale_write', 'store_down'.
 */
export async function patchJob(
  context: Context,
  caller: Caller,
  id: JobId,
  fields: JobFields,
  expected?: Expectation,
): Promise<Stored<Job>> {
  return retrying(context, async () => {
    const before = existingJob(context, caller, id)
    expected?.(before)
    const { actions, puts, requires } = changedActions(context, caller, before.value, fields.actions)
    const { client: _client, selector: _selector, firn: _firn, ...kept } = before.value
    const plain = { ...kept, ...described(fields, before.value), actions, version: before.value.version + 1 }
    // The tag of a member that the servers run is the session's; other schedulers keep theirs here.
    const tagged =
      fields.sessionTag !== undefined && !isServerRun(context, plain)
        ? { ...plain, sessionTag: fields.sessionTag }
        : plain
    const reporting = withReport(context, tagged, fields.reported, before.value.reported)
    const job = withJobPlan(context, reporting, before.value)
    return commitJob(context, job, before, { puts, requires })
  })
}

/**
 * Deletes a job; it leaves its session. Its runs go on and stay listed. Throws Fault 'not_found', 'precondition_failed',
 * 'store_down'.
 */
export async function removeJob(
  context: Context,
  caller: Caller,
  id: JobId,
  expected?: Expectation,
): Promise<void> {
  const { state } = context
  const { project } = caller
  await retrying(context, async () => {
    const before = existingJob(context, caller, id)
    expected?.(before)
    const session = before.value.session && state.get('session', project, before.value.session)
    const left = session && withoutJob(session.value, id)
    await state.commit({
      requires: [
        unchanged('job', project, id, before),
        ...(session ? [unchanged('session', project, session.value.id, session)] : []),
      ],
      puts:
        session && left
          ? [put('session', project, left.id, withSessionPlan(context, left, session.value))]
          : [],
      deletes: [ref('job', project, id)],
    })
  })
}

/** The caller's job. Throws Fault('not_found') for another project's, too. */
export function existingJob({ state }: Pick<Context, 'state'>, { project }: Caller, id: JobId): Stored<Job> {
  const job = state.get('job', project, id)
  if (!job) throw new Fault('not_found', `no job ${id}`)
  return job
}

/** A scheduler's own words are kept only for clients that the servers do not run. */
export function withReport<J extends Omit<Job, 'plan'>>(
  context: Pick<Context, 'state'>,
  job: J,
  sent: Partial<Reported> | undefined,
  before: Reported | undefined,
): J {
  if (isServerRun(context, job)) return before ? { ...job, reported: before } : job
  return { ...job, reported: { ...nothingReported, ...before, ...sent } }
}

/** Stores a job as it was decided on, with what goes along; the client must still be what the decision was based on. */
export async function commitJob(
  { state, clock }: Context,
  decided: Job,
  before: Stored<Job> | undefined,
  along: { readonly puts: readonly Put[]; readonly requires: Transaction['requires'] },
): Promise<Stored<Job>> {
  const now = clock.now()
  const job = before ? { ...decided, updatedAt: now, changedAt: now } : decided
  const { project, id, client } = job
  if (JSON.stringify(job).length > documentMax)
    throw new Fault('too_much', `the job has more than ${documentMax} characters`)
  const revision = await state.commit({
    requires: [
      unchanged('job', project, id, before),
      ...(client === undefined
        ? []
        : [unchanged('client', project, client, state.get('client', project, client))]),
      ...along.requires,
    ],
    puts: [put('job', project, id, job), ...along.puts],
  })
  return { value: job, revision }
}
