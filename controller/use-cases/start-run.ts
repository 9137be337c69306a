import type { FunctionCall } from '../../core/action.ts'
import { Fault } from '../../core/fault.ts'
import { runIdOf, userSlot, type ClientId, type JobId, type Slot, type UserId } from '../../core/ids.ts'
import type { Job } from '../../core/job.ts'
import type { Reason, Run } from '../../core/run.ts'
import { isEnrolled, matches } from '../../core/select.ts'
import type { Stored } from '../state/documents.ts'
import type { Caller, Context } from './context.ts'
import { movedTo, startOf } from './functions.ts'
import { creating, newRun, type RunRequest } from './new-run.ts'
import { retrying } from './retrying.ts'

/**
 * Runs that go into one transaction. Each may bring a repository with it, and each of both is required to be absent: within
 * etcd's 128 operations.
 */
export const runsAtOnce = 25

/**
 * Starts a job now: one run for its client, or for each client that its selector matches. The user's key makes it one slot:
 * asked again, the same runs come back. Throws Fault 'not_found', 'conflict' (no enrolled client), 'bad_request' or 'store_down'.
 */
export async function startRun(
  context: Context,
  caller: Caller,
  input: { readonly job: JobId; readonly client?: ClientId; readonly key: string },
): Promise<Stored<Run>[]> {
  const slot = userSlot(caller.user, input.key)
  const job = context.state.get('job', caller.project, input.job)?.value
  if (!job) throw new Fault('not_found', `no job ${input.job}`)
  const { requests } = requestsOf(context, job, slot, caller.user)
  const wanted = requests.filter(({ client }) => input.client === undefined || client === input.client)
  if (wanted.length === 0) throw noClient(job, input.client)
  const runs: Stored<Run>[] = []
  for (let from = 0; from < wanted.length; from += runsAtOnce)
    runs.push(...(await createRuns(context, wanted.slice(from, from + runsAtOnce))))
  return runs
}

/** What makes a run of a job: of a function, too, and of one that cannot be called. */
export interface StartRequest extends RunRequest {
  readonly function?: FunctionCall
  /** It cannot be done: the run is made all the same, and ends `failed` at once. */
  readonly failure?: Reason
}

/**
 * One request for each client that a job runs on now, or of `some` of them, and the job as it is then: its function may have moved
 * to another client. A function that cannot be called fails once, wherever it was to run. `startMs`: as of a `RunRequest`.
 */
export function requestsOf(
  context: Pick<Context, 'state'>,
  job: Job,
  slot: Slot,
  user: UserId,
  startMs?: number,
  some?: readonly ClientId[],
): { readonly job: Job; readonly requests: StartRequest[] } {
  const { actions, place, ...what } = startOf(context, job)
  const moved = movedTo(job, place)
  const clients = some ?? clientsOf(context, moved)
  const on = what.failure ? [clients[0] ?? moved.client].filter((client) => client !== undefined) : clients
  const { project } = job
  const start = startMs === undefined ? {} : { startMs }
  return {
    job: moved,
    requests: on.map((client) => ({
      project,
      user,
      job: job.id,
      client,
      slot,
      actions,
      ...start,
      ...what,
    })),
  }
}

/** A run that is not stored yet, as `newRun` makes it, with what was called. */
export function runOf(context: Context, request: StartRequest): ReturnType<typeof newRun> {
  const { function: call, failure, ...rest } = request
  const { run, repositories } = newRun(context, rest)
  const called = call ? { ...run, function: call } : run
  if (!failure) return { run: called, repositories }
  const at = context.clock.now()
  const state: Run['state'] = { is: 'finished', attempt: 1, result: 'failed', at, reason: failure }
  return { run: { ...called, state }, repositories }
}

/** The clients that a job runs on now: those with an enrolled agent. */
export function clientsOf(
  context: Pick<Context, 'state'>,
  job: Pick<Job, 'project' | 'client' | 'selector'>,
): ClientId[] {
  const { state } = context
  const { selector } = job
  if (!selector) {
    const client = job.client === undefined ? undefined : state.get('client', job.project, job.client)?.value
    return client && isEnrolled(client) ? [client.id] : []
  }
  const found: ClientId[] = []
  for (const { value } of state.of('client', job.project))
    if (isEnrolled(value) && matches(value, selector)) found.push(value.id)
  return found
}

function noClient(job: Job, asked: ClientId | undefined): Fault {
  if (asked !== undefined)
    return new Fault('conflict', `job ${job.id} does not run on ${asked}`, { field: 'client_id' })
  const where =
    job.client === undefined
      ? 'no enrolled client matches its selector'
      : `${job.client} has no enrolled agent`
  return new Fault('conflict', `job ${job.id} cannot start: ${where}`)
}

/**
 * Creates runs that do not exist; those that do come back as they are, and so do those of a job that another request
 * created meanwhile. At most `runsAtOnce` requests. Throws Fault 'stale_write', 'store_down'.
 */
export async function createRuns(
  context: Context,
  requests: readonly StartRequest[],
): Promise<Stored<Run>[]> {
  // Somebody else may make one of them, or their repository, meanwhile.
  await retrying(context, async () => {
    const missing = missingOf(context, requests)
    if (missing.length > 0)
      await context.state.commit(creating(missing.map((request) => runOf(context, request))))
  })
  return requests.flatMap((request) => storedFor(context, request) ?? [])
}

/** Those of which there is no run yet. */
export const missingOf = <R extends RunKey>(context: Pick<Context, 'state'>, requests: readonly R[]): R[] =>
  requests.filter((request) => !storedFor(context, request))

/** What a run's id is made of. */
type RunKey = Pick<RunRequest, 'project' | 'job' | 'client' | 'slot'>

const storedFor = (
  { state }: Pick<Context, 'state'>,
  { project, job, client, slot }: RunKey,
): Stored<Run> | undefined => state.get('run', project, runIdOf(project, job, client, slot))
