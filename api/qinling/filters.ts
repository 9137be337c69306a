import { z } from 'zod'
import { Fault } from '../../core/fault.ts'
import { quoted, refusal } from '../fields.ts'
import type { Ask } from '../route.ts'

/** Whether a document passes. */
export type Filter = (document: Readonly<Record<string, unknown>>) => boolean

type Comparison = (shown: string, wanted: string) => boolean

const isOneOf: Comparison = (shown, wanted) => wanted.split(',').includes(shown)

const comparisons: Readonly<Record<string, Comparison>> = {
  eq: (shown, wanted) => shown === wanted,
  neq: (shown, wanted) => shown !== wanted,
  in: isOneOf,
  nin: (shown, wanted) => !isOneOf(shown, wanted),
  gt: (shown, wanted) => shown > wanted,
  gte: (shown, wanted) => shown >= wanted,
  lt: (shown, wanted) => shown < wanted,
  lte: (shown, wanted) => shown <= wanted,
  has: (shown, wanted) => shown.includes(wanted),
}

/** A text of a document; what is none, like null, is an empty one. */
export const textIn = (document: Readonly<Record<string, unknown>>, field: string): string => {
  const value = document[field]
  return typeof value === 'string' ? value : ''
}

/** `op:value` of one field; without an op, what equals the whole text. */
function filterOf(field: string, text: string): Filter {
  const [, op = 'eq', wanted = text] = /^(eq|neq|in|nin|gte?|lte?|has):(.*)$/s.exec(text) ?? []
  const passes = comparisons[op]
  return (document) => passes?.(textIn(document, field), wanted) ?? false
}

export const filterText = z.string().max(4096).optional().meta({
  description: 'A value, or `op:value` with one of eq, neq, in, nin, gt, gte, lt, lte, has',
})

/** What the query of every list may hold. */
export const scopeQuery = {
  all_projects: z.string().optional().meta({ description: 'Of all projects: administrators only' }),
  project_id: filterText.meta({
    description: 'A filter for administrators, who then see all projects; for others it means nothing',
  }),
  limit: z.string().optional().meta({ description: 'Documents in the answer' }),
}

/** The filters that a query names, all of which must pass. */
export function filtersOf(
  query: Readonly<Record<string, string | undefined>>,
  fields: readonly string[],
): Filter {
  const filters = fields.flatMap((field) => {
    const text = query[field]
    return text === undefined ? [] : [filterOf(field, text)]
  })
  return (document) => filters.every((passes) => passes(document))
}

const flags: Readonly<Record<string, boolean>> = {
  ...{ true: true, '1': true, yes: true },
  ...{ false: false, '0': false, no: false, '': false },
}

/**
 * The projects that a list is about, in the order of their names, and a filter of `project_id`. Throws Fault 'bad_request',
 * 'forbidden' (all projects, and the caller is no administrator).
 */
export function scopeOf(
  ask: Ask,
  query: { all_projects?: string | undefined; project_id?: string | undefined },
  kind: 'job' | 'run' | 'action' | 'alias',
): { projects: string[]; isWanted: Filter } {
  const isAdmin = ask.caller.role === 'admin'
  const all = flagOf(query.all_projects)
  if (all && !isAdmin) throw new Fault('forbidden', 'all_projects: this takes the role admin')
  if (!isAdmin || (!all && query.project_id === undefined))
    return { projects: [ask.caller.project], isWanted: () => true }
  return {
    projects: ask.served.context.state.projects(kind).toSorted(),
    isWanted: filtersOf(query, ['project_id']),
  }
}

function flagOf(text: string | undefined): boolean {
  const flag = text === undefined ? false : flags[text.toLowerCase()]
  if (flag === undefined) throw refusal('all_projects', `${quoted(text ?? '')} is neither true nor false`)
  return flag
}

/** How many documents a list answers at most. */
const limitMax = 10_000

/** Throws Fault('bad_request'). */
export function limitOf(text: string | undefined, standard: number): number {
  if (text === undefined || text === '') return standard
  const limit = Number(text)
  if (!/^\d{1,9}$/.test(text) || limit < 1 || limit > limitMax)
    throw refusal('limit', `must be a whole number from 1 to ${limitMax}`)
  return limit
}
