import { z } from 'zod'
import { Fault } from '../../core/fault.ts'
import { clientId, jobId, runId } from '../../core/ids.ts'
import type { Run } from '../../core/run.ts'
import { cancelRun } from '../../controller/use-cases/cancel-run.ts'
import { comparePlaces, placeOf, type Part, type Place } from '../../controller/use-cases/recent.ts'
import { startRun } from '../../controller/use-cases/start-run.ts'
import { refusal, some } from '../fields.ts'
import { operation } from '../operation.ts'
import type { Ask } from '../route.ts'
import { runForm, runStateForm } from './documents.ts'
import { clientText, flagText, idText, listOf } from './forms.ts'
import { cut, newestFirst, pageOf, pageQuery, valuesOf } from './paging.ts'
import { lines } from './streams.ts'
import { runView } from './views.ts'

const errors = 'problem'
const tag = 'Runs'
const one = '/v1/runs/:run_id'

const startBody = z.strictObject({
  job_id: idText('The job to start'),
  client_id: clientText('Only on this one of its clients').optional(),
})

const startRoute = operation({
  ...{ method: 'POST', path: '/v1/runs', role: 'operator', errors, repeat: 'harmless' },
  ...{ tag, id: 'startRun', summary: 'Start a job now' },
  description:
    'One run on its client, or on each client that its selector matches. The `Idempotency-Key` is also the slot of these runs: with the same key the same job starts once, at whatever server, for as long as its runs are stored.',
  body: startBody,
  answers: { 202: z.object({ runs: z.array(runForm) }) },
  async answer(ask, { body }) {
    const { job_id, client_id } = await body()
    const runs = await startRun(ask.served.context, ask.caller, {
      job: jobId(job_id),
      ...some('client', client_id === undefined ? undefined : clientId(client_id)),
      key: keyOf(ask),
    })
    return ask.json({ runs: runs.map(({ value }) => runView(value, ask.served.live)) }, 202)
  },
})

const listQuery = z.object({
  job_id: z.string().optional(),
  client_id: z.string().optional(),
  session_id: z.string().optional(),
  tag: z
    .string()
    .regex(/^\d{1,10}$/, 'must be a whole number')
    .optional()
    .meta({ description: 'Of one start of the session: beside `session_id` only' }),
  restore_id: z.string().optional(),
  state: runStateForm.optional(),
  ...pageQuery,
})

type Wanted = z.output<typeof listQuery>

const listRoute = operation({
  ...{ method: 'GET', path: '/v1/runs', role: 'viewer', errors },
  ...{ tag, id: 'listRuns', summary: 'List runs, newest first' },
  query: listQuery,
  answers: { 200: listOf('runs', runForm) },
  answer(ask, { query: wanted }) {
    const asked = pageOf(ask, wanted)
    if (wanted.tag !== undefined && wanted.session_id === undefined)
      throw refusal('tag', 'must stand beside a session_id')
    const keep = (run: Run): boolean => isWanted(run, wanted)
    const { page, next } = cut(candidates(ask, wanted, asked.from), asked, placeOf, keep)
    return ask.json({ runs: page.map((run) => runView(run, ask.served.live)), next })
  },
})

const isWanted = (run: Run, wanted: Wanted): boolean =>
  (wanted.job_id === undefined || run.job === wanted.job_id) &&
  (wanted.client_id === undefined || run.client === wanted.client_id) &&
  (wanted.session_id === undefined || run.session?.id === wanted.session_id) &&
  (wanted.tag === undefined || run.session?.tag === Number(wanted.tag)) &&
  (wanted.restore_id === undefined || run.restore === wanted.restore_id) &&
  (wanted.state === undefined || run.state.is === wanted.state)

