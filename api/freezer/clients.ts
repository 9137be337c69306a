import { z } from 'zod'
import { changeClient, registerClient, removeClient } from '../../controller/use-cases/clients.ts'
import { operation } from '../operation.ts'
import type { Ask, Route } from '../route.ts'
import { shownClient } from './answers.ts'
import { clientChangeForm, clientForm, readClient, readClientChange } from './client-document.ts'
import { clientView } from './client-view.ts'
import { sentDocument } from './forms.ts'
import { answerList, listOf, listSpec } from './listing.ts'
import type { Version } from './shown.ts'
import { changes, looks, spec, type Group } from './spec.ts'
import { candidates, found } from './visible.ts'

/** Freezer's clients: nodes, with an agent or a scheduler of their own. */
export function clientRoutes(group: Group): Route[] {
  const { base, version } = group
  const all = `${base}/clients`
  const one = `${all}/:client_id`
  return [
    operation({
      ...spec(group, 'listClients', 'List clients'),
      ...{ ...listSpec, path: all, answers: { 200: listOf('clients', shownClient) } },
      answer: (ask, input) => {
        const { state } = ask.served.context
        return answerList(ask, input, 'clients', {
          documents: (_search, skip) =>
            candidates(ask, version, (from) => state.of('client', ask.caller.project, from), skip),
          show: (client) => clientView(client, version),
        })
      },
    }),
    operation({
      ...spec(group, 'registerClient', 'Register a client that has no agent'),
      ...{ ...changes, method: 'POST', path: all, body: clientForm },
      answers: { 201: clientAnswer },
      answer: async (ask, input) => {
        const fields = readClient(await sentDocument(ask, input))
        const { value } = await registerClient(ask.served.context, ask.caller, fields)
        return ask.json({ client_id: value.id }, 201)
      },
    }),
    operation({
      ...spec(group, 'showClient', 'Show a client'),
      ...{ ...looks, path: one, answers: { 200: shownClient } },
      answer: (ask) => ask.json(clientView(clientOf(ask, version), version)),
    }),
    ...(version === 'v2' ? [changeRoute(group, one)] : []),
    operation({
      ...spec(group, 'deleteClient', 'Forget a client; one with an agent is shut out, too'),
      ...{ ...changes, method: 'DELETE', path: one, answers: { 204: 'nothing' } },
      answer: async (ask) => {
        await removeClient(ask.served.context, ask.caller, clientOf(ask, version).id)
        return ask.nothing()
      },
    }),
  ]
}

const clientAnswer = z.object({ client_id: z.string() })

/** Newer releases of Freezer have it, in v2. */
const changeRoute = (group: Group, path: string): Route =>
  operation({
    ...spec(group, 'changeClient', 'Change what is sent of a client'),
    ...{ ...changes, method: 'PATCH', path, body: clientChangeForm, answers: { 200: clientAnswer } },
    answer: async (ask, input) => {
      const { id } = clientOf(ask, group.version)
      const fields = readClientChange(await sentDocument(ask, input))
      await changeClient(ask.served.context, ask.caller, id, fields)
      return ask.json({ client_id: id })
    },
  })

const clientOf = (ask: Ask, version: Version) =>
  found(
    ask,
    version,
    'client',
    ask.served.context.state.get('client', ask.caller.project, ask.param('client_id')),
  ).value
