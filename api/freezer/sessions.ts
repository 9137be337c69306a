import { z } from 'zod'
import type { JsonObject } from '../../core/action.ts'
import { sessionId } from '../../core/ids.ts'
import type { Session } from '../../core/job.ts'
import { sessionEvent } from '../../controller/use-cases/session-events.ts'
import {
  createSession,
  patchSession,
  removeSession,
  replaceSession,
} from '../../controller/use-cases/sessions.ts'
import { etagHeader, expectationOf, matchHeaders } from '../etag.ts'
import { operation } from '../operation.ts'
import type { Ask, Route } from '../route.ts'
import { shownSession } from './answers.ts'
import { changed, sentDocument, spelling } from './forms.ts'
import { answerList, listOf, listSpec } from './listing.ts'
import { namedSessionForm, readSession, sessionForm, spellingOf } from './session-document.ts'
import { memberRoutes, sessionOf } from './session-members.ts'
import { sessionView } from './session-view.ts'
import type { Version } from './shown.ts'
import { changes, looks, spec, type Group } from './spec.ts'
import { candidates, refuseOthers, seenBy } from './visible.ts'

/** Freezer's sessions. */
export const sessionRoutes = (group: Group): Route[] => [...documentRoutes(group), ...memberRoutes(group)]

const documentRoutes = (group: Group): Route[] =>
  [
    listSessionsRoute,
    createSessionRoute,
    changeNamedSessionRoute,
    showSessionRoute,
    putSessionRoute,
    changeSessionRoute,
    deleteSessionRoute,
  ].map((route) => route(group))

const all = ({ base }: Group): string => `${base}/sessions`
const one = (group: Group): string => `${all(group)}/:session_id`

function listSessionsRoute(group: Group): Route {
  const { version } = group
  return operation({
    ...spec(group, 'listSessions', 'List sessions'),
    ...{ ...listSpec, path: all(group), answers: { 200: listOf('sessions', shownSession) } },
    answer: (ask, input) => {
      const seen = seenBy(ask)
      return answerList(ask, input, 'sessions', {
        documents: (_search, skip) =>
          candidates(ask, version, (from) => seen.state.of('session', ask.caller.project, from), skip),
        show: (session: Session) => sessionView(seen, session, version),
      })
    },
  })
}

function createSessionRoute(group: Group): Route {
  return operation({
    ...spec(group, 'createSession', 'Create a session under an id of the server'),
    ...{ ...changes, method: 'POST', path: all(group), body: sessionForm },
    answers: { 201: z.object({ session_id: z.string() }) },
    answer: async (ask, input) => {
      const document = await sentDocument(ask, input)
      const stored = await spelling(spellingOf(document), () =>
        createSession(ask.served.context, ask.caller, readSession(document)),
      )
      return ask.json({ session_id: stored.value.id }, 201, etagHeader(stored))
    },
  })
}

function changeNamedSessionRoute(group: Group): Route {
  const { version } = group
  return operation({
    ...spec(group, 'changeNamedSession', 'Change the session that the body names'),
    ...{ ...changes, method: 'PATCH', path: all(group), body: namedSessionForm },
    answers: { 200: changed('session_id') },
    answer: async (ask, input) => {
      const { session_id } = await input.body()
      return patch(ask, version, session_id, () => sentDocument(ask, input))
    },
  })
}

function showSessionRoute(group: Group): Route {
  const { version } = group
  return operation({
    ...spec(group, 'showSession', 'Show a session, and where its newest round stands'),
    ...{ ...looks, path: one(group), answers: { 200: shownSession } },
    answer: (ask) => {
      const stored = sessionOf(ask, version)
      return ask.json(sessionView(seenBy(ask), stored.value, version), 200, etagHeader(stored))
    },
  })
}

function putSessionRoute(group: Group): Route {
  const { version } = group
  return operation({
    ...spec(group, 'putSession', 'Create a session under this id, or replace the one that has it'),
    headers: matchHeaders,
    ...changes,
    method: 'POST',
    path: one(group),
    body: sessionForm,
    answers: { 201: changed('session_id') },
    answer: async (ask, input) => {
      const { context } = ask.served
      const id = sessionId(ask.param('session_id'))
      refuseOthers(ask, version, context.state.get('session', ask.caller.project, id))
      const document = await sentDocument(ask, input)
      const fields = readSession(document)
      const stored = await spelling(spellingOf(document), () =>
        replaceSession(context, ask.caller, id, fields, expectationOf(ask)),
      )
      if (fields.event) await sessionEvent(context, ask.caller, stored.value, fields.event)
      return ask.json({ session_id: id, version: stored.value.version }, 201, etagHeader(stored))
    },
  })
}

function changeSessionRoute(group: Group): Route {
  const { version } = group
  return operation({
    ...spec(group, 'changeSession', 'Change what is sent of a session; its jobs get a changed schedule, too'),
    headers: matchHeaders,
    ...changes,
    method: 'PATCH',
    path: one(group),
    body: sessionForm,
    answers: { 200: changed('session_id') },
    answer: (ask, input) => patch(ask, version, ask.param('session_id'), () => sentDocument(ask, input)),
  })
}

function deleteSessionRoute(group: Group): Route {
  const { version } = group
  return operation({
    ...spec(group, 'deleteSession', 'Delete a session; its jobs leave it and are stopped'),
    headers: matchHeaders,
    ...{ ...changes, method: 'DELETE', path: one(group), answers: { 204: 'nothing' } },
    answer: async (ask) => {
      const { id } = sessionOf(ask, version).value
      await removeSession(ask.served.context, ask.caller, id, expectationOf(ask))
      return ask.nothing()
    },
  })
}

async function patch(
  ask: Ask,
  version: Version,
  named: string,
  sent: () => Promise<JsonObject>,
): Promise<Response> {
  const { context } = ask.served
  const { id } = sessionOf(ask, version, named).value
  const document = await sent()
  const fields = readSession(document)
  const stored = await spelling(spellingOf(document), () =>
    patchSession(context, ask.caller, id, fields, expectationOf(ask)),
  )
  if (fields.event) await sessionEvent(context, ask.caller, stored.value, fields.event)
  return ask.json({ session_id: id, version: stored.value.version }, 200, etagHeader(stored))
}
