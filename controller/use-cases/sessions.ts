import { isDeepStrictEqual } from 'node:util'
import type { JsonObject } from '../../core/action.ts'
import { Fault } from '../../core/fault.ts'
import { sessionId, type JobId, type SessionId } from '../../core/ids.ts'
import type { Job, Reported, ScheduleFields, Session } from '../../core/job.ts'
import { copiedSchedule, withJob, withoutJob } from '../plan/membership.ts'
import { checkSchedule } from '../plan/schedule.ts'
import { put, ref, unchanged, type Stored } from '../state/documents.ts'
import { scoped } from '../state/indexes.ts'
import type { Caller, Context } from './context.ts'
import type { Expectation } from './expectation.ts'
import { retryingInLine } from './in-line.ts'
import { isServerRun, mergedExtensions, withJobPlan, withSessionPlan } from './job-planning.ts'
import { documentMax, existingJob } from './jobs.ts'
import { retrying } from './retrying.ts'

/** What a document says of a session; absent: it says nothing of it. Types are checked, meaning is not. */
export interface SessionFields {
  readonly description?: string
  readonly holdOffS?: number
  /** Only at creation: later, tags count the starts. */
  readonly tag?: number
  readonly schedule?: JsonObject
  readonly firn?: JsonObject
  readonly extra?: JsonObject
  readonly event?: 'start' | 'stop' | 'abort'
}

const holdOffDefaultS = 30

/** Jobs that are changed along with their session in one transaction: two operations each, and room for the session. */
const jobsAtOnce = 50

/** Creates a session under an id of the server's. Throws Fault 'bad_request' (naming the field), 'store_down'. */
export async function createSession(
  context: Context,
  caller: Caller,
  fields: SessionFields,
): Promise<Stored<Session>> {
  const id = sessionId(context.secrets.uuid())
  return retrying(context, () => storeSession(context, caller, id, fields, undefined))
}

/** Creates a session under this id, or replaces what users may say of it. Throws as `createSession`, 'precondition_failed'. */
export async function replaceSession(
  context: Context,
  caller: Caller,
  id: SessionId,
  fields: SessionFields,
  expected?: Expectation,
): Promise<Stored<Session>> {
  const { stored, before } = await retrying(context, async () => {
    const read = context.state.get('session', caller.project, id)
    expected?.(read)
    return { stored: await storeSession(context, caller, id, fields, read), before: read?.value }
  })
  await copySchedule(context, caller, stored.value, before?.schedule)
  return stored
}

async function storeSession(
  context: Context,
  caller: Caller,
  id: SessionId,
  fields: SessionFields,
  before: Stored<Session> | undefined,
): Promise<Stored<Session>> {
  if (!fields.schedule)
    throw new Fault('bad_request', "'schedule' is a required property", { field: 'schedule' })
  const old = before?.value
  const plain = {
    id,
    project: caller.project,
    user: old?.user ?? caller.user,
    tag: old?.tag ?? Math.max(fields.tag ?? 0, lastTagOf(context, caller, id)),
    jobs: old?.jobs ?? [],
    ...(old?.lastStart === undefined ? {} : { lastStart: old.lastStart }),
    ...(old?.external ? { external: old.external } : {}),
    createdAt: old?.createdAt ?? context.clock.now(),
    version: (old?.version ?? 0) + 1,
    ...described(fields, undefined),
    ...wantedBy(fields, old),
  }
  return commitSession(context, withSessionPlan(context, plain, old), before)
}

/** Of an earlier session with this id, whose sets outlive it: their tags, and with them the runs, are taken. */
function lastTagOf(context: Context, caller: Caller, id: SessionId): number {
  let last = 0
  for (const { value } of context.state.where('set', 'session', scoped(caller.project, id)))
    last = Math.max(last, value.tag)
  return last
}

type Described = Pick<Session, 'description' | 'holdOffS' | 'schedule'> & Partial<Session>

