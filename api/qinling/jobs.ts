import { z } from 'zod'
import {
  changeCronJob,
  createCronJob,
  cronViewOf,
  timeIn,
  type CronJobChange,
} from '../../controller/use-cases/cron-jobs.ts'
import { removeJob } from '../../controller/use-cases/jobs.ts'
import type { Job } from '../../core/job.ts'
import { refusal, some } from '../fields.ts'
import type { Ask, Route } from '../route.ts'
import { callIn, namesFunction } from './call.ts'
import { filterText, filtersOf, limitOf, scopeOf, scopeQuery } from './filters.ts'
import {
  inputText,
  nameText,
  numberOf,
  numberText,
  textOf,
  timeText,
  uuidText,
  versionText,
} from './forms.ts'
import { jobShown, jobView } from './job-view.ts'
import { answerList, collected, inOrder, valuesIn } from './listing.ts'
import { jobOf } from './lookup.ts'
import { qinlingOperation } from './operation.ts'

const patternText = z.string().max(255).nullable().optional().meta({
  description: 'Cron: five fields in UTC, or a macro like `@daily`. Null: the job runs once',
})

/** What both requests may hold; a key beyond it is refused, as are the read-only ones. */
const common = {
  id: uuidText,
  name: nameText,
  function_id: uuidText,
  function_alias: nameText,
  function_version: versionText,
  function_input: inputText,
  pattern: patternText,
  count: numberText.meta({ description: 'How often it fires; null: without limit' }),
  first_execution_time: timeText,
  next_execution_time: timeText,
}

const jobForm = z
  .strictObject({ ...common, status: z.string().nullable().optional() })
  .meta({ id: 'QinlingJobRequest', description: 'Null is as good as absent' })

const jobChangeForm = z
  .strictObject({
    ...common,
    status: z
      .enum(['running', 'paused', 'cancelled'], { error: 'is none of running, paused, cancelled' })
      .nullable()
      .optional(),
  })
  .meta({
    id: 'QinlingJobChange',
    description:
      'Changes name, function_input, pattern, next_execution_time and status; the other keys are checked and ignored. Null leaves ' +
      'a value as it is',
  })

/** A client that pages nothing gets every job that there is, up to this many. */
const limitStandard = 10_000

const fields = ['status', 'name', 'function_id'] as const

const query = z.strictObject({
  ...scopeQuery,
  ...{ status: filterText, name: filterText, function_id: filterText },
})

async function list(ask: Ask, asked: z.output<typeof query>): Promise<Response> {
  const { context } = ask.served
  const { projects, isWanted } = scopeOf(ask, asked, 'job')
  const passes = filtersOf(asked, fields)
  const shown = await collected(
    valuesIn(projects, (project) => context.state.of('job', project)),
    (job) => viewOf(ask, job),
    (view) => isWanted(view) && passes(view),
    limitOf(asked.limit, limitStandard),
  )
  return answerList(ask, 'jobs', inOrder(shown, projects))
}

function viewOf({ served }: Ask, job: Job) {
  const view = cronViewOf(served.context, job)
  return view && jobView(job, view)
}

/** The checks come in the order of the reference: what names nothing, times and pattern, and only then what is not there. */
async function create(ask: Ask, body: z.output<typeof jobForm>): Promise<Response> {
  if (!namesFunction(body)) throw refusal('function_id', 'is needed, or a function_alias')
  const pattern = body.pattern || undefined
  const first = body.first_execution_time || undefined
  const count = numberOf(body.count)
  const fields = {
    name: body.name ?? null,
    ...some('pattern', pattern),
    ...some('first', first === undefined ? undefined : timeIn(first, 'first_execution_time')),
    ...some('count', count),
  }
  const { value } = await createCronJob(ask.served.context, ask.caller, fields, () =>
    callIn(ask, body, body.function_input),
  )
  return ask.json(viewOf(ask, value), 201)
}

const wantedBy = { running: 'active', paused: 'stopped', cancelled: 'cancelled' } as const

async function change(ask: Ask, body: () => Promise<z.output<typeof jobChangeForm>>): Promise<Response> {
  const { job, caller } = jobOf(ask)
  const { name, function_input, pattern, next_execution_time: next, status } = await body()
  const asked: CronJobChange = {
    ...some('name', textOf(name)),
    ...some('input', textOf(function_input)),
    ...some('pattern', textOf(pattern)),
    ...some('next', typeof next === 'string' ? timeIn(next, 'next_execution_time') : undefined),
    ...some('wanted', status ? wantedBy[status] : undefined),
  }
  const { value } = await changeCronJob(ask.served.context, caller, job.id, asked)
  return ask.json(viewOf(ask, value), 202)
}

const one = '/jobs/:job_id'

export const jobRoutes: readonly Route[] = [
  qinlingOperation({
    ...{ method: 'GET', path: '/jobs', role: 'viewer', id: 'listQinlingJobs', query },
    summary: 'List the jobs that one time or a cron pattern expresses',
    description: 'Oldest first, whoever made them, whatever their status.',
    answers: { 200: z.object({ jobs: z.array(jobShown) }) },
    answer: (ask, { query: asked }) => list(ask, asked),
  }),
  qinlingOperation({
    ...{ method: 'POST', path: '/jobs', role: 'operator', id: 'createQinlingJob', body: jobForm },
    summary: 'Call a saved action at one time, or again and again',
    answers: { 201: jobShown },
    answer: async (ask, input) => create(ask, await input.body()),
  }),
  qinlingOperation({
    ...{ method: 'GET', path: one, role: 'viewer', id: 'showQinlingJob' },
    summary: 'Show a job',
    answers: { 200: jobShown },
    answer(ask) {
      const { job, view } = jobOf(ask)
      return ask.json(jobView(job, view))
    },
  }),
  qinlingOperation({
    ...{ method: 'PUT', path: one, role: 'operator', id: 'changeQinlingJob', body: jobChangeForm },
    summary: 'Pause, resume, cancel or otherwise change a job',
    answers: { 202: jobShown },
    answer: (ask, input) => change(ask, input.body),
  }),
  qinlingOperation({
    ...{ method: 'DELETE', path: one, role: 'operator', id: 'removeQinlingJob' },
    summary: 'Delete a job; its executions stay',
    answers: { 204: 'nothing' },
    async answer(ask) {
      const { job, caller } = jobOf(ask)
      await removeJob(ask.served.context, caller, job.id)
      return ask.nothing()
    },
  }),
]
