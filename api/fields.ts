import { isObject, type Json, type JsonObject } from '../core/action.ts'
import { Fault } from '../core/fault.ts'

/* Refusals in the words of Freezer's own validation, and what reads JSON documents. */

export const refusal = (field: string, message: string): Fault =>
  new Fault('bad_request', `${field}: ${message}`, { field })

/** `'x' is a required property`. */
export const missing = (field: string): Fault =>
  new Fault('bad_request', `'${field}' is a required property`, { field })

/** A value as quoted in a message: short, whatever was sent. */
export function quoted(value: Json): string {
  const text = typeof value === 'string' ? `'${value}'` : JSON.stringify(value)
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}

const wrongType = (field: string, value: Json, type: string): Fault =>
  refusal(field, `${quoted(value)} is not of type '${type}'`)

/** The document itself; an empty body is `{}`. */
export function documentOf(body: Json | undefined): JsonObject {
  if (body === undefined) return {}
  if (!isObject(body)) throw wrongType('body', body, 'object')
  return body
}

/** The other keys of an open object; undefined when there are none. */
export function othersOf(document: JsonObject, known: ReadonlySet<string>): JsonObject | undefined {
  const others = Object.entries(document).filter(([key]) => !known.has(key))
  return others.length === 0 ? undefined : Object.fromEntries(others)
}

/** `{key: value}` unless it is undefined: for optional fields. */
export const some = <K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } =>
  (value === undefined ? {} : { [key]: value }) as { [P in K]?: V }
