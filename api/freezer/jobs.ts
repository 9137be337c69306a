import type { Job } from '../../core/job.ts'
import { jobId } from '../../core/ids.ts'
import { jobEvent, type JobEvent } from '../../controller/use-cases/job-events.ts'
import { createJob, patchJob, removeJob, replaceJob } from '../../controller/use-cases/jobs.ts'
import { documentOf, refusal } from '../fields.ts'
import type { Ask, Route } from '../route.ts'
import { readJob } from './job-document.ts'
import { answerList } from './listing.ts'
import { requiredValue } from './search.ts'
import { jobView, type Version } from './views.ts'
import { found, refuseOthers, seen } from './visible.ts'

/** `base` is `/v1` or `/v2/:project_id`. */
export function jobRoutes(base: string, version: Version): Route[] {
  const all = `${base}/jobs`
  const one = `${base}/jobs/:job_id`
  const errors = 'freezer'
  return [
    { method: 'GET', path: all, role: 'viewer', errors, answer: (ask) => list(ask, version) },
    { method: 'POST', path: all, role: 'operator', errors, answer: create },
    {
      method: 'GET',
      path: one,
      role: 'viewer',
      errors,
      answer: (ask) => ask.json(jobView(viewed(ask), jobOf(ask, version), version)),
    },
    { method: 'POST', path: one, role: 'operator', errors, answer: (ask) => replace(ask, version) },
    { method: 'PATCH', path: one, role: 'operator', errors, answer: (ask) => patch(ask, version) },
    { method: 'DELETE', path: one, role: 'operator', errors, answer: (ask) => remove(ask, version) },
    { method: 'POST', path: `${one}/event`, role: 'operator', errors, answer: (ask) => event(ask, version) },
  ]
}

const viewed = ({ served }: Ask) => ({ state: served.context.state, recent: served.recent })

function jobOf(ask: Ask, version: Version): Job {
  const id = ask.param('job_id')
  return found(ask, version, 'job', ask.served.context.state.get('job', ask.caller.project, id))
}

function list(ask: Ask, version: Version): Response | Promise<Response> {
  const { state } = ask.served.context
  const { project } = ask.caller
  const about = viewed(ask)
  return answerList<Job>(ask, 'jobs', {
    documents(search) {
      // Every poll of every scheduler asks for one client's jobs.
      const client = requiredValue(search, 'client_id')
      const stored =
        client === undefined
          ? state.of('job', project)
          : state.where('job', 'mentions', `${project}/${client}`)
      return seen(ask, version, stored)
    },
    show: (job) => jobView(about, job, version),
  })
}

async function create(ask: Ask): Promise<Response> {
  const document = documentOf(await ask.body())
  const { value } = await createJob(ask.served.context, ask.caller, readJob(document))
  return ask.json({ job_id: value.id }, 201)
}

async function replace(ask: Ask, version: Version): Promise<Response> {
  const id = jobId(ask.param('job_id'))
  refuseOthers(ask, version, ask.served.context.state.get('job', ask.caller.project, id))
  const document = documentOf(await ask.body())
  const { value } = await replaceJob(ask.served.context, ask.caller, id, readJob(document))
  return ask.json({ job_id: value.id, version: value.version }, 201)
}

async function patch(ask: Ask, version: Version): Promise<Response> {
  const { id } = jobOf(ask, version)
  const document = documentOf(await ask.body())
  const { value } = await patchJob(ask.served.context, ask.caller, id, readJob(document))
  return ask.json({ job_id: value.id, version: value.version })
}

async function remove(ask: Ask, version: Version): Promise<Response> {
  await removeJob(ask.served.context, ask.caller, jobOf(ask, version).id)
  return ask.nothing()
}

const events: readonly JobEvent[] = ['start', 'stop', 'abort']

/** One key names the event, its value does not matter. */
async function event(ask: Ask, version: Version): Promise<Response> {
  const { id } = jobOf(ask, version)
  const [word, ...more] = Object.keys(documentOf(await ask.body()))
  const known = events.find((one) => one === word)
  if (known === undefined || more.length > 0) throw refusal('event', 'must be one of start, stop, abort')
  return ask.json({ result: await jobEvent(ask.served.context, ask.caller, id, known) }, 202)
}
