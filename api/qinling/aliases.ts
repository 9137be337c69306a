import { z } from 'zod'
import type { JsonObject } from '../../core/action.ts'
import { Fault } from '../../core/fault.ts'
import { uuidOf, uuidOfName, type ActionId } from '../../core/ids.ts'
import { changeAlias, createAlias, existingAlias, removeAlias } from '../../controller/use-cases/aliases.ts'
import { refusal, some } from '../fields.ts'
import type { Ask, Route } from '../route.ts'
import { filterText, filtersOf, limitOf, scopeOf, scopeQuery } from './filters.ts'
import { nameText, numberOf, textOf, timeShown, uuidIn, uuidShown, uuidText, versionText } from './forms.ts'
import { answerList, collected, inOrder, valuesIn } from './listing.ts'
import { actionNamed } from './lookup.ts'
import { qinlingOperation } from './operation.ts'
import { shownTime, shownTimeOrNull } from './shown.ts'
import type { Alias } from './stored.ts'

const aliasShown = z
  .object({
    id: uuidShown,
    name: z.string(),
    function_id: uuidShown,
    function_version: z.int(),
    description: z.string(),
    project_id: z.string(),
    created_at: timeShown,
    updated_at: timeShown.nullable(),
  })
  .meta({ id: 'QinlingAlias' })

const aliasView = (alias: Alias): JsonObject => ({
  id: uuidOfName('alias', alias.project, alias.name),
  name: alias.name,
  function_id: uuidOf(alias.action),
  function_version: alias.version,
  description: alias.description,
  project_id: alias.project,
  created_at: shownTime(alias.createdAt),
  updated_at: shownTimeOrNull(alias.updatedAt),
})

const changeable = {
  ...{ id: uuidText, function_id: uuidText, function_version: versionText },
  description: z.string().max(4096).nullable().optional(),
}

const aliasForm = z
  .strictObject({ ...changeable, name: nameText })
  .meta({ id: 'QinlingAliasRequest', description: 'Null is as good as absent' })

const aliasChangeForm = z
  .strictObject({ ...changeable, name: nameText })
  .meta({ id: 'QinlingAliasChange', description: 'Null leaves a value as it is; the name stays' })

/** No control characters, which no command line could name. */
// oxlint-disable-next-line no-control-regex
const nameForm = /^[^\u0000-\u001f\u007f]+$/

const actionIn = (ask: Ask, text: string): ActionId => {
  const uuid = uuidIn(text, 'function_id')
  const action = actionNamed(ask, ask.caller.project, uuid)
  if (!action) throw new Fault('not_found', `no function ${uuid}`)
  return action.actionId
}

async function create(ask: Ask, body: z.output<typeof aliasForm>): Promise<Response> {
  const { name } = body
  if (!name) throw refusal('name', 'is needed')
  if (!nameForm.test(name) || !name.isWellFormed())
    throw refusal('name', 'may hold no control characters, nor halves of characters')
  // In a path they mean something else: nobody could ask for such an alias.
  if (name === '.' || name === '..') throw refusal('name', 'must be more than dots')
  if (!body.function_id) throw refusal('function_id', 'is needed')
  const { value } = await createAlias(ask.served.context, ask.caller, name, {
    action: actionIn(ask, body.function_id),
    version: numberOf(body.function_version) ?? 0,
    description: body.description ?? '',
  })
  return ask.json(aliasView(value), 201)
}

async function change(ask: Ask, body: () => Promise<z.output<typeof aliasChangeForm>>): Promise<Response> {
  const { name } = aliasOf(ask)
  const sent = await body()
  const { value } = await changeAlias(ask.served.context, ask.caller, name, {
    ...some('action', sent.function_id ? actionIn(ask, sent.function_id) : undefined),
    ...some('version', numberOf(sent.function_version)),
    ...some('description', textOf(sent.description)),
  })
  return ask.json(aliasView(value))
}

const aliasOf = (ask: Ask): Alias => existingAlias(ask.served.context, ask.caller, ask.param('name')).value

const query = z.strictObject({ ...scopeQuery, name: filterText })

const limitStandard = 10_000

async function list(ask: Ask, asked: z.output<typeof query>): Promise<Response> {
  const { projects, isWanted } = scopeOf(ask, asked, 'alias')
  const passes = filtersOf(asked, ['name'])
  const shown = await collected(
    valuesIn(projects, (project) => ask.served.context.state.of('alias', project)),
    aliasView,
    (view) => isWanted(view) && passes(view),
    limitOf(asked.limit, limitStandard),
  )
  return answerList(ask, 'function_aliases', inOrder(shown, projects))
}

const one = { path: '/aliases/:name', params: { name: "The alias's name." } } as const

export const aliasRoutes: readonly Route[] = [
  qinlingOperation({
    ...{ method: 'GET', path: '/aliases', role: 'viewer', id: 'listQinlingAliases', query },
    summary: 'List the aliases',
    answers: { 200: z.object({ function_aliases: z.array(aliasShown) }) },
    answer: (ask, { query: asked }) => list(ask, asked),
  }),
  qinlingOperation({
    ...{ method: 'POST', path: '/aliases', role: 'operator', id: 'createQinlingAlias', body: aliasForm },
    summary: 'Give a saved action a name that jobs may follow',
    answers: { 201: aliasShown },
    answer: async (ask, input) => create(ask, await input.body()),
  }),
  qinlingOperation({
    ...{ method: 'GET', ...one, role: 'viewer', id: 'showQinlingAlias' },
    summary: 'Show an alias',
    answers: { 200: aliasShown },
    answer: (ask) => ask.json(aliasView(aliasOf(ask))),
  }),
  qinlingOperation({
    ...{ method: 'PUT', ...one, role: 'operator', id: 'changeQinlingAlias', body: aliasChangeForm },
    summary: 'Point an alias elsewhere',
    description: 'Jobs that follow it do so from their next firing on.',
    answers: { 200: aliasShown },
    answer: (ask, input) => change(ask, input.body),
  }),
  qinlingOperation({
    ...{ method: 'DELETE', ...one, role: 'operator', id: 'removeQinlingAlias' },
    summary: 'Delete an alias',
    description: 'Jobs that follow it stay; their firings fail until there is one of this name again.',
    answers: { 204: 'nothing' },
    async answer(ask) {
      await removeAlias(ask.served.context, ask.caller, aliasOf(ask).name)
      return ask.nothing()
    },
  }),
]
