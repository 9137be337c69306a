import type { JsonObject } from '../../core/action.ts'
import type { Instant } from '../../core/clock.ts'
import type { Job } from '../../core/job.ts'
import type { Run } from '../../core/run.ts'
import { isServerRun } from '../../controller/use-cases/job-planning.ts'
import { Unfinished } from '../../controller/use-cases/unfinished.ts'
import { some } from '../fields.ts'
import { holds, notCompleted, type Pair } from './search.ts'
import { resultOf, secondsOf, type Seen } from './shown.ts'

/*
 * How a job stands, in the words of Freezer's `job_schedule`. Where the servers run it, that follows from its runs and its plan;
 * elsewhere it is what its own scheduler says.
 */

/** The fields of `job_schedule` that are not the trigger's. */
export const standingOf = (seen: Seen, job: Job): JsonObject =>
  isServerRun(seen, job) ? standingOfRuns(seen, job) : reportOf(job)

/** Only the status: the poll of every scheduler asks for it, of thousands of jobs. */
export function statusOf(seen: Seen, job: Job): string {
  if (!isServerRun(seen, job)) return job.reported?.status ?? ''
  const open = openRunOf(seen, job)
  return open ? busyStatus([open]) : restingStatus(job, seen.recent.lastOf(job.project, job.id)?.value)
}

/** Jobs that a search for what is not over finds. What a saved action holds is not looked at: those are looked into when found. */
export const unfinishedJobs = (seen: Seen): Unfinished =>
  new Unfinished(
    seen.state,
    (job) => statusOf(seen, job) === notCompleted.value || standsOpen(job, notCompleted),
  )

/** Whether a pair stands in what users may write as they like. */
export const standsOpen = ({ actions, schedule, firn }: Job, pair: Pair): boolean =>
  actions.some(({ freezer, extra }) => holds(freezer, pair) || (extra !== undefined && holds(extra, pair))) ||
  holds(schedule as JsonObject, pair) ||
  (firn !== undefined && holds(firn, pair))

/** What a scheduler of its own says; before it has said anything, nothing has happened. */
function reportOf({ reported, createdAt }: Job): JsonObject {
  return {
    time_created: reported?.timeCreated ?? secondsOf(createdAt),
    time_started: reported?.timeStarted ?? -1,
    time_ended: reported?.timeEnded ?? -1,
    status: reported?.status ?? '',
    event: reported?.event ?? '',
    result: reported?.result ?? '',
    ...some('current_pid', reported?.currentPid),
  }
}

/** The open run says, else the last finished one and the plan. A job of many clients stands as all runs of its newest slot do. */
function standingOfRuns(seen: Seen, job: Job): JsonObject {
  const open = openRunOf(seen, job)
  const last = seen.recent.lastOf(job.project, job.id)?.value
  const newest = open ?? last
  const shown = newest && job.selector ? runsOfSlot(seen, newest) : newest ? [newest] : []
  const results = shown.flatMap((run) => (run.state.is === 'finished' ? [run.state.result] : []))
  const isOver = results.length === shown.length
  return {
    time_created: secondsOf(job.createdAt),
    time_started: secondsOf(least(shown.flatMap((run) => run.startedAt ?? []))),
    time_ended: isOver ? secondsOf(greatest(shown.flatMap((run) => endOf(run) ?? []))) : -1,
    status: isOver ? restingStatus(job, last) : busyStatus(shown),
    event: '',
    result: isOver && shown.length > 0 ? resultOf(results) : '',
  }
}

const busyStatus = (runs: readonly Run[]): string =>
  runs.some((run) => run.state.is === 'cancelling') ? 'aborting' : 'running'

function restingStatus(job: Job, last: Run | undefined): string {
  if (job.wanted !== 'active') return hasRunSince(job, last) ? 'completed' : 'stop'
  if (job.plan.making) return 'running'
  if (job.plan.next !== undefined) return 'scheduled'
  return last ? 'completed' : ''
}

/** A run that was under way when its job was stopped went on to its end: then the job is over, not stopped. */
const hasRunSince = ({ stoppedAt }: Job, last: Run | undefined): boolean =>
  stoppedAt !== undefined && (endOf(last) ?? -1) >= stoppedAt

/** When a run ended, if it has. */
export const endOf = (run: Run | undefined): Instant | undefined =>
  run?.state.is === 'finished' ? run.state.at : undefined

/** The newest run of a job that has not ended. */
export function openRunOf({ state }: Seen, job: Job): Run | undefined {
  let newest: Run | undefined
  for (const { value } of state.where('run', 'openOfJob', `${job.project}/${job.id}`))
    if (value.purpose === 'job') newest = value
  return newest
}

/** All runs of a job for one slot: one for each client that matched. */
function runsOfSlot({ state }: Seen, one: Run): Run[] {
  const runs: Run[] = []
  for (const { value } of state.where('run', 'job', `${one.project}/${one.job}`))
    if (value.slot === one.slot && value.purpose === 'job') runs.push(value)
  return runs
}

// Not by spreading into Math.min: there may be more of them than a call has arguments.
const least = (instants: readonly Instant[]): Instant | undefined =>
  instants.reduce<Instant | undefined>((a, b) => (a === undefined || b < a ? b : a), undefined)
const greatest = (instants: readonly Instant[]): Instant | undefined =>
  instants.reduce<Instant | undefined>((a, b) => (a === undefined || b > a ? b : a), undefined)
