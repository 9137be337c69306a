// Documents of a schema, and documents that a schema refuses, for tests that try every route.
import fc, { type Arbitrary } from 'fast-check'
import { z } from 'zod'
import type { Json, JsonObject } from '../../core/action.ts'

/** What of JSON Schema the API's schemas come out as. */
interface Schema {
  readonly type?: string
  readonly enum?: readonly Json[]
  readonly const?: Json
  readonly pattern?: string
  readonly format?: string
  readonly minLength?: number
  readonly maxLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: Schema | boolean
  readonly propertyNames?: Schema
  readonly items?: Schema
  readonly maxItems?: number
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly allOf?: readonly Schema[]
  readonly $ref?: string
  readonly $defs?: Readonly<Record<string, Schema>>
}

/** Any small JSON, with the values in it on which code stumbles. */
export const anyJson: Arbitrary<Json> = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom<Json>('', '***', '\0', 'x', null, true, 0, -1, 1.5, 1e300, 2 ** 53, {}, []),
    fc.string({ unit: 'binary', maxLength: 5 }),
    fc.array(tie('value'), { maxLength: 2 }),
    fc.dictionary(fc.constantFrom('a', '__proto__', 'constructor', 'x y'), tie('value'), {
      maxKeys: 2,
      noNullPrototype: true,
    }),
  ),
})).value

/**
 * Documents as `schema` describes them, as far as JSON Schema can say it: a check in code may still refuse one. `hints` gives
 * values for fields of a name, so that documents mean something more often than by chance.
 */
export function documentsOf(
  schema: z.ZodType,
  hints: Readonly<Record<string, Arbitrary<Json>>> = {},
): Arbitrary<Json> {
  const whole = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Schema
  const made = new Map<string, Arbitrary<Json>>()
  const valueOf = (part: Schema, name: string, depth: number): Arbitrary<Json> => {
    const hint = hints[name]
    const plain = plainOf(part, name, depth)
    return hint ? fc.oneof({ weight: 3, arbitrary: hint }, plain) : plain
  }
  const plainOf = (part: Schema, name: string, depth: number): Arbitrary<Json> => {
    if (part.$ref !== undefined) return reference(part.$ref, name, depth)
    if (part.const !== undefined) return fc.constant(part.const)
    if (part.enum) return fc.constantFrom(...part.enum)
    const choices = part.anyOf ?? part.oneOf
    if (choices) return fc.oneof(...choices.map((choice) => valueOf(choice, name, depth)))
    switch (part.type) {
      case 'string':
        return textOf(part)
      case 'integer':
        return fc.integer({ min: Math.max(part.minimum ?? -9, -1e6), max: Math.min(part.maximum ?? 9, 1e6) })
      case 'number':
        return fc.double({ min: part.minimum ?? -9, max: part.maximum ?? 9, noNaN: true }).map((n) => n + 0)
      case 'boolean':
        return fc.boolean()
      case 'null':
        return fc.constant(null)
      case 'array':
        return depth > 5
          ? fc.constant([])
          : fc.array(valueOf(part.items ?? {}, '', depth + 1), { maxLength: Math.min(part.maxItems ?? 3, 3) })
      case 'object':
        return objectOf(part, depth)
      default:
        return anyJson
    }
  }
  const reference = (ref: string, name: string, depth: number): Arbitrary<Json> => {
    const target = ref === '#' ? whole : whole.$defs?.[ref.split('/').at(-1) ?? '']
    if (!target || depth > 5) return anyJson
    const key = `${ref} ${depth}`
    const known = made.get(key) ?? valueOf(target, name, depth + 1)
    made.set(key, known)
    return known
  }
  const objectOf = (part: Schema, depth: number): Arbitrary<Json> => {
    const fields = Object.entries(part.properties ?? {}).map(
      ([key, field]) => [key, valueOf(field, key, depth + 1)] as const,
    )
    const known = fc.record(Object.fromEntries(fields), {
      requiredKeys: [...(part.required ?? [])],
      noNullPrototype: true,
    }) as Arbitrary<JsonObject>
    if (part.additionalProperties === false || depth > 5) return known
    const more = part.additionalProperties
    const value = typeof more === 'object' ? valueOf(more, '', depth + 1) : anyJson
    const others = fc.dictionary(fc.stringMatching(/^[a-z]{1,6}$/), value, {
      maxKeys: 2,
      noNullPrototype: true,
    })
    return fc.tuple(others, known).map(([some, all]) => ({ ...some, ...all }))
  }
  return valueOf(whole, '', 0)
}

function textOf({ pattern, format, minLength = 0, maxLength = 20 }: Schema): Arbitrary<string> {
  const max = Math.max(minLength, Math.min(maxLength, 20))
  if (format === 'uuid') return fc.uuid()
  if (format === 'date-time') return fc.date({ noInvalidDate: true }).map((date) => date.toISOString())
  const any = fc.string({ unit: 'grapheme', minLength, maxLength: max })
  if (pattern === undefined) return any
  try {
    return fc.stringMatching(new RegExp(pattern), { size: 'small' })
  } catch {
    // Looks ahead, or asks for what no generator makes.
    return any
  }
}

/** The same document with one thing wrong: a value of another kind, a field gone, or one more. */
export function spoilt(document: Json): Arbitrary<Json> {
  const places = placesIn(document)
  return fc
    .tuple(fc.constantFrom(...places), fc.constantFrom('replace', 'remove', 'add'), anyJson)
    .map(([place, how, value]) => change(document, place, how, value))
}

type Place = readonly (string | number)[]

function placesIn(value: Json, at: Place = []): Place[] {
  if (typeof value !== 'object' || value === null) return [at]
  const inside = Array.isArray(value)
    ? value.flatMap((item, n) => placesIn(item, [...at, n]))
    : Object.entries(value).flatMap(([key, item]) => placesIn(item, [...at, key]))
  return [at, ...inside]
}

function change(document: Json, [first, ...rest]: Place, how: string, value: Json): Json {
  if (first === undefined) {
    const isObject = typeof document === 'object' && document !== null && !Array.isArray(document)
    return how === 'add' && isObject ? { ...document, nobody_knows_it: value } : value
  }
  if (Array.isArray(document))
    return document.flatMap((item, n) => {
      if (n !== first) return [item]
      return how === 'remove' && rest.length === 0 ? [] : [change(item, rest, how, value)]
    })
  const entries = Object.entries(document as JsonObject).flatMap(([key, item]) => {
    if (key !== first) return [[key, item] as const]
    return how === 'remove' && rest.length === 0 ? [] : [[key, change(item, rest, how, value)] as const]
  })
  return Object.fromEntries(entries)
}
