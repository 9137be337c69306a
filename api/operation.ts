import { z } from 'zod'
import { isObject, type Json } from '../core/action.ts'
import { Fault } from '../core/fault.ts'
import { missing, quoted, refusal, some } from './fields.ts'
import type { Ask, Route, RouteDoc } from './route.ts'

/** What a route is given of the request, as its schemas say; each part is read and checked when asked for. */
export interface Input<Query, Body> {
  /** Checked where it is taken out, which for `answer(ask, { query })` is before anything is looked up. */
  readonly query: Query
  /** Asked for late: routes look the thing up first, so that an unknown one is "not found". */
  readonly body: () => Promise<Body>
}

type Checked<S extends z.ZodType | undefined> = S extends z.ZodType ? z.output<S> : undefined

/** A route with the schemas that check its requests and that the reference is made from. */
export type Operation<Q extends z.ZodObject | undefined, B extends z.ZodType | undefined> = Omit<
  Route,
  'answer' | 'doc'
> &
  Omit<RouteDoc, 'query' | 'body'> & {
    /** Texts as they come in the URL. Keys that it does not know are refused only when it is strict. */
    readonly query?: Q
    /** An empty body is `{}`. */
    readonly body?: B
    readonly answer: (ask: Ask, input: Input<Checked<Q>, Checked<B>>) => Response | Promise<Response>
  }

/** Makes a route that checks what it says it takes. */
export function operation<
  Q extends z.ZodObject | undefined = undefined,
  B extends z.ZodType | undefined = undefined,
>(spec: Operation<Q, B>): Route {
  const { tag, summary, description, id, params, headers, answers, query, body, answer, ...route } = spec
  return {
    ...route,
    doc: {
      ...{ tag, summary, id, answers },
      ...some('description', description),
      ...some('params', params),
      ...some('headers', headers),
      ...(query ? { query } : {}),
      ...(body ? { body } : {}),
    },
    answer: (ask) => answer(ask, new Sent<Checked<Q>, Checked<B>>(ask, query, body)),
  }
}

/**
 * Checks the parts of one request. A class, for its getter: each object literal with one has a hidden class of its own, which
 * keeps the whole request in memory until the next full collection.
 */
class Sent<Query, Body> implements Input<Query, Body> {
  readonly #ask: Ask
  readonly #query: z.ZodObject | undefined
  readonly #body: z.ZodType | undefined

  constructor(ask: Ask, query: z.ZodObject | undefined, body: z.ZodType | undefined) {
    this.#ask = ask
    this.#query = query
    this.#body = body
  }

  get query(): Query {
    const schema = this.#query
    return (schema ? checked(schema, this.#ask.http.req.query() as Json, '') : undefined) as Query
  }

  // A field, for routes take it out of its object.
  readonly body = async (): Promise<Body> => {
    const sent = await this.#ask.body()
    const document = sent === undefined ? {} : sent
    return (this.#body ? checked(this.#body, document, 'body') : undefined) as Body
  }
}

/**
 * A value as its schema has it. Throws Fault('bad_request') that names the field; `whole` names the value itself.
 */
export function checked<S extends z.ZodType>(schema: S, value: Json, whole: string): z.output<S> {
  demandLengths(schema, value, whole, '')
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw faultOf(parsed.error.issues[0], value, whole)
}

/** Looks at how long lists are before what is in them: a schema counts last. Throws Fault('bad_request'). */
function demandLengths(schema: z.ZodType, value: Json | undefined, whole: string, field: string): void {
  if (typeof value !== 'object' || value === null) return
  let plain: unknown = schema
  while (plain instanceof z.ZodOptional || plain instanceof z.ZodNullable || plain instanceof z.ZodDefault)
    plain = plain.unwrap()
  if (plain instanceof z.ZodArray && Array.isArray(value)) {
    const max = lengthMax(plain)
    if (value.length > max) throw refusal(field || whole, `has more than ${max} entries`)
  } else if (plain instanceof z.ZodObject && isObject(value)) {
    for (const [key, inner] of Object.entries(plain.shape))
      if (Object.hasOwn(value, key))
        demandLengths(inner as z.ZodType, value[key], whole, field === '' ? key : `${field}.${key}`)
  }
}

function lengthMax({ _zod: { def } }: z.ZodArray): number {
  const bounds = (def.checks ?? []).map(({ _zod }) => _zod.def as { check: string; maximum?: number })
  return bounds.find(({ check }) => check === 'max_length')?.maximum ?? Infinity
}

function faultOf(issue: z.core.$ZodIssue | undefined, value: Json, whole: string): Fault {
  if (!issue) return refusal(whole, 'is not valid')
  const field = issue.path.join('.')
  if (issue.code === 'unrecognized_keys') {
    const key = (issue.keys[0] ?? '').slice(0, 80)
    const at = field === '' ? key : `${field}.${key}`
    return refusal(at, `Additional properties are not allowed (${quoted(key)} was unexpected)`)
  }
  const found = at(value, issue.path)
  if (found === undefined && field !== '') return missing(field)
  const name = field === '' ? whole : field
  if (issue.code === 'invalid_type')
    return refusal(
      name,
      `${quoted(found ?? null)} is not of type '${typeNames[issue.expected] ?? issue.expected}'`,
    )
  return refusal(name, `${quoted(found ?? null)}${said(issue) ?? `: ${issue.message}`}`)
}

/** What is wrong with a value, in the words of JSON Schema's validators; undefined where the schema has words of its own. */
function said(issue: z.core.$ZodIssue): string | undefined {
  if (!/^(Invalid|Too) /.test(issue.message)) return undefined
  switch (issue.code) {
    case 'invalid_value':
      return ` is not one of ${JSON.stringify(issue.values)}`
    case 'invalid_format':
      return issue.pattern === undefined ? undefined : ` does not match '${issue.pattern.slice(1, -1)}'`
    case 'too_small':
      return issue.origin === 'string' ? ' is too short' : ` is less than the minimum of ${issue.minimum}`
    case 'too_big':
      if (issue.origin === 'string') return ` is longer than ${issue.maximum} characters`
      return ` is greater than the maximum of ${issue.maximum}`
    default:
      return undefined
  }
}

/** JSON's names of what zod expects. */
const typeNames: Readonly<Record<string, string>> = { int: 'integer', record: 'object' }

function at(value: Json, path: readonly PropertyKey[]): Json | undefined {
  let found: Json | undefined = value
  for (const key of path) {
    if (Array.isArray(found)) found = found[Number(key)]
    else if (isObject(found) && Object.hasOwn(found, key)) found = found[String(key)]
    else return undefined
  }
  return found
}