function described(fields: SessionFields, base: Session | undefined): Described {
  const firn = mergedExtensions(base?.firn, fields.firn)
  const extra = { ...base?.extra, ...fields.extra }
  const said = {
    description: fields.description ?? base?.description ?? '',
    holdOffS: fields.holdOffS ?? base?.holdOffS ?? holdOffDefaultS,
    schedule: checkSchedule({ ...base?.schedule, ...fields.schedule }, firn),
    ...(firn ? { firn } : {}),
    ...(Object.keys(extra).length === 0 ? {} : { extra }),
  }
  // The rest is for its members, and what is said of their rounds.
  if (JSON.stringify(said).length > documentMax)
    throw new Fault('too_much', `the session has more than ${documentMax} characters`)
  return said
}

const wantedBy = ({ event }: SessionFields, base: Session | undefined): Pick<Session, 'wanted'> => ({
  wanted: event === undefined ? (base?.wanted ?? 'active') : event === 'start' ? 'active' : 'stopped',
})

/**
 * Changes what `fields` name and nothing else; `schedule` and `firn` are merged key by key. A changed schedule is copied
 * to the jobs. Throws Fault 'not_found', 'bad_request', 'precondition_failed', 'stale_write', 'store_down'.
 */
export async function patchSession(
  context: Context,
  caller: Caller,
  id: SessionId,
  fields: SessionFields,
  expected?: Expectation,
): Promise<Stored<Session>> {
  const { stored, before } = await retrying(context, async () => {
    const read = existingSession(context, caller, id)
    expected?.(read)
    const { firn: _firn, extra: _extra, ...kept } = read.value
    const changed = { ...kept, ...described(fields, read.value), ...wantedBy(fields, read.value) }
    const session = withSessionPlan(context, { ...changed, version: read.value.version + 1 }, read.value)
    return { stored: await commitSession(context, session, read), before: read.value }
  })
  if (!isDeepStrictEqual(stored.value.schedule, before.schedule))
    await copySchedule(context, caller, stored.value, before.schedule)
  return stored
}

/** The copy is what Freezer's clients see; jobs of a session never fire by it, so it needs no common transaction. */
async function copySchedule(
  context: Context,
  caller: Caller,
  session: Session,
  old: ScheduleFields | undefined,
): Promise<void> {
  for (let from = 0; from < session.jobs.length; from += jobsAtOnce)
    await retrying(context, async () => {
      const jobs = session.jobs
        .slice(from, from + jobsAtOnce)
        .map((id) => context.state.get('job', caller.project, id))
        .filter((job) => job !== undefined)
      await context.state.commit({
        requires: jobs.map((job) => unchanged('job', caller.project, job.value.id, job)),
        puts: jobs.map(({ value }) =>
          put('job', caller.project, value.id, {
            ...value,
            schedule: copiedSchedule(value, session, context.clock.now(), old),
            version: value.version + 1,
          }),
        ),
      })
    })
}

/**
 * Deletes a session: each of its jobs leaves it first, as by `removeJobFromSession`. Throws Fault 'not_found',
 * 'precondition_failed' (before anything is changed), 'store_down'; done again it goes on where it was interrupted.
 */
export async function removeSession(
  context: Context,
  caller: Caller,
  id: SessionId,
  expected?: Expectation,
): Promise<void> {
  const { state } = context
  let hasBegun = false
  for (let left = Infinity; left > 0; hasBegun = true)
    left = await retrying(context, async () => {
      const session = existingSession(context, caller, id)
      if (!hasBegun) expected?.(session)
      const leaving = session.value.jobs.slice(0, jobsAtOnce)
      const staying = session.value.jobs.slice(jobsAtOnce)
      const jobs = leaving
        .map((job) => state.get('job', caller.project, job))
        .filter((job) => job !== undefined)
      const shrunk = { ...session.value, jobs: staying, version: session.value.version + 1 }
      const { plan: _, ...plain } = shrunk
      await state.commit({
        requires: [
          unchanged('session', caller.project, id, session),
          ...jobs.map((job) => unchanged('job', caller.project, job.value.id, job)),
        ],
        puts: [
          ...jobs.map(({ value }) => put('job', caller.project, value.id, afterLeaving(context, value))),
          ...(staying.length > 0
            ? [put('session', caller.project, id, withSessionPlan(context, plain, session.value))]
            : []),
        ],
        deletes: staying.length > 0 ? [] : [ref('session', caller.project, id)],
      })
      return staying.length
    })
}

