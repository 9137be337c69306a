import { Fault } from '../../core/fault.ts'
import type { Action, Run } from './stored.ts'
import { instanceIdOf, instanceJobOf, uuidOf } from '../../core/ids.ts'
import type { Job } from '../../core/job.ts'
import type { Caller } from '../../controller/use-cases/context.ts'
import { cronViewOf, type CronView } from '../../controller/use-cases/cron-jobs.ts'
import type { Ask } from '../route.ts'
import { uuidIn } from './forms.ts'

/*
 * Documents by the UUID that Qinling shows them under. Ids of the server's own are UUIDs without dashes; those that callers of
 * other façades have chosen are shown as a UUIDv5, for which there is an index.
 */

/** Projects in which the caller may act on a thing by its id: an administrator everywhere. */
function* projectsOf({ served, caller }: Ask, kind: 'job' | 'run'): IterableIterator<string> {
  yield caller.project
  if (caller.role !== 'admin') return
  for (const project of served.context.state.projects(kind)) if (project !== caller.project) yield project
}

/** A job that one time or a cron pattern expresses. */
export interface FoundJob {
  readonly job: Job
  readonly view: CronView
  /** Who acts on it: in its project. */
  readonly caller: Caller
}

/** The job of the path. Throws Fault 'bad_request' (no UUID), 'not_found'. */
export function jobOf(ask: Ask): FoundJob {
  const { context } = ask.served
  const uuid = uuidIn(ask.param('job_id'), 'job_id')
  const allowed = new Set(projectsOf(ask, 'job'))
  for (const job of jobsNamed(ask, uuid, allowed)) {
    const view = cronViewOf(context, job)
    if (view) return { job, view, caller: { ...ask.caller, project: job.project } }
  }
  throw new Fault('not_found', `no job ${uuid}`)
}

function* jobsNamed(ask: Ask, uuid: string, projects: ReadonlySet<string>): IterableIterator<Job> {
  const { state } = ask.served.context
  for (const project of projects)
    for (const id of spellings(uuid)) {
      const job = state.get('job', project, id)
      if (job) yield job.value
    }
  for (const { value } of state.where('job', 'uuid', uuid)) if (projects.has(value.project)) yield value
}

const spellings = (uuid: string): [string, string] => [uuid.replaceAll('-', ''), uuid]

/** The action that a UUID names in a project. */
export function actionNamed({ served }: Ask, project: string, uuid: string): Action | undefined {
  const { state } = served.context
  for (const id of spellings(uuid)) {
    const action = state.get('action', project, id)
    if (action) return action.value
  }
  for (const { value } of state.where('action', 'uuid', uuid)) if (value.project === project) return value
  return undefined
}

/** The function of the path, of the caller's own project. Throws Fault 'bad_request' (no UUID), 'not_found'. */
export function functionOf(ask: Ask): Action {
  const uuid = uuidIn(ask.param('function_id'), 'function_id')
  const action = actionNamed(ask, ask.caller.project, uuid)
  if (!action) throw new Fault('not_found', `no function ${uuid}`)
  return action
}

/** The execution of the path. Throws Fault 'bad_request' (no UUID), 'not_found'. */
export function runOf(ask: Ask): Run {
  const { state } = ask.served.context
  const uuid = uuidIn(ask.param('execution_id'), 'execution_id')
  for (const project of projectsOf(ask, 'run')) {
    const run = state.get('run', project, uuid.replaceAll('-', ''))?.value
    if (run && isExecution(run)) return run
  }
  throw new Fault('not_found', `no execution ${uuid}`)
}

/** Runs of jobs and of functions, also when those are gone by now. The backups of instances are Trove's. */
export const isExecution = ({ purpose, project, client, job, tasks }: Run): boolean =>
  purpose === 'job' &&
  !tasks.some(
    ({ action }) =>
      action.do === 'backup' &&
      action.instance !== undefined &&
      job === instanceJobOf(instanceIdOf(project, client, action.instance)),
  )

/** The UUID of the first action that a job of another façade has. */
export const firstActionOf = ({ actions }: Pick<Job, 'actions'>): string | null =>
  actions[0] ? uuidOf(actions[0].actionId) : null
