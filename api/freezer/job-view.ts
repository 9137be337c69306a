import type { JobAction, JsonObject } from '../../core/action.ts'
import type { Job } from '../../core/job.ts'
import { actionsOf } from '../../controller/use-cases/functions.ts'
import { isServerRun } from '../../controller/use-cases/job-planning.ts'
import { masked } from '../../controller/use-cases/secret-fields.ts'
import { some } from '../fields.ts'
import { problemOf } from './problems.ts'
import { ownerOf, type Seen, type Version } from './shown.ts'
import { standingOf } from './standing.ts'

/** A job as Freezer shows it; one that calls a saved action with that action, as it is now. */
export const jobView = (seen: Seen, job: Job, version: Version): JsonObject =>
  viewWith(seen, job, version, (action) => entryView(action, job, version))

/** A job by itself, with what is known to stand in the way of its actions. Lists leave that out: it takes a while to find. */
export const oneJobView = (seen: Seen, job: Job, version: Version): JsonObject =>
  viewWith(seen, job, version, (action) => ({
    ...entryView(action, job, version),
    ...some('problem', problemOf(seen, job, action)),
  }))

function viewWith(
  seen: Seen,
  job: Job,
  version: Version,
  entry: (action: JobAction) => JsonObject,
): JsonObject {
  return {
    job_id: job.id,
    ...ownerOf(job, version),
    ...(job.client === undefined ? {} : { client_id: job.client }),
    description: job.description,
    session_id: job.session ?? '',
    session_tag: sessionTagOf(seen, job),
    ...(job.sessionName === undefined ? {} : { session_name: job.sessionName }),
    job_schedule: { ...job.schedule, ...standingOf(seen, job) },
    job_actions: actionsOf(seen, job).map(entry),
    ...(job.firn ? { firn: job.firn } : {}),
    _version: job.version,
  }
}

/** An entry of `job_actions`, or the same of an action document. */
export const entryView = (
  action: JobAction,
  owner: { project: string; user: string },
  version: Version,
): JsonObject => ({
  ...action.extra,
  action_id: action.actionId,
  ...ownerOf(owner, version),
  max_retries: action.maxRetries,
  max_retries_interval: action.maxRetriesIntervalS,
  mandatory: action.mandatory,
  freezer_action: masked(action.freezer),
})

/** The tag of its session's newest start, where the servers run it; else what its scheduler says. */
export function sessionTagOf(seen: Seen, job: Job): number {
  if (job.session === undefined || !isServerRun(seen, job)) return job.sessionTag
  return seen.state.get('session', job.project, job.session)?.value.tag ?? job.sessionTag
}
