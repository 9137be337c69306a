import { z } from 'zod'
import { Fault } from '../../core/fault.ts'
import { sessionId, type SessionId } from '../../core/ids.ts'
import { setIdOf, type SetRecord } from '../../core/set.ts'
import { placeOfSet } from '../../controller/use-cases/recent.ts'
import { cancelSet, startSession } from '../../controller/use-cases/start-session.ts'
import { refusal } from '../fields.ts'
import { operation } from '../operation.ts'
import type { Ask } from '../route.ts'
import { setForm } from './documents.ts'
import { listOf } from './forms.ts'
import { cut, pageOf, pageQuery, valuesOf } from './paging.ts'
import { keyOf } from './runs.ts'
import { setView } from './views.ts'

const errors = 'problem'
const tag = 'Sets'
const one = '/v1/sets/:session_id/:tag'
const params = { tag: 'The number of the start: `session_tag`' }
const emptyBody = z.strictObject({})

const view = (ask: Ask, set: SetRecord) => setView(set, ask.served.context.state, ask.served.live)

const startRoute = operation({
  ...{ method: 'POST', path: '/v1/sessions/:session_id/start', role: 'operator', errors },
  ...{ repeat: 'harmless', tag, id: 'startSession', summary: 'Start all members of a session together' },
  description:
    'Inside `hold_off`, or while the last start is under way: 409 `busy`, with `Retry-After` when the time is known. The `Idempotency-Key` is also the slot of the start.',
  body: emptyBody,
  answers: { 202: setForm },
  async answer(ask, { body }) {
    await body()
    const id = sessionId(ask.param('session_id'))
    const { value } = await startSession(ask.served.context, ask.caller, id, { key: keyOf(ask) })
    return ask.json(view(ask, value), 202)
  },
})

const listRoute = operation({
  ...{ method: 'GET', path: '/v1/sets', role: 'viewer', errors },
  ...{ tag, id: 'listSets', summary: 'List sets, newest first' },
  query: z.object({ session_id: z.string().optional(), ...pageQuery }),
  answers: { 200: listOf('sets', setForm) },
  answer(ask, { query }) {
    const wanted = pageOf(ask, query)
    const { session_id: id } = query
    const part = id === undefined ? undefined : ({ of: 'session', id } as const)
    const sets = valuesOf(ask.served.recent.setsOf(ask.caller.project, wanted.from, part))
    const { page, next } = cut(sets, wanted, placeOfSet)
    return ask.json({ sets: page.map((set) => view(ask, set)), next })
  },
})

const showRoute = operation({
  ...{ method: 'GET', path: one, role: 'viewer', errors },
  ...{ tag, id: 'getSet', summary: 'Show a set, with its members and their progress', params },
  answers: { 200: setForm },
  answer(ask) {
    const { session, tag: number } = named(ask)
    const set = ask.served.context.state.get('set', ask.caller.project, setIdOf(session, number))
    if (!set) throw new Fault('not_found', `no set ${session} ${number}`)
    return ask.json(view(ask, set.value))
  },
})

const cancelRoute = operation({
  ...{ method: 'POST', path: `${one}/cancel`, role: 'operator', errors, repeat: 'harmless' },
  ...{ tag, id: 'cancelSet', summary: 'Cancel the runs of all members', params },
  body: emptyBody,
  answers: { 202: setForm },
  async answer(ask, { body }) {
    await body()
    const { session, tag: number } = named(ask)
    const { value } = await cancelSet(ask.served.context, ask.caller, session, number)
    return ask.json(view(ask, value), 202)
  },
})

function named(ask: Ask): { session: SessionId; tag: number } {
  const session = sessionId(ask.param('session_id'))
  const text = ask.param('tag')
  if (!/^\d{1,15}$/.test(text)) throw refusal('tag', 'must be a whole number')
  return { session, tag: Number(text) }
}

export const setRoutes = [startRoute, listRoute, showRoute, cancelRoute]
