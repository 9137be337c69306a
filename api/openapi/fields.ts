import { Html, html, words } from './html.ts'
import type { Part } from './schemas.ts'

interface Schema {
  readonly $ref?: string
  readonly type?: string | readonly string[]
  readonly format?: string
  readonly description?: string
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly default?: unknown
  readonly pattern?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly maxItems?: number
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly additionalProperties?: Schema | boolean
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly allOf?: readonly Schema[]
}

/** How deep a document's own parts are shown in its table; deeper ones are told by their type. */
const depthMax = 6

/** What a document holds, as a table: one row for each field, those of its parts by dotted names. */
export function fieldTable(part: Part): Html {
  const schema = part as Schema
  const rows = rowsOf(schema, '', 0)
  if (rows.length === 0) return html`<p class="type">${typeOf(schema)}</p>`
  return html`<table>
    <thead>
      <tr>
        <th>field</th>
        <th>type</th>
        <th>meaning</th>
      </tr>
    </thead>
    <tbody>
      ${rows}
    </tbody>
  </table>`
}

/** One row: of a field, or of a parameter. */
export const row = (name: string, schema: Part, isNeeded: boolean, said?: string): Html =>
  html`<tr>
    <td><code>${name}</code>${isNeeded ? '' : html` <small>optional</small>`}</td>
    <td class="type">${typeOf(schema as Schema)}</td>
    <td>${meaningOf(schema as Schema, said)}</td>
  </tr> `

function rowsOf(schema: Schema, prefix: string, depth: number): Html[] {
  const whole = objectIn(schema)
  if (!whole || depth > depthMax) return []
  return Object.entries(whole.properties ?? {}).flatMap(([key, inner]) => {
    const name = `${prefix}${key}`
    const isNeeded = whole.required?.includes(key) ?? false
    const list = inner.items && objectIn(inner.items)
    const within = list ? rowsOf(list, `${name}[].`, depth + 1) : rowsOf(inner, `${name}.`, depth + 1)
    return [row(name, inner as Part, isNeeded), ...within]
  })
}

/** The object with named fields that a schema is, or is beside null. */
function objectIn(schema: Schema): Schema | undefined {
  if (schema.properties && Object.keys(schema.properties).length > 0) return schema
  return (schema.anyOf ?? schema.oneOf ?? schema.allOf)?.map(objectIn).find((found) => found !== undefined)
}

function typeOf(schema: Schema): Html {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.slice(schema.$ref.lastIndexOf('/') + 1)
    return html`<a href="#schema-${name}">${name}</a>`
  }
  const choices = schema.anyOf ?? schema.oneOf
  if (choices) return joined(choices.map(typeOf), ' or ')
  if (schema.allOf) return joined(schema.allOf.map(typeOf), ' and ')
  if (schema.const !== undefined) return html`${JSON.stringify(schema.const)}`
  if (schema.enum)
    return joined(
      schema.enum.map((one) => html`${JSON.stringify(one)}`),
      ' | ',
    )
  if (schema.type === 'array') return html`list of ${schema.items ? typeOf(schema.items) : 'anything'}`
  if (typeof schema.additionalProperties === 'object' && !schema.properties)
    return html`object of ${typeOf(schema.additionalProperties)}`
  const types = typeof schema.type === 'string' ? [schema.type] : (schema.type ?? ['anything'])
  return html`${types.join(' or ')}${schema.format === undefined ? '' : ` (${schema.format})`}`
}

const joined = (parts: readonly Html[], between: string): Html =>
  html`${parts.flatMap((part, at) => (at === 0 ? [part] : [between, part]))}`

function meaningOf(schema: Schema, said = schema.description): Html {
  const bounds = [
    ...(schema.default === undefined ? [] : [`default ${JSON.stringify(schema.default)}`]),
    ...(schema.minimum === undefined ? [] : [`from ${schema.minimum}`]),
    ...(schema.maximum === undefined ? [] : [`to ${schema.maximum}`]),
    ...(schema.minLength === undefined ? [] : [`at least ${schema.minLength} characters`]),
    ...(schema.maxLength === undefined ? [] : [`at most ${schema.maxLength} characters`]),
    ...(schema.maxItems === undefined ? [] : [`at most ${schema.maxItems} entries`]),
    ...(schema.pattern === undefined ? [] : [`matches ${schema.pattern}`]),
  ]
  const small = bounds.length === 0 ? undefined : html` <small>${bounds.join(', ')}</small>`
  return html`${said === undefined ? undefined : words(said)}${small}`
}
