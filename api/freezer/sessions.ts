import { jobId, sessionId } from '../../core/ids.ts'
import type { Session } from '../../core/job.ts'
import { endRound, startRound } from '../../controller/use-cases/session-rounds.ts'
import {
  addJobToSession,
  createSession,
  patchSession,
  removeJobFromSession,
  removeSession,
  replaceSession,
} from '../../controller/use-cases/sessions.ts'
import { sessionEvent } from '../../controller/use-cases/session-events.ts'
import { EdgeFault } from '../faults.ts'
import { documentOf, missing, textIn } from '../fields.ts'
import type { Ask, Route } from '../route.ts'
import { answerList } from './listing.ts'
import { readRound, readSession } from './session-document.ts'
import { sessionView, type Version } from './views.ts'
import { found, refuseOthers, seen } from './visible.ts'

/** `base` is `/v1` or `/v2/:project_id`. */
export function sessionRoutes(base: string, version: Version): Route[] {
  const all = `${base}/sessions`
  const one = `${all}/:session_id`
  const member = `${one}/jobs/:job_id`
  const errors = 'freezer'
  const view = (ask: Ask, session: Session) =>
    sessionView({ state: ask.served.context.state, recent: ask.served.recent }, session, version)
  const documents = (ask: Ask) =>
    seen(ask, version, ask.served.context.state.of('session', ask.caller.project))
  return [
    {
      ...{ method: 'GET', path: all, role: 'viewer', errors },
      answer: (ask) =>
        answerList(ask, 'sessions', {
          documents: () => documents(ask),
          show: (session) => view(ask, session),
        }),
    },
    { method: 'POST', path: all, role: 'operator', errors, answer: create },
    // The published reference updates here, with the id in the body.
    { method: 'PATCH', path: all, role: 'operator', errors, answer: (ask) => patchNamed(ask, version) },
    {
      ...{ method: 'GET', path: one, role: 'viewer', errors },
      answer: (ask) => ask.json(view(ask, sessionOf(ask, version))),
    },
    { method: 'POST', path: one, role: 'operator', errors, answer: (ask) => replace(ask, version) },
    {
      method: 'PATCH',
      path: one,
      role: 'operator',
      errors,
      answer: (ask) => patch(ask, version, ask.param('session_id')),
    },
    { method: 'DELETE', path: one, role: 'operator', errors, answer: (ask) => remove(ask, version) },
    {
      method: 'PUT',
      path: member,
      role: 'operator',
      errors,
      answer: (ask) => changeMember(ask, version, addJobToSession),
    },
    {
      ...{ method: 'DELETE', path: member, role: 'operator', errors },
      answer: (ask) => changeMember(ask, version, removeJobFromSession),
    },
    // Documented as `actions`, really `action`.
    ...['action', 'actions'].map((word): Route => ({
      ...{ method: 'POST', path: `${one}/${word}`, role: 'operator', errors },
      answer: (ask) => round(ask, version),
    })),
  ]
}

function sessionOf(ask: Ask, version: Version, id = ask.param('session_id')): Session {
  return found(ask, version, 'session', ask.served.context.state.get('session', ask.caller.project, id))
}

async function create(ask: Ask): Promise<Response> {
  const fields = readSession(documentOf(await ask.body()))
  const { value } = await createSession(ask.served.context, ask.caller, fields)
  return ask.json({ session_id: value.id }, 201)
}

async function replace(ask: Ask, version: Version): Promise<Response> {
  const id = sessionId(ask.param('session_id'))
  refuseOthers(ask, version, ask.served.context.state.get('session', ask.caller.project, id))
  const fields = readSession(documentOf(await ask.body()))
  const { value } = await replaceSession(ask.served.context, ask.caller, id, fields)
  return ask.json({ session_id: value.id, version: value.version }, 201)
}

async function patchNamed(ask: Ask, version: Version): Promise<Response> {
  const id = textIn(documentOf(await ask.body()), 'session_id')
  if (id === undefined) throw missing('session_id')
  return patch(ask, version, id)
}

async function patch(ask: Ask, version: Version, named: string): Promise<Response> {
  const { id } = sessionOf(ask, version, named)
  const fields = readSession(documentOf(await ask.body()))
  const { value } = await patchSession(ask.served.context, ask.caller, id, fields)
  if (fields.event) await sessionEvent(ask.served.context, ask.caller, value, fields.event)
  return ask.json({ session_id: value.id, version: value.version })
}

async function remove(ask: Ask, version: Version): Promise<Response> {
  await removeSession(ask.served.context, ask.caller, sessionOf(ask, version).id)
  return ask.nothing()
}

async function changeMember(ask: Ask, version: Version, change: typeof addJobToSession): Promise<Response> {
  const { context } = ask.served
  const session = sessionOf(ask, version)
  const job = found(
    ask,
    version,
    'job',
    context.state.get('job', ask.caller.project, jobId(ask.param('job_id'))),
  )
  await change(context, ask.caller, session.id, job.id)
  return ask.nothing()
}

async function round(ask: Ask, version: Version): Promise<Response> {
  const { id } = sessionOf(ask, version)
  const request = readRound(documentOf(await ask.body()))
  if (!request) throw new EdgeFault('wrong_method', 'the actions of a session are start and end')
  const { context } = ask.served
  const { result, tag } =
    request.do === 'start'
      ? await startRound(context, ask.caller, id, request)
      : await endRound(context, ask.caller, id, request)
  return ask.json({ result, session_tag: tag }, 202)
}
