import { z } from 'zod'
import type { JsonObject } from '../../core/action.ts'
import { jobId, sessionId } from '../../core/ids.ts'
import type { Session } from '../../core/job.ts'
import { sessionEvent } from '../../controller/use-cases/session-events.ts'
import { endRound, startRound } from '../../controller/use-cases/session-rounds.ts'
import {
  addJobToSession,
  createSession,
  patchSession,
  removeJobFromSession,
  removeSession,
  replaceSession,
} from '../../controller/use-cases/sessions.ts'
import { etagHeader, expectationOf, matchHeaders } from '../etag.ts'
import { EdgeFault } from '../faults.ts'
import { documentOf } from '../fields.ts'
import { operation } from '../operation.ts'
import type { Ask, Route } from '../route.ts'
import { shownSession } from './answers.ts'
import { changed, sentDocument, spelling } from './forms.ts'
import { answerList, listOf, listSpec } from './listing.ts'
import {
  isRound,
  namedSessionForm,
  readPart,
  readSession,
  roundForm,
  sessionForm,
  spellingOf,
} from './session-document.ts'
import { sessionView } from './session-view.ts'
import { seenBy, type Version } from './shown.ts'
import { changes, looks, spec, type Group } from './spec.ts'
import { candidates, found, refuseOthers } from './visible.ts'

/** Freezer's sessions. */
export const sessionRoutes = (group: Group): Route[] => [...documentRoutes(group), ...memberRoutes(group)]

function documentRoutes(group: Group): Route[] {
  const { base, version } = group
  const all = `${base}/sessions`
  const one = `${all}/:session_id`
  return [
    operation({
      ...spec(group, 'listSessions', 'List sessions'),
      ...{ ...listSpec, path: all, answers: { 200: listOf('sessions', shownSession) } },
      answer: (ask, input) => {
        const seen = seenBy(ask)
        return answerList(ask, input, 'sessions', {
          documents: (_search, skip) =>
            candidates(ask, version, (from) => seen.state.of('session', ask.caller.project, from), skip),
          show: (session: Session) => sessionView(seen, session, version),
        })
      },
    }),
    operation({
      ...spec(group, 'createSession', 'Create a session under an id of the server'),
      ...{ ...changes, method: 'POST', path: all, body: sessionForm },
      answers: { 201: z.object({ session_id: z.string() }) },
      answer: async (ask, input) => {
        const document = await sentDocument(ask, input)
        const stored = await spelling(spellingOf(document), () =>
          createSession(ask.served.context, ask.caller, readSession(document)),
        )
        return ask.json({ session_id: stored.value.id }, 201, etagHeader(stored))
      },
    }),
    operation({
      ...spec(group, 'changeNamedSession', 'Change the session that the body names'),
      ...{ ...changes, method: 'PATCH', path: all, body: namedSessionForm },
      answers: { 200: changed('session_id') },
      answer: async (ask, input) => {
        const { session_id } = await input.body()
        return patch(ask, version, session_id, () => sentDocument(ask, input))
      },
    }),
    operation({
      ...spec(group, 'showSession', 'Show a session, and where its newest round stands'),
      ...{ ...looks, path: one, answers: { 200: shownSession } },
      answer: (ask) => {
        const stored = sessionOf(ask, version)
        return ask.json(sessionView(seenBy(ask), stored.value, version), 200, etagHeader(stored))
      },
    }),
    operation({
      ...spec(group, 'putSession', 'Create a session under this id, or replace the one that has it'),
      headers: matchHeaders,
      ...{
        ...changes,
        method: 'POST',
        path: one,
        body: sessionForm,
        answers: { 201: changed('session_id') },
      },
      answer: async (ask, input) => {
        const { context } = ask.served
        const id = sessionId(ask.param('session_id'))
        refuseOthers(ask, version, context.state.get('session', ask.caller.project, id))
        const document = await sentDocument(ask, input)
        const stored = await spelling(spellingOf(document), () =>
          replaceSession(context, ask.caller, id, readSession(document), expectationOf(ask)),
        )
        return ask.json({ session_id: id, version: stored.value.version }, 201, etagHeader(stored))
      },
    }),
    operation({
      ...spec(
        group,
        'changeSession',
        'Change what is sent of a session; its jobs get a changed schedule, too',
      ),
      headers: matchHeaders,
      ...{
        ...changes,
        method: 'PATCH',
        path: one,
        body: sessionForm,
        answers: { 200: changed('session_id') },
      },
      answer: (ask, input) => patch(ask, version, ask.param('session_id'), () => sentDocument(ask, input)),
    }),
    operation({
      ...spec(group, 'deleteSession', 'Delete a session; its jobs leave it and are stopped'),
      headers: matchHeaders,
      ...{ ...changes, method: 'DELETE', path: one, answers: { 204: 'nothing' } },
      answer: async (ask) => {
        const { id } = sessionOf(ask, version).value
        await removeSession(ask.served.context, ask.caller, id, expectationOf(ask))
        return ask.nothing()
      },
    }),
  ]
}

function memberRoutes(group: Group): Route[] {
  const { base, version } = group
  const one = `${base}/sessions/:session_id`
  const member = `${one}/jobs/:job_id`
  return [
    operation({
      ...spec(group, 'addJobToSession', 'Make a job a member, and no member of any other session'),
      ...{ ...changes, method: 'PUT', path: member, answers: { 204: 'nothing' } },
      answer: (ask) => changeMember(ask, version, addJobToSession),
    }),
    operation({
      ...spec(group, 'removeJobFromSession', 'Take a job out of a session, and stop it'),
      ...{ ...changes, method: 'DELETE', path: member, answers: { 204: 'nothing' } },
      answer: (ask) => changeMember(ask, version, removeJobFromSession),
    }),
    // Documented as `actions`, really `action`.
    ...(['action', 'actions'] as const).map((word) =>
      operation({
        ...spec(group, word === 'action' ? 'sendSessionAction' : 'sendSessionActions', roundSummary),
        ...{ ...changes, method: 'POST', path: `${one}/${word}`, body: roundForm },
        answers: { 202: roundAnswer },
        answer: async (ask, input) => {
          const { id } = sessionOf(ask, version).value
          if (!isRound(documentOf(await ask.body())))
            throw new EdgeFault('wrong_method', 'the actions of a session are start and end')
          const { start, end } = await input.body()
          const { context } = ask.served
          const { result, tag } = end
            ? await endRound(context, ask.caller, id, { ...readPart(end), result: end.result })
            : await startRound(context, ask.caller, id, readPart(start ?? noPart))
          return ask.json({ result, session_tag: tag }, 202)
        },
      }),
    ),
  ]
}

const roundSummary = "Start or end a job's part of a round, as schedulers of clients without an agent do"
const roundAnswer = z.object({ result: z.enum(['success', 'hold-off', 'out-of-sync']), session_tag: z.int() })
/** Never met: the form has one of the two. */
const noPart = { job_id: '', current_tag: 0 }

/** The session as it is stored, if it is there for the caller. */
const sessionOf = (ask: Ask, version: Version, id = ask.param('session_id')) =>
  found(ask, version, 'session', ask.served.context.state.get('session', ask.caller.project, id))

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

async function changeMember(ask: Ask, version: Version, change: typeof addJobToSession): Promise<Response> {
  const { context } = ask.served
  const session = sessionOf(ask, version)
  const id = jobId(ask.param('job_id'))
  const job = found(ask, version, 'job', context.state.get('job', ask.caller.project, id))
  await change(context, ask.caller, session.value.id, job.value.id)
  return ask.nothing()
}
