import { z } from 'zod'
import type { Run } from '../../core/run.ts'
import { Fault } from '../../core/fault.ts'
import { callFunction, endOf, removeRun } from '../../controller/use-cases/executions.ts'
import { refusal } from '../fields.ts'
import type { Ask, Route } from '../route.ts'
import { callIn, namesFunction } from './call.ts'
import { executionShown, executionView } from './execution-view.ts'
import { filterText, filtersOf, limitOf, scopeOf, scopeQuery } from './filters.ts'
import { inputText, nameText, uuidText, versionText } from './forms.ts'
import { answerList, collected, inOrder, valuesIn } from './listing.ts'
import { isExecution, runOf } from './lookup.ts'
import { qinlingOperation } from './operation.ts'

const executionForm = z
  .strictObject({
    ...{ id: uuidText, function_id: uuidText, function_alias: nameText, function_version: versionText },
    sync: z
      .boolean()
      .nullable()
      .optional()
      .meta({ description: 'Wait for its end; true unless said otherwise' }),
    input: inputText,
    description: z.string().max(255).nullable().optional(),
  })
  .meta({ id: 'QinlingExecutionRequest', description: 'Null is as good as absent' })

const fields = ['function_id', 'status', 'description'] as const

const query = z.strictObject({
  ...scopeQuery,
  ...{ function_id: filterText, status: filterText, description: filterText },
})

/** The newest ones, if there are more. */
const limitStandard = 1_000

/** So long a synchronous call is waited for; then it is shown as it is, running. Milliseconds. */
const syncMs = 25_000

async function list(ask: Ask, asked: z.output<typeof query>): Promise<Response> {
  const { projects, isWanted } = scopeOf(ask, asked, 'run')
  const passes = filtersOf(asked, fields)
  const newest = await collected(
    valuesIn(projects, (project) => ask.served.recent.runsOf(project)),
    (run) => (isExecution(run) ? executionView(run) : undefined),
    (view) => isWanted(view) && passes(view),
    limitOf(asked.limit, limitStandard),
  )
  return answerList(ask, 'executions', inOrder(newest.toReversed(), projects))
}

async function create(ask: Ask, body: z.output<typeof executionForm>): Promise<Response> {
  if (!namesFunction(body)) throw refusal('function_id', 'is needed, or a function_alias')
  const { context, stopping } = ask.served
  const sync = body.sync ?? true
  const { value: run } = await callFunction(context, ask.caller, callIn(ask, body, body.input), { sync })
  const signal = AbortSignal.any([stopping, ask.http.req.raw.signal])
  return ask.json(executionView(sync ? await endOf(context, run, syncMs, signal) : run), 201)
}

/** Of a log, so much is told, in characters, within so many milliseconds. */
const logMax = 1024 * 1024
const logMs = 10_000

/** The log as one JSON text: both of the client's transports show that. */
async function log(ask: Ask): Promise<Response> {
  const run = runOf(ask)
  const { events, stopping } = ask.served
  const signal = AbortSignal.any([stopping, AbortSignal.timeout(logMs)])
  const { project, client, job, id } = run
  const lines: string[] = []
  let length = 0
  for await (const { text } of events.logs(project, client, job, id, { follow: false, signal })) {
    length += text.length + 1
    if (length > logMax) break
    lines.push(text)
  }
  if (signal.aborted) throw new Fault('timeout', 'the log took too long')
  return ask.json(lines.join('\n'))
}

const shownRun = (ask: Ask, run: Run): Response => ask.json(executionView(run))

const one = '/executions/:execution_id'

export const executionRoutes: readonly Route[] = [
  qinlingOperation({
    ...{ method: 'GET', path: '/executions', role: 'viewer', id: 'listQinlingExecutions', query },
    summary: 'List runs, of jobs and by hand',
    description: 'Oldest first; of more than `limit`, the newest.',
    answers: { 200: z.object({ executions: z.array(executionShown) }) },
    answer: (ask, { query: asked }) => list(ask, asked),
  }),
  qinlingOperation({
    ...{ method: 'POST', path: '/executions', role: 'operator', id: 'createQinlingExecution' },
    body: executionForm,
    summary: 'Call a saved action now',
    answers: { 201: executionShown },
    answer: async (ask, input) => create(ask, await input.body()),
  }),
  qinlingOperation({
    ...{ method: 'GET', path: one, role: 'viewer', id: 'showQinlingExecution' },
    summary: 'Show a run',
    answers: { 200: executionShown },
    answer: (ask) => shownRun(ask, runOf(ask)),
  }),
  qinlingOperation({
    ...{ method: 'DELETE', path: one, role: 'operator', id: 'removeQinlingExecution' },
    summary: 'Forget a run that has ended; its backups stay',
    answers: { 204: 'nothing' },
    async answer(ask) {
      const run = runOf(ask)
      await removeRun(ask.served.context, run, run.id)
      return ask.nothing()
    },
  }),
  qinlingOperation({
    ...{ method: 'GET', path: `${one}/log`, role: 'viewer', id: 'showQinlingExecutionLog' },
    summary: "Show a run's log, as one text",
    answers: { 200: z.string() },
    answer: log,
  }),
]
