import type { Json, JsonObject } from '../core/action.ts'
import { Fault } from '../core/fault.ts'

/*
 * Readers of the fields of a JSON document, in the words of Freezer's own validation. Each throws Fault('bad_request') that
 * names the field; an absent field gives undefined.
 */

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

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The document itself; an empty body is `{}`. */
export function documentOf(body: Json | undefined): JsonObject {
  if (body === undefined) return {}
  if (!isObject(body)) throw wrongType('body', body, 'object')
  return body
}

/** Refuses keys that a closed object does not know. */
export function closed(document: JsonObject, known: ReadonlySet<string>, at = ''): void {
  for (const key in document)
    if (!known.has(key))
      throw refusal(
        at + key.slice(0, 80),
        `Additional properties are not allowed (${quoted(key)} was unexpected)`,
      )
}

export function textIn(
  document: JsonObject,
  key: string,
  { at = '', form, max = 255 }: { at?: string; form?: RegExp; max?: number } = {},
): string | undefined {
  const value = document[key]
  if (value === undefined) return undefined
  if (typeof value !== 'string') throw wrongType(at + key, value, 'string')
  if (value.length > max) throw refusal(at + key, `${quoted(value)} is longer than ${max} characters`)
  if (form && !form.test(value)) throw refusal(at + key, `${quoted(value)} does not match '${form.source}'`)
  return value
}

export function wordIn<W extends string>(
  document: JsonObject,
  key: string,
  words: readonly W[],
  at = '',
): W | undefined {
  const value = document[key]
  if (value === undefined) return undefined
  const word = words.find((one) => one === value)
  if (word === undefined) throw refusal(at + key, `${quoted(value)} is not one of ${JSON.stringify(words)}`)
  return word
}

/** An integer that JSON carries exactly, within the bounds. */
export function integerIn(
  document: JsonObject,
  key: string,
  { at = '', min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = {},
): number | undefined {
  const value = document[key]
  if (value === undefined) return undefined
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw wrongType(at + key, value, 'integer')
  if (value < min) throw refusal(at + key, `${value} is less than the minimum of ${min}`)
  if (value > max) throw refusal(at + key, `${value} is greater than the maximum of ${max}`)
  return value
}

export function flagIn(document: JsonObject, key: string, at = ''): boolean | undefined {
  const value = document[key]
  if (value === undefined) return undefined
  if (typeof value !== 'boolean') throw wrongType(at + key, value, 'boolean')
  return value
}

export function objectIn(document: JsonObject, key: string, at = ''): JsonObject | undefined {
  const value = document[key]
  if (value === undefined) return undefined
  if (!isObject(value)) throw wrongType(at + key, value, 'object')
  return value
}

export function arrayIn(document: JsonObject, key: string, at = ''): Json[] | undefined {
  const value = document[key]
  if (value === undefined) return undefined
  if (!Array.isArray(value)) throw wrongType(at + key, value, 'array')
  return value
}

/** The other keys of an open object; undefined when there are none. */
export function othersOf(document: JsonObject, known: ReadonlySet<string>): JsonObject | undefined {
  const others = Object.entries(document).filter(([key]) => !known.has(key))
  return others.length === 0 ? undefined : Object.fromEntries(others)
}

/** `{key: value}` unless it is undefined: for optional fields. */
export const some = <K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } =>
  (value === undefined ? {} : { [key]: value }) as { [P in K]?: V }
