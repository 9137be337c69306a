import { z } from 'zod'
import { Fault } from '../../core/fault.ts'
import { jobId } from '../../core/ids.ts'
import type { Job } from '../../core/job.ts'
import { jobEvent, type JobEvent } from '../../controller/use-cases/job-events.ts'
import {
  createJob,
  patchJob,
  removeJob,
  replaceJob,
  type JobFields,
} from '../../controller/use-cases/jobs.ts'
import { etagHeader, expectationOf, matchHeaders } from '../etag.ts'
import { refusal } from '../fields.ts'
import { operation } from '../operation.ts'
import type { Ask, Route } from '../route.ts'
import { shownJob } from './answers.ts'
import { changed, sentDocument, spelling } from './forms.ts'
import { jobChangeForm, jobForm, readJob } from './job-document.ts'
import { jobView } from './job-view.ts'
import { jobsFor } from './job-search.ts'
import { answerList, listOf, listSpec, pageQuery } from './listing.ts'
import type { Search } from './search.ts'
import type { Version } from './shown.ts'
import { changes, looks, spec, type Group } from './spec.ts'
import { found, refuseOthers, seenBy, sees } from './visible.ts'

/** Freezer's jobs. */
export const jobRoutes = (group: Group): Route[] =>
  [
    listJobsRoute,
    createJobRoute,
    showJobRoute,
    putJobRoute,
    changeJobRoute,
    deleteJobRoute,
    sendJobEventRoute,
  ].map((route) => route(group))

const all = ({ base }: Group): string => `${base}/jobs`
const one = (group: Group): string => `${all(group)}/:job_id`

function listJobsRoute(group: Group): Route {
  const { version } = group
  return operation({
    ...spec(group, 'listJobs', 'List jobs'),
    ...{ ...listSpec, query: version === 'v2' ? everywhereQuery : pageQuery, path: all(group) },
    answers: { 200: listOf('jobs', shownJob) },
    answer: (ask, input) => {
      const seen = seenBy(ask)
      const show = (job: Job) => jobView(seen, job, version)
      const textOf = (job: Job) => ask.served.jobTexts.textOf(seen, job, version, 'listed')
      const isEverywhere = version === 'v2' && ask.query('all_projects') !== undefined && isAllProjects(ask)
      const documents = isEverywhere
        ? () => ({ items: ofAllProjects(ask), skipped: 0, isFound: () => undefined })
        : (search: Search | undefined, skip: number) => jobsFor(ask, version, search, skip)
      return answerList(ask, input, 'jobs', { documents, show, textOf })
    },
  })
}

function createJobRoute(group: Group): Route {
  const { version } = group
  return operation({
    ...spec(group, 'createJob', 'Create a job under an id of the server'),
    ...{ ...changes, method: 'POST', path: all(group), body: jobForm },
    answers: { 201: z.object({ job_id: z.string() }) },
    answer: async (ask, input) => {
      const fields = await jobIn(ask, version, input)
      const stored = await spelt(() => createJob(ask.served.context, ask.caller, fields))
      return ask.json({ job_id: stored.value.id }, 201, etagHeader(stored))
    },
  })
}

function showJobRoute(group: Group): Route {
  const { version } = group
  return operation({
    ...spec(group, 'showJob', 'Show a job'),
    ...{ ...looks, path: one(group), answers: { 200: shownJob } },
    answer: (ask) => {
      const stored = jobOf(ask, version)
      const text = ask.served.jobTexts.textOf(seenBy(ask), stored.value, version, 'alone')
      return ask.jsonText(text, 200, etagHeader(stored))
    },
  })
}

function putJobRoute(group: Group): Route {
  const { version } = group
  return operation({
    ...spec(group, 'putJob', 'Create a job under this id, or replace the whole one that has it'),
    headers: matchHeaders,
    ...{ ...changes, method: 'POST', path: one(group), body: jobForm, answers: { 201: changed('job_id') } },
    answer: async (ask, input) => {
      const { context } = ask.served
      const id = jobId(ask.param('job_id'))
      refuseOthers(ask, version, context.state.get('job', ask.caller.project, id))
      const fields = await jobIn(ask, version, input)
      const stored = await spelt(() => replaceJob(context, ask.caller, id, fields, expectationOf(ask)))
      return ask.json({ job_id: id, version: stored.value.version }, 201, etagHeader(stored))
    },
  })
}

