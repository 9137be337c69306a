import { Fault } from '../../core/fault.ts'
import { clientId, repositoryId } from '../../core/ids.ts'
import { placeOf } from '../../controller/use-cases/recent.ts'
import { createRepository } from '../../controller/use-cases/repositories.ts'
import { closed, documentOf, missing, refusal, some, textIn, wordIn } from '../fields.ts'
import type { Ask, Route } from '../route.ts'
import { cut, oldestFirst, pageOf, valuesOf } from './paging.ts'
import { repositoryView } from './views.ts'

const errors = 'problem'

export const repositoryRoutes: readonly Route[] = [
  { method: 'GET', path: '/v1/repositories', role: 'viewer', errors, answer: list },
  { method: 'POST', path: '/v1/repositories', role: 'admin', errors, answer: make },
  { method: 'GET', path: '/v1/repositories/:repository_id', role: 'viewer', errors, answer: show },
]

/** Engines that keep what they save in a repository. */
const engines = ['restic'] as const

function list(ask: Ask): Response {
  const { limit, from } = pageOf(ask)
  const stored = valuesOf(ask.served.context.state.of('repository', ask.caller.project))
  const { page, next } = cut(oldestFirst(stored, from, placeOf), limit, placeOf)
  return ask.json({ repositories: page.map(repositoryView), next })
}

function show(ask: Ask): Response {
  const id = repositoryId(ask.param('repository_id'))
  const repository = ask.served.context.state.get('repository', ask.caller.project, id)
  if (!repository) throw new Fault('not_found', `no repository ${id}`)
  return ask.json(repositoryView(repository.value))
}

async function make(ask: Ask): Promise<Response> {
  const document = documentOf(await ask.body())
  closed(document, new Set(['engine', 'location', 'client_id', 'password']))
  const location = textIn(document, 'location', { max: 4096 })
  if (location === undefined) throw missing('location')
  if (!location.startsWith('/')) throw refusal('location', 'must be an absolute path')
  const client = document['client_id']
  const { value } = await createRepository(ask.served.context, ask.caller, {
    ...{ engine: wordIn(document, 'engine', engines) ?? 'restic', location },
    ...some('client', client === undefined ? undefined : clientId(client)),
    ...some('password', textIn(document, 'password', { max: 1024 }) || undefined),
  })
  return ask.json(repositoryView(value), 201)
}
