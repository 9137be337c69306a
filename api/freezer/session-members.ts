import { z } from 'zod'
import { endRound, startRound } from '../../controller/use-cases/session-rounds.ts'
import { addJobToSession, removeJobFromSession } from '../../controller/use-cases/sessions.ts'
import { EdgeFault } from '../faults.ts'
import { documentOf } from '../fields.ts'
import { operation } from '../operation.ts'
import type { Ask, Route } from '../route.ts'
import { isRound, readPart, roundForm } from './session-document.ts'
import type { Version } from './shown.ts'
import { changes, spec, type Group } from './spec.ts'
import { found } from './visible.ts'

/** Jobs of a session come and go, and its rounds begin and end. The action is documented as `actions`, really `action`. */
export const memberRoutes = (group: Group): Route[] => [
  addRoute(group),
  removeRoute(group),
  roundRoute(group, 'action', 'sendSessionAction'),
  roundRoute(group, 'actions', 'sendSessionActions'),
]

const one = ({ base }: Group): string => `${base}/sessions/:session_id`
const member = (group: Group): string => `${one(group)}/jobs/:job_id`

const addRoute = (group: Group): Route =>
  operation({
    ...spec(group, 'addJobToSession', 'Make a job a member, and no member of any other session'),
    ...{ ...changes, method: 'PUT', path: member(group), answers: { 204: 'nothing' } },
    answer: (ask) => changeMember(ask, group.version, addJobToSession),
  })

const removeRoute = (group: Group): Route =>
  operation({
    ...spec(group, 'removeJobFromSession', 'Take a job out of a session, and stop it'),
    ...{ ...changes, method: 'DELETE', path: member(group), answers: { 204: 'nothing' } },
    answer: (ask) => changeMember(ask, group.version, removeJobFromSession),
  })

async function changeMember(ask: Ask, version: Version, change: typeof addJobToSession): Promise<Response> {
  const { context } = ask.served
  const session = sessionOf(ask, version)
  const job = found(ask, version, 'job', context.state.get('job', ask.caller.project, ask.param('job_id')))
  await change(context, ask.caller, session.value.id, job.value.id)
  return ask.nothing()
}

const roundRoute = (group: Group, word: string, id: string): Route =>
  operation({
    ...spec(group, id, "Start or end a job's part of a round, as schedulers of clients without an agent do"),
    ...{ ...changes, method: 'POST', path: `${one(group)}/${word}`, body: roundForm },
    answers: { 202: roundAnswer },
    answer: async (ask, input) => {
      const session = sessionOf(ask, group.version).value.id
      if (!isRound(documentOf(await ask.body())))
        throw new EdgeFault('wrong_method', 'the actions of a session are start and end')
      const { start, end } = await input.body()
      const { context } = ask.served
      const { result, tag } = end
        ? await endRound(context, ask.caller, session, { ...readPart(end), result: end.result })
        : await startRound(context, ask.caller, session, readPart(start ?? noPart))
      return ask.json({ result, session_tag: tag }, 202)
    },
  })

const roundAnswer = z.object({ result: z.enum(['success', 'hold-off', 'out-of-sync']), session_tag: z.int() })
/** Never met: the form has one of the two. */
const noPart = { job_id: '', current_tag: 0 }

/** The session as it is stored, if it is there for the caller. */
export const sessionOf = (ask: Ask, version: Version, id = ask.param('session_id')) =>
  found(ask, version, 'session', ask.served.context.state.get('session', ask.caller.project, id))
