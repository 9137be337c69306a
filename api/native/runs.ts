import { Fault } from '../../core/fault.ts'
import { clientId, jobId, runId } from '../../core/ids.ts'
import type { Run, RunState } from '../../core/run.ts'
import { cancelRun } from '../../controller/use-cases/cancel-run.ts'
import { comparePlaces, placeOf, type Place } from '../../controller/use-cases/recent.ts'
import { startRun } from '../../controller/use-cases/start-run.ts'
import { closed, documentOf, missing, refusal, some, textIn } from '../fields.ts'
import type { Ask, Route } from '../route.ts'
import { cut, newestFirst, pageOf, valuesOf } from './paging.ts'
import { lines } from './streams.ts'
import { runView } from './views.ts'

const errors = 'problem'

export const runRoutes: readonly Route[] = [
  { method: 'POST', path: '/v1/runs', role: 'operator', errors, answer: start },
  { method: 'GET', path: '/v1/runs', role: 'viewer', errors, answer: list },
  {
    ...{ method: 'GET', path: '/v1/runs/:run_id', role: 'viewer', errors },
    answer: (ask) => ask.json(runView(runOf(ask), ask.served.live)),
  },
  { method: 'POST', path: '/v1/runs/:run_id/cancel', role: 'operator', errors, answer: cancel },
  {
    ...{ method: 'GET', path: '/v1/runs/:run_id/logs', role: 'viewer', errors, gives: 'application/jsonl' },
    answer: logs,
  },
]

/** What makes a start the same start when it is sent again; a new one each time without the header. */
export const keyOf = (ask: Ask): string => {
  const key = ask.header('idempotency-key')
  return key === undefined || key === '' ? ask.served.context.secrets.uuid() : key
}

function runOf(ask: Ask): Run {
  const id = runId(ask.param('run_id'))
  const run = ask.served.context.state.get('run', ask.caller.project, id)
  if (!run) throw new Fault('not_found', `no run ${id}`)
  return run.value
}

async function start(ask: Ask): Promise<Response> {
  const document = documentOf(await ask.body())
  closed(document, new Set(['job_id', 'client_id']))
  if (document['job_id'] === undefined) throw missing('job_id')
  const client = document['client_id']
  const runs = await startRun(ask.served.context, ask.caller, {
    job: jobId(document['job_id']),
    ...some('client', client === undefined ? undefined : clientId(client)),
    key: keyOf(ask),
  })
  return ask.json({ runs: runs.map(({ value }) => runView(value, ask.served.live)) }, 202)
}

async function cancel(ask: Ask): Promise<Response> {
  const document = documentOf(await ask.body())
  closed(document, new Set(['reason']))
  const why = textIn(document, 'reason', { max: 1024 }) ?? ''
  const { value } = await cancelRun(ask.served.context, ask.caller, runOf(ask).id, why)
  return ask.json(runView(value, ask.served.live), 202)
}

const states: Record<RunState['is'], true> = {
  waiting: true,
  offered: true,
  armed: true,
  running: true,
  unknown: true,
  cancelling: true,
  finished: true,
}

/** Filters that an index answers; the others are looked at run by run. */
function list(ask: Ask): Response {
  const { limit, from } = pageOf(ask)
  const wanted = {
    job: ask.query('job_id'),
    client: ask.query('client_id'),
    session: ask.query('session_id'),
    tag: ask.query('tag'),
    restore: ask.query('restore_id'),
    state: ask.query('state'),
  }
  const keep = (run: Run): boolean =>
    (wanted.job === undefined || run.job === wanted.job) &&
    (wanted.client === undefined || run.client === wanted.client) &&
    (wanted.session === undefined || run.session?.id === wanted.session) &&
    (wanted.tag === undefined || String(run.session?.tag) === wanted.tag) &&
    (wanted.restore === undefined || run.restore === wanted.restore) &&
    (wanted.state === undefined || run.state.is === wanted.state)
  if (wanted.tag !== undefined && (wanted.session === undefined || !/^\d{1,10}$/.test(wanted.tag)))
    throw refusal('tag', 'must be a whole number, beside a session_id')
  if (wanted.state !== undefined && !Object.hasOwn(states, wanted.state))
    throw refusal('state', `must be one of ${Object.keys(states).join(', ')}`)
  const { page, next } = cut(candidates(ask, wanted, from), limit, placeOf, keep)
  return ask.json({ runs: page.map((run) => runView(run, ask.served.live)), next })
}

interface Wanted {
  readonly job: string | undefined
  readonly client: string | undefined
  readonly session: string | undefined
  readonly tag: string | undefined
  readonly restore: string | undefined
  readonly state: string | undefined
}

function candidates(ask: Ask, wanted: Wanted, from: Place | undefined): Iterable<Run> {
  const { state } = ask.served.context
  const { project } = ask.caller
  const { session, tag, restore, job, client } = wanted
  const from_ = (stored: Iterable<{ readonly value: Run }>) => newestFirst(valuesOf(stored), from, placeOf)
  if (restore !== undefined) return from_(state.where('run', 'restore', `${project}/${restore}`))
  if (session !== undefined && tag !== undefined)
    return from_(state.where('run', 'set', `${project}/${session}.${tag}`))
  if (session !== undefined) return from_(runsOfSession(ask, session))
  if (job !== undefined) return from_(state.where('run', 'job', `${project}/${job}`))
  if (client !== undefined) return from_(state.where('run', 'client', `${project}/${client}`))
  if (wanted.state !== undefined && wanted.state !== 'finished')
    return from_(openRuns(state.where('run', 'open', '*'), project))
  return valuesOf(ask.served.recent.runsOf(project, from))
}

function* runsOfSession(ask: Ask, session: string): IterableIterator<{ readonly value: Run }> {
  const { state } = ask.served.context
  const { project } = ask.caller
  for (const { value } of state.where('set', 'session', `${project}/${session}`))
    yield* state.where('run', 'set', `${project}/${session}.${value.tag}`)
}

function* openRuns(
  stored: Iterable<{ readonly value: Run }>,
  project: string,
): IterableIterator<{ readonly value: Run }> {
  for (const one of stored) if (one.value.project === project) yield one
}

/** Runs of a restore, in order of creation. Throws Fault('not_found') when there are none. */
export function runsOfRestore(ask: Ask, restore: string): Run[] {
  const { state } = ask.served.context
  const runs = [...valuesOf(state.where('run', 'restore', `${ask.caller.project}/${restore}`))]
  if (runs.length === 0) throw new Fault('not_found', `no restore ${restore.slice(0, 80)}`)
  return runs.sort((a, b) => comparePlaces(placeOf(a), placeOf(b)))
}

function logs(ask: Ask): Response {
  const run = runOf(ask)
  const follow = ask.query('follow') === 'true'
  const { events } = ask.served
  return lines(
    ask,
    (signal) => events.logs(run.project, run.client, run.job, run.id, { follow, signal }),
    (line) => ({
      at: new Date(line.at).toISOString(),
      level: line.level,
      text: line.text,
    }),
  )
}
