import { z } from 'zod'
import { isObject } from '../../core/action.ts'

/** A schema, or a part of the document, as JSON. */
export type Part = { readonly [key: string]: unknown }

/**
 * Schemas as JSON Schema. Those with an id (`.meta({ id })`) become components, which the others refer to: what stands in many
 * routes is told once.
 */
export class Components {
  readonly #schemas = new Map<string, Part>()

  /** `in`: what a request may hold; `out`: what an answer holds. Throws an Error when two schemas have one id. */
  of(schema: z.ZodType, way: 'in' | 'out'): Part {
    // Inside another one a schema with an id is always a reference.
    const whole = z.toJSONSchema(z.object({ it: schema }), {
      io: way === 'in' ? 'input' : 'output',
      unrepresentable: 'any',
      override: ({ jsonSchema }) => tidied(jsonSchema),
    })
    const defined = (whole.$defs ?? {}) as Record<string, Part>
    const names = new Map(Object.keys(defined).map((id) => [id, id]))
    // One that takes other things than it gives has a name for each.
    if (way === 'in') for (const id of names.keys()) this.#nameInput(id, defined, names)
    for (const [id, name] of names) this.#keep(name, renamed(defined[id] ?? {}, names) as Part)
    return renamed(whole.properties?.['it'] ?? {}, names) as Part
  }

  /** By name, in alphabetical order. */
  all(): Record<string, Part> {
    return Object.fromEntries([...this.#schemas].toSorted(([a], [b]) => (a < b ? -1 : 1)))
  }

  #nameInput(id: string, defined: Record<string, Part>, names: Map<string, string>): void {
    const known = this.#schemas.get(id)
    if (known && JSON.stringify(known) !== JSON.stringify(renamed(defined[id] ?? {}, names)))
      names.set(id, `${id}Input`)
  }

  #keep(name: string, schema: Part): void {
    const known = this.#schemas.get(name)
    if (known && JSON.stringify(known) !== JSON.stringify(schema))
      throw new Error(`two schemas have the id ${name}`)
    this.#schemas.set(name, schema)
  }
}

/** Leaves out what says nothing to readers: bounds of all numbers, what every key is, and a form's own pattern. */
function tidied(schema: z.core.JSONSchema.BaseSchema): void {
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum
  if (schema.format === 'date-time') delete schema.pattern
  if (JSON.stringify(schema.propertyNames) === '{"type":"string"}') delete schema.propertyNames
}

const here = '#/$defs/'

function renamed(value: unknown, names: ReadonlyMap<string, string>): unknown {
  if (Array.isArray(value)) return value.map((item) => renamed(item, names))
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      if (key !== '$ref' || typeof item !== 'string') return [key, renamed(item, names)]
      const id = item.startsWith(here) ? item.slice(here.length) : item
      return [key, `#/components/schemas/${names.get(id) ?? id}`]
    }),
  )
}
