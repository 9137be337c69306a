import { actionId } from '../../core/ids.ts'
import { createAction, patchAction, removeAction, replaceAction } from '../../controller/use-cases/actions.ts'
import { documentOf } from '../fields.ts'
import type { Ask, Route } from '../route.ts'
import { readActionChange, readEntry, retriesOfActions } from './job-document.ts'
import { answerList } from './listing.ts'
import { actionView, type Version } from './views.ts'
import { found, refuseOthers, seen } from './visible.ts'

/** `base` is `/v1` or `/v2/:project_id`. */
export function actionRoutes(base: string, version: Version): Route[] {
  const all = `${base}/actions`
  const one = `${all}/:action_id`
  const errors = 'freezer'
  const actionOf = (ask: Ask) =>
    found(
      ask,
      version,
      'action',
      ask.served.context.state.get('action', ask.caller.project, ask.param('action_id')),
    )
  const entryOf = async (ask: Ask) => readEntry(documentOf(await ask.body()), {}, '', retriesOfActions)
  return [
    {
      ...{ method: 'GET', path: all, role: 'viewer', errors },
      answer: (ask) =>
        answerList(ask, 'actions', {
          documents: () => seen(ask, version, ask.served.context.state.of('action', ask.caller.project)),
          show: (action) => actionView(action, version),
        }),
    },
    {
      ...{ method: 'POST', path: all, role: 'operator', errors },
      async answer(ask) {
        const { value } = await createAction(ask.served.context, ask.caller, await entryOf(ask))
        return ask.json({ action_id: value.actionId }, 201)
      },
    },
    {
      ...{ method: 'GET', path: one, role: 'viewer', errors },
      answer: (ask) => ask.json(actionView(actionOf(ask), version)),
    },
    {
      ...{ method: 'POST', path: one, role: 'operator', errors },
      async answer(ask) {
        const id = actionId(ask.param('action_id'))
        refuseOthers(ask, version, ask.served.context.state.get('action', ask.caller.project, id))
        const { value } = await replaceAction(ask.served.context, ask.caller, id, await entryOf(ask))
        return ask.json({ action_id: id, version: value.version }, 201)
      },
    },
    {
      ...{ method: 'PATCH', path: one, role: 'operator', errors },
      async answer(ask) {
        const { actionId: id } = actionOf(ask)
        const change = readActionChange(documentOf(await ask.body()))
        const { value } = await patchAction(ask.served.context, ask.caller, id, change)
        return ask.json({ action_id: id, version: value.version })
      },
    },
    {
      ...{ method: 'DELETE', path: one, role: 'operator', errors },
      async answer(ask) {
        await removeAction(ask.served.context, ask.caller, actionOf(ask).actionId)
        return ask.nothing()
      },
    },
  ]
}