/**
 * Makes a job a member, and no member of any other session: one transaction. It gets the session's tag and schedule, and
 * no longer fires by itself. Throws Fault 'not_found', 'stale_write', 'store_down'.
 */
export async function addJobToSession(
  context: Context,
  caller: Caller,
  id: SessionId,
  job: JobId,
): Promise<void> {
  const { state } = context
  const { project } = caller
  await retryingInLine(context, caller, id, async () => {
    const session = existingSession(context, caller, id)
    const member = existingJob(context, caller, job)
    if (member.value.session === id && session.value.jobs.includes(job)) return
    const other = member.value.session === id ? undefined : member.value.session
    const left = other && state.get('session', project, other)
    const joined = withJob(session.value, member.value, isServerRun(context, member.value))
    await state.commit({
      requires: [
        unchanged('session', project, id, session),
        unchanged('job', project, job, member),
        ...(left ? [unchanged('session', project, left.value.id, left)] : []),
      ],
      puts: [
        put('session', project, id, withSessionPlan(context, joined, session.value)),
        put('job', project, job, afterJoining(context, member.value, session.value)),
        ...(left
          ? [
              put(
                'session',
                project,
                left.value.id,
                withSessionPlan(context, withoutJob(left.value, job), left.value),
              ),
            ]
          : []),
      ],
    })
  })
}

/**
 * Takes a job out and stops it, in one transaction; a job that is no member is left alone. Throws Fault 'not_found',
 * 'stale_write', 'store_down'.
 */
export async function removeJobFromSession(
  context: Context,
  caller: Caller,
  id: SessionId,
  job: JobId,
): Promise<void> {
  await retryingInLine(context, caller, id, async () => {
    const session = existingSession(context, caller, id)
    const member = existingJob(context, caller, job)
    if (!session.value.jobs.includes(job)) return
    await context.state.commit({
      requires: [
        unchanged('session', caller.project, id, session),
        unchanged('job', caller.project, job, member),
      ],
      puts: [
        put(
          'session',
          caller.project,
          id,
          withSessionPlan(context, withoutJob(session.value, job), session.value),
        ),
        put('job', caller.project, job, afterLeaving(context, member.value)),
      ],
    })
  })
}

function afterJoining(context: Context, job: Job, session: Session): Job {
  const joined = {
    ...job,
    session: session.id,
    sessionTag: session.tag,
    schedule: copiedSchedule(job, session, context.clock.now()),
    version: job.version + 1,
  }
  return withJobPlan(context, joined, job)
}

function afterLeaving(context: Context, job: Job): Job {
  const { session: _, ...alone } = job
  const wanted = job.wanted === 'cancelled' ? job.wanted : 'stopped'
  const left = { ...alone, wanted, sessionTag: 0, version: job.version + 1 } as const
  if (isServerRun(context, job)) return withJobPlan(context, left, job)
  const reported: Reported = {
    ...(job.reported ?? { status: '', result: '', timeStarted: -1, timeEnded: -1 }),
    event: 'stop',
  }
  return withJobPlan(context, { ...left, reported }, job)
}

/** The caller's session. Throws Fault('not_found') for another project's, too. */
export function existingSession(
  { state }: Pick<Context, 'state'>,
  { project }: Caller,
  id: SessionId,
): Stored<Session> {
  const session = state.get('session', project, id)
  if (!session) throw new Fault('not_found', `no session ${id}`)
  return session
}

/** Stores a session as it was decided on. Throws Fault 'stale_write', 'store_down'. */
export async function commitSession(
  { state }: Context,
  session: Session,
  before: Stored<Session> | undefined,
): Promise<Stored<Session>> {
  const { project, id } = session
  const revision = await state.commit({
    requires: [unchanged('session', project, id, before)],
    puts: [put('session', project, id, session)],
  })
  return { value: session, revision }
}
