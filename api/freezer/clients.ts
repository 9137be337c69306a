import { clientId } from '../../core/ids.ts'
import { registerClient, removeClient } from '../../controller/use-cases/clients.ts'
import { documentOf, othersOf, missing, some, textIn } from '../fields.ts'
import type { Ask, Route } from '../route.ts'
import { answerList } from './listing.ts'
import { clientView, type Version } from './views.ts'
import { found, seen } from './visible.ts'

/** `base` is `/v1` or `/v2/:project_id`. */
export function clientRoutes(base: string, version: Version): Route[] {
  const all = `${base}/clients`
  const one = `${all}/:client_id`
  const errors = 'freezer'
  const clientOf = (ask: Ask) =>
    found(
      ask,
      version,
      'client',
      ask.served.context.state.get('client', ask.caller.project, ask.param('client_id')),
    )
  return [
    {
      ...{ method: 'GET', path: all, role: 'viewer', errors },
      answer: (ask) =>
        answerList(ask, 'clients', {
          documents: () => seen(ask, version, ask.served.context.state.of('client', ask.caller.project)),
          show: (client) => clientView(client, version),
        }),
    },
    { method: 'POST', path: all, role: 'operator', errors, answer: register },
    {
      ...{ method: 'GET', path: one, role: 'viewer', errors },
      answer: (ask) => ask.json(clientView(clientOf(ask), version)),
    },
    {
      ...{ method: 'DELETE', path: one, role: 'operator', errors },
      async answer(ask) {
        await removeClient(ask.served.context, ask.caller, clientOf(ask).id)
        return ask.nothing()
      },
    },
  ]
}

/** The server's own, whatever a body says. */
const known: ReadonlySet<string> = new Set([
  ...['client_id', 'hostname', 'description', 'uuid', 'user_id', 'project_id', '_version', 'firn', 'client'],
])

async function register(ask: Ask): Promise<Response> {
  const document = documentOf(await ask.body())
  if (document['client_id'] === undefined) throw missing('client_id')
  const { value } = await registerClient(ask.served.context, ask.caller, {
    id: clientId(document['client_id']),
    ...some('hostname', textIn(document, 'hostname')),
    ...some('description', textIn(document, 'description', { max: 4096 })),
    ...some('uuid', textIn(document, 'uuid') || undefined),
    ...some('extra', othersOf(document, known)),
  })
  return ask.json({ client_id: value.id }, 201)
}
