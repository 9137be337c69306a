import { z } from 'zod'
import type { Repository } from '../../core/catalogue.ts'
import { Fault } from '../../core/fault.ts'
import { clientId, repositoryId } from '../../core/ids.ts'
import { placeOf } from '../../controller/use-cases/recent.ts'
import { createRepository, patchRepository } from '../../controller/use-cases/repositories.ts'
import { etagHeader, matchHeaders, expectationOf } from '../etag.ts'
import { some } from '../fields.ts'
import { operation } from '../operation.ts'
import type { Ask } from '../route.ts'
import { repositoryForm } from './documents.ts'
import { clientText, listOf } from './forms.ts'
import { cut, pageOf, pageQuery, valuesOf } from './paging.ts'
import { repositoryView } from './views.ts'

const errors = 'problem'
const tag = 'Repositories'
const one = '/v1/repositories/:repository_id'

const location = z
  .string()
  .max(4096)
  .regex(/^\/[^\0]*$/, 'must be an absolute path')
  .meta({ description: 'An absolute path on the node' })

const password = z.string().min(1).max(1024)

const listRoute = operation({
  ...{ method: 'GET', path: '/v1/repositories', role: 'viewer', errors },
  ...{ tag, id: 'listRepositories', summary: 'List repositories, oldest first' },
  query: z.object(pageQuery),
  answers: { 200: listOf('repositories', repositoryForm) },
  answer(ask, { query }) {
    const wanted = pageOf(ask, query)
    const stored = valuesOf(ask.served.recent.repositoriesOf(ask.caller.project, wanted.from))
    const { page, next } = cut(stored, wanted, placeOf)
    return ask.json({ repositories: page.map(repositoryView), next })
  },
})

const makeRoute = operation({
  ...{ method: 'POST', path: '/v1/repositories', role: 'admin', errors },
  ...{ tag, id: 'createRepository', summary: 'Make a repository known' },
  description: 'An agent creates it when it is first used.',
  body: z.strictObject({
    location,
    // Engines that keep what they save in a repository.
    engine: z.enum(['restic']).default('restic'),
    client_id: clientText('The node whose own it is; without it, it is shared').optional(),
    password: password.optional().meta({ description: 'What opens it; without it a random one is made' }),
  }),
  answers: { 201: repositoryForm },
  async answer(ask, { body }) {
    const { client_id, password: given, ...wish } = await body()
    const stored = await createRepository(ask.served.context, ask.caller, {
      ...wish,
      ...some('client', client_id === undefined ? undefined : clientId(client_id)),
      ...some('password', given),
    })
    return shown(ask, stored, 201)
  },
})

const showRoute = operation({
  ...{ method: 'GET', path: one, role: 'viewer', errors },
  ...{ tag, id: 'getRepository', summary: 'Show a repository' },
  answers: { 200: repositoryForm },
  answer(ask) {
    const id = repositoryId(ask.param('repository_id'))
    const repository = ask.served.context.state.get('repository', ask.caller.project, id)
    if (!repository) throw new Fault('not_found', `no repository ${id}`)
    return shown(ask, repository)
  },
})

const patchRoute = operation({
  ...{ method: 'PATCH', path: one, role: 'admin', errors },
  ...{ tag, id: 'patchRepository', summary: 'Say anew where a repository lies, or what opens it' },
  description:
    'For data that was moved, or whose password was changed, by hand: Firn touches neither. Runs that are under way go on with what they were sent.',
  headers: matchHeaders,
  body: z.strictObject({ location: location.optional(), password: password.optional() }),
  answers: { 200: repositoryForm },
  async answer(ask, { body }) {
    const change = await body()
    const id = repositoryId(ask.param('repository_id'))
    return shown(ask, await patchRepository(ask.served.context, ask.caller, id, change, expectationOf(ask)))
  },
})

const shown = (
  ask: Ask,
  stored: { readonly value: Repository; readonly revision: number },
  status = 200,
): Response => ask.json(repositoryView(stored.value), status, etagHeader(stored))

export const repositoryRoutes = [listRoute, makeRoute, showRoute, patchRoute]
