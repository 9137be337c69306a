import { z } from 'zod'
import { isObject, type JsonObject } from '../../core/action.ts'
import { uuidOf } from '../../core/ids.ts'
import { removeFunction } from '../../controller/use-cases/function-removal.ts'
import type { Ask, Route } from '../route.ts'
import { callCountsOf } from './call-counts.ts'
import { filterText, filtersOf, limitOf, scopeOf, scopeQuery } from './filters.ts'
import { timeShown, uuidShown } from './forms.ts'
import { answerList, collected, inOrder, valuesIn } from './listing.ts'
import { functionOf } from './lookup.ts'
import { qinlingOperation } from './operation.ts'
import { shownTime } from './shown.ts'
import type { Action } from './stored.ts'

/** A saved action as Qinling shows a function: every key, always; what actions do not have is null. */
const functionShown = z
  .object({
    id: uuidShown,
    name: z.string().meta({ description: "The action's `firn.name`, else its backup_name, else its id" }),
    description: z.string().nullable(),
    count: z.int().meta({ description: 'Its runs that are kept' }),
    code: z.record(z.string(), z.string()),
    runtime_id: z.null(),
    entry: z.null(),
    project_id: z.string(),
    created_at: timeShown,
    updated_at: z.null(),
    cpu: z.null(),
    memory_size: z.null(),
    timeout: z.null(),
    latest_version: z.int(),
  })
  .meta({ id: 'QinlingFunction' })

const textIn = (object: unknown, key: string): string | undefined => {
  const value = isObject(object) ? object[key] : undefined
  return typeof value === 'string' && value !== '' ? value : undefined
}

function functionView({ served }: Ask, action: Action): JsonObject {
  const { actionId, freezer, extra, project, version } = action
  return {
    id: uuidOf(actionId),
    name: textIn(extra?.['firn'], 'name') ?? textIn(freezer, 'backup_name') ?? actionId,
    description: textIn(extra?.['firn'], 'description') ?? null,
    count: callCountsOf(served.context.state).of(project, actionId),
    code: { source: 'action', action: textIn(freezer, 'action') ?? 'backup' },
    ...{ runtime_id: null, entry: null, cpu: null, memory_size: null, timeout: null },
    project_id: project,
    created_at: shownTime(action.createdAt),
    updated_at: null,
    latest_version: version,
  }
}

const query = z.strictObject({ ...scopeQuery, name: filterText })

const limitStandard = 10_000

async function list(ask: Ask, asked: z.output<typeof query>): Promise<Response> {
  const { projects, isWanted } = scopeOf(ask, asked, 'action')
  const passes = filtersOf(asked, ['name'])
  const shown = await collected(
    valuesIn(projects, (project) => ask.served.context.state.of('action', project)),
    (action) => functionView(ask, action),
    (view) => isWanted(view) && passes(view),
    limitOf(asked.limit, limitStandard),
  )
  return answerList(ask, 'functions', inOrder(shown, projects))
}

const one = '/functions/:function_id'

export const functionRoutes: readonly Route[] = [
  qinlingOperation({
    ...{ method: 'GET', path: '/functions', role: 'viewer', id: 'listQinlingFunctions', query },
    summary: 'List the saved actions, which are the functions',
    description: 'Oldest first. They are made and changed as `/v1/actions`.',
    answers: { 200: z.object({ functions: z.array(functionShown) }) },
    answer: (ask, { query: asked }) => list(ask, asked),
  }),
  qinlingOperation({
    ...{ method: 'GET', path: one, role: 'viewer', id: 'showQinlingFunction' },
    summary: 'Show a saved action as a function',
    answers: { 200: functionShown },
    answer: (ask) => ask.json(functionView(ask, functionOf(ask))),
  }),
  qinlingOperation({
    ...{ method: 'DELETE', path: one, role: 'operator', id: 'removeQinlingFunction' },
    summary: 'Delete a saved action that no job has which is neither done nor cancelled',
    answers: { 204: 'nothing' },
    async answer(ask) {
      await removeFunction(ask.served.context, ask.caller, functionOf(ask).actionId)
      return ask.nothing()
    },
  }),
]
