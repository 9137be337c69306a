import { Fault } from '../../core/fault.ts'
import { sessionId, type SessionId } from '../../core/ids.ts'
import { setIdOf, type SetRecord } from '../../core/set.ts'
import { placeOfSet } from '../../controller/use-cases/recent.ts'
import { cancelSet, startSession } from '../../controller/use-cases/start-session.ts'
import { refusal } from '../fields.ts'
import type { Ask, Route } from '../route.ts'
import { cut, newestFirst, pageOf, valuesOf } from './paging.ts'
import { keyOf } from './runs.ts'
import { setView } from './views.ts'

const errors = 'problem'

export const setRoutes: readonly Route[] = [
  { method: 'POST', path: '/v1/sessions/:session_id/start', role: 'operator', errors, answer: start },
  { method: 'GET', path: '/v1/sets', role: 'viewer', errors, answer: list },
  {
    ...{ method: 'GET', path: '/v1/sets/:session_id/:tag', role: 'viewer', errors },
    answer: (ask) => ask.json(view(ask, setOf(ask))),
  },
  { method: 'POST', path: '/v1/sets/:session_id/:tag/cancel', role: 'operator', errors, answer: cancel },
]

const view = (ask: Ask, set: SetRecord) => setView(set, ask.served.context.state, ask.served.live)

async function start(ask: Ask): Promise<Response> {
  const id = sessionId(ask.param('session_id'))
  const { value } = await startSession(ask.served.context, ask.caller, id, { key: keyOf(ask) })
  return ask.json(view(ask, value), 202)
}

function list(ask: Ask): Response {
  const { limit, from } = pageOf(ask)
  const { project } = ask.caller
  const session = ask.query('session_id')
  const sets =
    session === undefined
      ? valuesOf(ask.served.recent.setsOf(project, from))
      : newestFirst(
          valuesOf(ask.served.context.state.where('set', 'session', `${project}/${session}`)),
          from,
          placeOfSet,
        )
  const { page, next } = cut(sets, limit, placeOfSet)
  return ask.json({ sets: page.map((set) => view(ask, set)), next })
}

function named(ask: Ask): { session: SessionId; tag: number } {
  const session = sessionId(ask.param('session_id'))
  const tag = ask.param('tag')
  if (!/^\d{1,15}$/.test(tag)) throw refusal('tag', 'must be a whole number')
  return { session, tag: Number(tag) }
}

function setOf(ask: Ask): SetRecord {
  const { session, tag } = named(ask)
  const set = ask.served.context.state.get('set', ask.caller.project, setIdOf(session, tag))
  if (!set) throw new Fault('not_found', `no set ${session} ${tag}`)
  return set.value
}

async function cancel(ask: Ask): Promise<Response> {
  const { session, tag } = named(ask)
  const { value } = await cancelSet(ask.served.context, ask.caller, session, tag)
  return ask.json(view(ask, value), 202)
}
