import { instant } from '../core/clock.ts'
import { clientId, jobId, projectId, repositoryId, runId, sessionId, slot } from '../core/ids.ts'
import { epoch, type Ask, type Epoch, type Order, type RepositoryAccess } from '../core/link.ts'
import type { Reason } from '../core/run.ts'
import * as wire from './gen/firn/v1/agent.ts'
import { count, given, id, pathOf, present, refuse, textOf } from './strict.ts'
import { tasksFromJson, tasksToJson } from './tasks.ts'
import { stepResultFromWire, wireFromStepResult } from './words.ts'

/** Which attempt a message is about. */
export const attemptFromWire = (message: { runId: string; attempt: number }) => ({
  run: id(runId, message.runId),
  attempt: count('attempt', message.attempt),
})

export const reasonFromWire = (field: string, reason: wire.Reason | undefined): Reason => {
  const { code, text } = present(field, reason)
  return { code, text }
}

export const epochFromWire = (number: number): Epoch => epoch(count('epoch', number))

export const wireFromAccess = (access: RepositoryAccess): wire.RepositoryAccess => ({
  id: access.id,
  engine: access.engine,
  location: access.location,
  password: access.password,
  expectedId: access.expectedId ?? '',
})

export const accessFromWire = (access: wire.RepositoryAccess): RepositoryAccess => ({
  id: id(repositoryId, access.id),
  engine: access.engine,
  location: access.location,
  password: access.password,
  ...given({ expectedId: textOf(access.expectedId) }),
})

export const wireFromOrder = (order: Order): wire.Order => ({
  runId: order.run,
  projectId: order.project,
  jobId: order.job,
  clientId: order.client,
  slot: order.slot,
  sessionId: order.session?.id ?? '',
  sessionTag: order.session?.tag ?? 0,
  attempt: order.attempt,
  epoch: order.epoch,
  tasksJson: tasksToJson(order.tasks),
  before: order.before.map(({ tries, result }) => ({
    tries,
    result: result === undefined ? wire.Result.RESULT_UNSPECIFIED : wireFromStepResult[result],
  })),
  repositories: order.repositories.map(wireFromAccess),
  hold: order.hold,
  answerByMs: order.answerBy,
  runMs: order.runMs,
})

/** Throws Fault('bad_message'), and Fault('unsupported') for tasks that this version does not know. */
export function orderFromWire(order: wire.Order): Order {
  const tasks = tasksFromJson(order.tasksJson)
  if (order.before.length !== tasks.length) refuse('before: not one for each task')
  return {
    ...attemptFromWire(order),
    project: id(projectId, order.projectId),
    job: id(jobId, order.jobId),
    client: id(clientId, order.clientId),
    slot: id(slot, order.slot),
    ...given({ session: sessionFromWire(order) }),
    epoch: epochFromWire(order.epoch),
    tasks,
    before: order.before.map(beforeFromWire),
    repositories: order.repositories.map(accessFromWire),
    hold: order.hold,
    answerBy: instant(count('answer_by_ms', order.answerByMs)),
    runMs: count('run_ms', order.runMs),
  }
}

const sessionFromWire = (order: wire.Order): Order['session'] =>
  order.sessionId === ''
    ? undefined
    : { id: id(sessionId, order.sessionId), tag: count('session_tag', order.sessionTag) }

const beforeFromWire = ({ tries, result }: wire.StepBefore): Order['before'][number] => ({
  tries: count('before.tries', tries),
  ...(result === wire.Result.RESULT_UNSPECIFIED ? {} : { result: stepResultFromWire(result) }),
})

export const wireFromAsk = (ask: Ask): wire.Ask => ({
  id: ask.id,
  repository: wireFromAccess(ask.repository),
  engineRef: ask.engineRef,
  path: Buffer.from(ask.path),
  limit: ask.limit,
})

export function askFromWire(ask: wire.Ask): Ask {
  const { path, pathBase64 } = pathOf(ask.path)
  if (pathBase64 !== undefined) refuse('ask.path is not UTF-8')
  return {
    id: ask.id,
    about: 'browse',
    repository: accessFromWire(present('ask.repository', ask.repository)),
    engineRef: ask.engineRef,
    path,
    limit: count('ask.limit', ask.limit),
  }
}