/** A list in order that is short or holds mostly what is wanted; the rest is decided run by run. */
function candidates(ask: Ask, wanted: Wanted, from: Place | undefined): Iterable<Run> {
  const { state } = ask.served.context
  const { project } = ask.caller
  const { job_id, session_id, tag: wantedTag, restore_id, state: wantedState } = wanted
  const sorted = (stored: Iterable<{ readonly value: Run }>) => newestFirst(valuesOf(stored), from, placeOf)
  if (restore_id !== undefined) return sorted(state.where('run', 'restore', `${project}/${restore_id}`))
  if (session_id !== undefined && wantedTag !== undefined)
    return sorted(state.where('run', 'set', `${project}/${session_id}.${Number(wantedTag)}`))
  if (job_id !== undefined) return sorted(state.where('run', 'job', `${project}/${job_id}`))
  const part = partOf(wanted)
  if (!part && wantedState !== undefined && wantedState !== 'finished')
    return sorted(openRuns(state.where('run', 'open', '*'), project))
  return valuesOf(ask.served.recent.runsOf(project, from, part))
}

function partOf({ session_id, client_id }: Wanted): Part | undefined {
  if (session_id !== undefined) return { of: 'session', id: session_id }
  return client_id === undefined ? undefined : { of: 'client', id: client_id }
}

function* openRuns(
  stored: Iterable<{ readonly value: Run }>,
  project: string,
): IterableIterator<{ readonly value: Run }> {
  for (const one of stored) if (one.value.project === project) yield one
}

const showRoute = operation({
  ...{ method: 'GET', path: one, role: 'viewer', errors },
  ...{ tag, id: 'getRun', summary: 'Show a run' },
  answers: { 200: runForm },
  answer: (ask) => ask.json(runView(runOf(ask), ask.served.live)),
})

function runOf(ask: Ask): Run {
  const id = runId(ask.param('run_id'))
  const run = ask.served.context.state.get('run', ask.caller.project, id)
  if (!run) throw new Fault('not_found', `no run ${id}`)
  return run.value
}

const cancelRoute = operation({
  ...{ method: 'POST', path: `${one}/cancel`, role: 'operator', errors, repeat: 'harmless' },
  ...{ tag, id: 'cancelRun', summary: 'Ask for a run to stop' },
  description:
    'One that was not sent ends at once as `aborted`; one that was, when its node says that its processes are gone.',
  body: z.strictObject({ reason: z.string().max(1024).default('').meta({ description: 'For people' }) }),
  answers: { 202: runForm },
  async answer(ask, { body }) {
    const { reason } = await body()
    const { value } = await cancelRun(ask.served.context, ask.caller, runOf(ask).id, reason)
    return ask.json(runView(value, ask.served.live), 202)
  },
})

const logRoute = operation({
  ...{ method: 'GET', path: `${one}/logs`, role: 'viewer', errors, gives: 'application/jsonl' },
  ...{ tag, id: 'getRunLog', summary: 'Read the log of a run' },
  description: 'JSON lines `{"at", "level", "text"}`, oldest first.',
  query: z.object({ follow: flagText('Go on with new lines until the caller goes away') }),
  answers: { 200: 'text' },
  answer(ask, { query }) {
    const run = runOf(ask)
    const follow = query.follow === 'true'
    return lines(
      ask,
      (signal) => ask.served.events.logs(run.project, run.client, run.job, run.id, { follow, signal }),
      ({ at, level, text }) => ({ at: new Date(at).toISOString(), level, text }),
    )
  },
})

export const runRoutes = [startRoute, listRoute, showRoute, cancelRoute, logRoute]

/** What makes a start the same start when it is sent again; a new one each time without the header. */
export const keyOf = (ask: Ask): string => {
  const key = ask.header('idempotency-key')
  return key === undefined ? ask.served.context.secrets.uuid() : key
}

/** Runs of a restore, in order of creation. Throws Fault('not_found') when there are none. */
export function runsOfRestore(ask: Ask, restore: string): Run[] {
  const { state } = ask.served.context
  const runs = [...valuesOf(state.where('run', 'restore', `${ask.caller.project}/${restore}`))]
  if (runs.length === 0) throw new Fault('not_found', `no restore ${restore.slice(0, 80)}`)
  return runs.sort((a, b) => comparePlaces(placeOf(a), placeOf(b)))
}
