import { z } from 'zod'
import { Fault } from '../../core/fault.ts'
import { isoOf } from '../../core/clock.ts'
import { clientId, userId } from '../../core/ids.ts'
import { revokeClient } from '../../controller/use-cases/clients.ts'
import { createJoinToken, enrol } from '../../controller/use-cases/enrol.ts'
import { placeOf } from '../../controller/use-cases/recent.ts'
import { createToken, revokeToken } from '../../controller/use-cases/tokens.ts'
import { closed, documentOf, integerIn, missing, some, textIn, wordIn } from '../fields.ts'
import { checked } from '../operation.ts'
import type { Ask, Route } from '../route.ts'
import { cut, oldestFirst, pageOf, pageQuery, valuesOf } from './paging.ts'
import { tokenView } from './views.ts'

const errors = 'problem'

export const accessRoutes: readonly Route[] = [
  {
    ...{ method: 'GET', path: '/v1/whoami', role: 'viewer', errors },
    answer: (ask) => ask.json(whoami(ask.caller)),
  },
  { method: 'GET', path: '/v1/tokens', role: 'admin', errors, answer: listTokens },
  { method: 'POST', path: '/v1/tokens', role: 'admin', errors, answer: makeToken },
  { method: 'DELETE', path: '/v1/tokens/:token_id', role: 'admin', errors, answer: endToken },
  { method: 'POST', path: '/v1/join-tokens', role: 'admin', errors, answer: makeJoinToken },
  { method: 'POST', path: '/v1/enrol', role: 'nobody', errors, answer: letIn },
  { method: 'POST', path: '/v1/clients/:client_id/revoke', role: 'admin', errors, answer: shutOut },
]

const whoami = ({ project, user, userName, role }: Ask['caller']) => ({
  project_id: project,
  user_id: user,
  user_name: userName,
  role,
})

/** A credential may live for at most ten years; one without an end has none. */
const ttlMaxS = 10 * 366 * 24 * 3600

function listTokens(ask: Ask): Response {
  const { limit, from } = pageOf(checked(z.object(pageQuery), ask.http.req.query(), 'query'))
  const tokens = valuesOf(ask.served.context.state.of('token', ask.caller.project))
  const { page, next } = cut(oldestFirst(tokens, from, placeOf), limit, placeOf)
  return ask.json({ tokens: page.map(tokenView), next })
}

async function makeToken(ask: Ask): Promise<Response> {
  const document = documentOf(await ask.body())
  closed(document, new Set(['project_id', 'user_id', 'user_name', 'role', 'ttl_seconds']))
  if (document['user_id'] === undefined) throw missing('user_id')
  const user = userId(document['user_id'])
  const role = wordIn(document, 'role', ['admin', 'operator', 'viewer'])
  if (role === undefined) throw missing('role')
  const project = textIn(document, 'project_id')
  if (project !== undefined && project !== ask.caller.project)
    throw new Fault('forbidden', 'project_id: a token can be made for the own project only', {
      field: 'project_id',
    })
  const { text, token } = await createToken(ask.served.context, ask.caller, {
    ...{ user, role, userName: textIn(document, 'user_name') ?? user },
    ...some('ttlS', integerIn(document, 'ttl_seconds', { min: 1, max: ttlMaxS })),
  })
  return ask.json({ ...tokenView(token.value), token: text }, 201)
}

async function endToken(ask: Ask): Promise<Response> {
  await revokeToken(ask.served.context, ask.caller, ask.param('token_id'))
  return ask.nothing()
}

async function makeJoinToken(ask: Ask): Promise<Response> {
  const document = documentOf(await ask.body())
  closed(document, new Set(['client_id', 'ttl_seconds']))
  const client = document['client_id']
  const { text, join } = await createJoinToken(ask.served.context, ask.served.enrol, ask.caller, {
    ...some('client', client === undefined ? undefined : clientId(client)),
    ...some('ttlS', integerIn(document, 'ttl_seconds', { min: 1, max: ttlMaxS })),
  })
  return ask.json({ join_token: text, expires_at: isoOf(join.expiresAt) }, 201)
}

async function letIn(ask: Ask): Promise<Response> {
  const document = documentOf(await ask.body())
  for (const key of ['join_token', 'csr', 'client_id']) if (document[key] === undefined) throw missing(key)
  const enrolled = await enrol(ask.served.context, ask.served.enrol, {
    joinToken: textIn(document, 'join_token') ?? '',
    csr: document['csr'],
    client: clientId(document['client_id']),
    hostname: textIn(document, 'hostname') ?? '',
  })
  return ask.json({
    project_id: enrolled.project,
    client_id: enrolled.client,
    certificate: enrolled.certificate,
    ca: enrolled.ca,
    servers: enrolled.servers,
    nats: enrolled.nats,
  })
}

async function shutOut(ask: Ask): Promise<Response> {
  await revokeClient(ask.served.context, ask.caller, clientId(ask.param('client_id')))
  return ask.nothing()
}
