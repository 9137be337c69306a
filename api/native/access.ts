import { z } from 'zod'
import { roles } from '../../core/catalogue.ts'
import { projectId, userId } from '../../core/ids.ts'
import { placeOf } from '../../controller/use-cases/recent.ts'
import { createToken, revokeToken } from '../../controller/use-cases/tokens.ts'
import { some } from '../fields.ts'
import { operation } from '../operation.ts'
import { line } from '../plain-text.ts'
import type { Route } from '../route.ts'
import { enrolmentRoutes } from './enrolment.ts'
import { at, flagText, idText, listOf, ttlSeconds } from './forms.ts'
import { cut, oldestFirst, pageOf, pageQuery, valuesOf } from './paging.ts'
import { tokenView } from './views.ts'

const errors = 'problem'
const tag = 'Access'

const roleForm = z.enum(roles).meta({
  description:
    'A viewer looks, an operator also changes and starts, an admin is the administrator of the installation',
})

const whoForm = z.object({
  project_id: z.string(),
  user_id: z.string(),
  user_name: z.string(),
  role: roleForm,
})

const tokenForm = whoForm
  .extend({
    token_id: z.string(),
    created_at: at(),
    expires_at: at('Null: it does not expire'),
    revoked_at: at('Null: it was not revoked'),
  })
  .meta({ id: 'Token', description: 'What a token is for; never its secret' })

const whoRoute = operation({
  ...{ method: 'GET', path: '/v1/whoami', role: 'viewer', errors },
  ...{ tag, id: 'whoami', summary: 'Tell whose token this is' },
  answers: { 200: whoForm },
  answer(ask) {
    const { project, user, userName, role } = ask.caller
    return ask.json({ project_id: project, user_id: user, user_name: userName, role })
  },
})

const listRoute = operation({
  ...{ method: 'GET', path: '/v1/tokens', role: 'admin', errors },
  ...{ tag, id: 'listTokens', summary: 'List tokens, oldest first' },
  description: "Firn's own: not those that a Keystone issues.",
  query: z.object({ ...pageQuery, all_projects: flagText('Those of all projects, not only of the own') }),
  answers: { 200: listOf('tokens', tokenForm) },
  answer(ask, { query }) {
    const { state } = ask.served.context
    const wanted = pageOf(ask, query)
    const stored = query.all_projects === 'true' ? state.all('token') : state.of('token', ask.caller.project)
    const { page, next } = cut(oldestFirst(valuesOf(stored), wanted.from, placeOf), wanted, placeOf)
    return ask.json({ tokens: page.map(tokenView), next })
  },
})

const makeRoute = operation({
  ...{ method: 'POST', path: '/v1/tokens', role: 'admin', errors },
  ...{ tag, id: 'createToken', summary: 'Make a token, for any project' },
  body: z.strictObject({
    project_id: idText('The project that it acts in; the own one without it').optional(),
    user_id: idText('Who will use it: what is made with it belongs to that user'),
    user_name: line(z.string().max(255)).optional().meta({ description: 'To show; the id without it' }),
    role: roleForm,
    ttl_seconds: ttlSeconds('How long it is valid; for ever without it').optional(),
  }),
  answers: {
    201: tokenForm.extend({ token: z.string().meta({ description: 'For `X-Auth-Token`. Shown only now' }) }),
  },
  async answer(ask, { body }) {
    const { project_id, user_id, user_name, role, ttl_seconds } = await body()
    const { text, token } = await createToken(ask.served.context, {
      project: project_id === undefined ? ask.caller.project : projectId(project_id),
      ...{ user: userId(user_id), userName: user_name ?? user_id, role },
      ...some('ttlS', ttl_seconds),
    })
    return ask.json({ ...tokenView(token.value), token: text }, 201)
  },
})

const endRoute = operation({
  ...{ method: 'DELETE', path: '/v1/tokens/:token_id', role: 'admin', errors },
  ...{ tag, id: 'revokeToken', summary: 'Make a token invalid at once, of any project' },
  description: 'The last valid one of an administrator stays (409): nobody could make another.',
  answers: { 204: 'nothing' },
  async answer(ask) {
    await revokeToken(ask.served.context, ask.caller, ask.param('token_id'))
    return ask.nothing()
  },
})

export const accessRoutes: readonly Route[] = [whoRoute, listRoute, makeRoute, endRoute, ...enrolmentRoutes]
