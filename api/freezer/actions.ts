import { z } from 'zod'
import { actionId } from '../../core/ids.ts'
import { createAction, patchAction, removeAction, replaceAction } from '../../controller/use-cases/actions.ts'
import { etagHeader, expectationOf, matchHeaders } from '../etag.ts'
import { operation } from '../operation.ts'
import type { Ask, Route } from '../route.ts'
import { actionChangeForm, actionForm } from './action-document.ts'
import { actionView } from './action-view.ts'
import { shownAction } from './answers.ts'
import { changed, sentDocument } from './forms.ts'
import { readAction, readEntry } from './job-document.ts'
import { answerList, listOf, listSpec } from './listing.ts'
import type { Version } from './shown.ts'
import { changes, looks, spec, type Group } from './spec.ts'
import { candidates, found, refuseOthers } from './visible.ts'

/** Freezer's stored actions. */
export const actionRoutes = (group: Group): Route[] =>
  [
    listActionsRoute,
    createActionRoute,
    showActionRoute,
    putActionRoute,
    changeActionRoute,
    deleteActionRoute,
  ].map((route) => route(group))

const all = ({ base }: Group): string => `${base}/actions`
const one = (group: Group): string => `${all(group)}/:action_id`

function listActionsRoute(group: Group): Route {
  const { version } = group
  return operation({
    ...spec(group, 'listActions', 'List stored actions'),
    ...{ ...listSpec, path: all(group), answers: { 200: listOf('actions', shownAction) } },
    answer: (ask, input) => {
      const { state } = ask.served.context
      return answerList(ask, input, 'actions', {
        documents: (_search, skip) =>
          candidates(ask, version, (from) => state.of('action', ask.caller.project, from), skip),
        show: (action) => actionView(action, version),
      })
    },
  })
}

function createActionRoute(group: Group): Route {
  return operation({
    ...spec(group, 'createAction', 'Store an action under its own id, or one of the server'),
    ...{ ...changes, method: 'POST', path: all(group), body: actionForm },
    answers: { 201: z.object({ action_id: z.string() }) },
    answer: async (ask, input) => {
      const entry = readAction(await sentDocument(ask, input))
      const stored = await createAction(ask.served.context, ask.caller, entry)
      return ask.json({ action_id: stored.value.actionId }, 201, etagHeader(stored))
    },
  })
}

function showActionRoute(group: Group): Route {
  const { version } = group
  return operation({
    ...spec(group, 'showAction', 'Show a stored action'),
    ...{ ...looks, path: one(group), answers: { 200: shownAction } },
    answer: (ask) => {
      const stored = actionOf(ask, version)
      return ask.json(actionView(stored.value, version), 200, etagHeader(stored))
    },
  })
}

function putActionRoute(group: Group): Route {
  const { version } = group
  return operation({
    ...spec(group, 'putAction', 'Store an action under this id, or replace the one that has it'),
    headers: matchHeaders,
    ...changes,
    method: 'POST',
    path: one(group),
    body: actionForm,
    answers: { 201: changed('action_id') },
    answer: async (ask, input) => {
      const { context } = ask.served
      const id = actionId(ask.param('action_id'))
      refuseOthers(ask, version, context.state.get('action', ask.caller.project, id))
      const entry = readAction(await sentDocument(ask, input))
      const stored = await replaceAction(context, ask.caller, id, entry, expectationOf(ask))
      return ask.json({ action_id: id, version: stored.value.version }, 201, etagHeader(stored))
    },
  })
}

function changeActionRoute(group: Group): Route {
  const { version } = group
  return operation({
    ...spec(group, 'changeAction', 'Change what is sent of a stored action'),
    headers: matchHeaders,
    ...{ ...changes, method: 'PATCH', path: one(group), body: actionChangeForm },
    answers: { 200: changed('action_id') },
    answer: async (ask, input) => {
      const { actionId: id } = actionOf(ask, version).value
      const { actionId: _, ...change } = readEntry(await sentDocument(ask, input))
      const stored = await patchAction(ask.served.context, ask.caller, id, change, expectationOf(ask))
      return ask.json({ action_id: id, version: stored.value.version }, 200, etagHeader(stored))
    },
  })
}

function deleteActionRoute(group: Group): Route {
  const { version } = group
  return operation({
    ...spec(group, 'deleteAction', 'Delete a stored action; jobs keep what they have of it'),
    headers: matchHeaders,
    ...{ ...changes, method: 'DELETE', path: one(group), answers: { 204: 'nothing' } },
    answer: async (ask) => {
      const { actionId: id } = actionOf(ask, version).value
      await removeAction(ask.served.context, ask.caller, id, expectationOf(ask))
      return ask.nothing()
    },
  })
}

/** The action as it is stored, if it is there for the caller. */
const actionOf = (ask: Ask, version: Version) =>
  found(
    ask,
    version,
    'action',
    ask.served.context.state.get('action', ask.caller.project, ask.param('action_id')),
  )