function changeJobRoute(group: Group): Route {
  const { version } = group
  return operation({
    ...spec(group, 'changeJob', 'Change what is sent of a job: objects are merged, arrays replaced'),
    headers: matchHeaders,
    ...changes,
    method: 'PATCH',
    path: one(group),
    body: jobChangeForm,
    answers: { 200: changed('job_id') },
    answer: async (ask, input) => {
      const { id } = jobOf(ask, version).value
      const fields = readJob(await sentDocument(ask, input))
      refuseUnseenActions(ask, version, fields)
      const stored = await spelt(() =>
        patchJob(ask.served.context, ask.caller, id, fields, expectationOf(ask)),
      )
      return ask.json({ job_id: id, version: stored.value.version }, 200, etagHeader(stored))
    },
  })
}

function deleteJobRoute(group: Group): Route {
  const { version } = group
  return operation({
    ...spec(group, 'deleteJob', 'Delete a job; it leaves its session'),
    headers: matchHeaders,
    ...{ ...changes, method: 'DELETE', path: one(group), answers: { 204: 'nothing' } },
    answer: async (ask) => {
      await removeJob(ask.served.context, ask.caller, jobOf(ask, version).value.id, expectationOf(ask))
      return ask.nothing()
    },
  })
}

function sendJobEventRoute(group: Group): Route {
  const { version } = group
  return operation({
    ...spec(group, 'sendJobEvent', 'Start, stop or abort a job'),
    ...{ ...changes, method: 'POST', path: `${one(group)}/event`, body: eventForm },
    answers: { 202: z.object({ result: z.string() }) },
    answer: async (ask, input) => {
      const { id } = jobOf(ask, version).value
      const [event] = Object.keys(await sentDocument(ask, input))
      return ask.json({ result: await jobEvent(ask.served.context, ask.caller, id, event as JobEvent) }, 202)
    },
  })
}

/** One key names the event, its value does not matter. */
const eventForm = z
  .strictObject({
    start: z.unknown().optional(),
    stop: z.unknown().optional(),
    abort: z.unknown().optional(),
  } satisfies Record<JobEvent, z.ZodType>)
  .refine((event) => Object.keys(event).length === 1, 'must name one event: start, stop or abort')
  .meta({ id: 'FreezerJobEvent' })

const everywhereQuery = pageQuery.extend({
  all_projects: z
    .string()
    .optional()
    .meta({ description: '`true`: jobs of every project, for administrators' }),
})

/** The job as it is stored, if it is there for the caller. */
const jobOf = (ask: Ask, version: Version) =>
  found(ask, version, 'job', ask.served.context.state.get('job', ask.caller.project, ask.param('job_id')))

/** A whole job; the session and the stored actions that it names must be there for the caller. */
async function jobIn(
  ask: Ask,
  version: Version,
  input: Parameters<typeof sentDocument>[1],
): Promise<JobFields> {
  const fields = readJob(await sentDocument(ask, input))
  const session =
    fields.session && ask.served.context.state.get('session', ask.caller.project, fields.session)
  if (session && !sees(ask, version, session.value))
    throw refusal('session_id', `'${session.value.id}' is no session`)
  refuseUnseenActions(ask, version, fields)
  return fields
}

/** Throws Fault('bad_request') for an entry that is but the id of a stored action which is not there for the caller. */
function refuseUnseenActions(ask: Ask, version: Version, { actions = [] }: JobFields): void {
  for (const [index, { actionId: id, freezer }] of actions.entries()) {
    const stored =
      freezer || id === undefined ? undefined : ask.served.context.state.get('action', ask.caller.project, id)
    if (stored && !sees(ask, version, stored.value))
      throw refusal(`job_actions.${index}.action_id`, `there is no stored action ${stored.value.actionId}`)
  }
}

const spelt = <T>(work: () => Promise<T>): Promise<T> =>
  spelling((field) => (field.startsWith('schedule_') ? `job_schedule.${field}` : field), work)

/** Throws Fault('forbidden') for who is no administrator. */
function isAllProjects(ask: Ask): boolean {
  if (!['true', '1', 'yes'].includes((ask.query('all_projects') ?? '').toLowerCase())) return false
  if (ask.caller.role !== 'admin') throw new Fault('forbidden', 'all_projects takes the role admin')
  return true
}

function* ofAllProjects({ served }: Ask): IterableIterator<Job> {
  for (const { value } of served.context.state.all('job')) yield value
}
