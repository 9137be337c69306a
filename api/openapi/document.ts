import { STATUS_CODES } from 'node:http'
import { setImmediate as letOthers } from 'node:timers/promises'
import type { z } from 'zod'
import type { Route, RouteDoc } from '../route.ts'
import { errorForms } from './errors.ts'
import { Components, type Part } from './schemas.ts'
import { tagTexts } from './texts.ts'

/**
 * The OpenAPI 3.1 document of the routes that tell of themselves. Others have their turn meanwhile: all routes together take
 * some hundred milliseconds. Throws an Error when two have one id or one path.
 */
export async function openApiOf(routes: readonly Route[], version: string): Promise<Part> {
  const components = new Components()
  const paths = new Map<string, Record<string, Part>>()
  const ids = new Set<string>()
  const tags = new Set<string>()
  for (const route of routes) {
    const { doc } = route
    if (!doc) continue
    if (ids.has(doc.id)) throw new Error(`two routes have the id ${doc.id}`)
    ids.add(doc.id)
    if (tagTexts.tags[doc.tag] === undefined) throw new Error(`nothing is told of the part ${doc.tag}`)
    tags.add(doc.tag)
    const path = route.path.replace(/:(\w+)/g, '{$1}')
    const item = paths.get(path) ?? {}
    const method = route.method.toLowerCase()
    if (item[method]) throw new Error(`two routes are ${route.method} ${path}`)
    paths.set(path, { ...item, [method]: operationOf(route, doc, components) })
    await letOthers()
  }
  const forms = new Set(routes.filter(({ doc }) => doc).map(({ errors }) => errorForms[errors]))
  const responses = [...forms].map(({ name, type, schema }) => [
    name,
    { description: 'An error', content: { [type]: { schema: components.of(schema, 'out') } } },
  ])
  return {
    openapi: '3.1.0',
    info: {
      title: 'Firn',
      version,
      summary: 'Backup of fleets: jobs, sessions, sets and restores',
      description: tagTexts.whole,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ token: [] }],
    tags: Object.entries(tagTexts.tags)
      .filter(([name]) => tags.has(name))
      .map(([name, description]) => ({ name, description })),
    paths: Object.fromEntries(paths),
    components: {
      securitySchemes: {
        token: {
          ...{ type: 'apiKey', in: 'header', name: 'X-Auth-Token' },
          description: "A token of Firn's own, or of the Keystone that the server is configured for",
        },
      },
      responses: Object.fromEntries(responses) as Part,
      schemas: components.all(),
    },
  }
}

function operationOf(route: Route, doc: RouteDoc, components: Components): Part {
  const error = { $ref: `#/components/responses/${errorForms[route.errors].name}` }
  const role = route.role === 'nobody' ? 'Takes no token.' : `Takes the role \`${route.role}\`.`
  return {
    operationId: doc.id,
    tags: [doc.tag],
    summary: doc.summary,
    description: doc.description === undefined ? role : `${doc.description}\n\n${role}`,
    'x-role': route.role,
    ...(route.role === 'nobody' ? { security: [] } : {}),
    parameters: [...pathParameters(route.path, doc), ...queryParameters(doc, components), ...headers(doc)],
    ...(doc.body ? { requestBody: bodyOf(doc.body, components) } : {}),
    responses: {
      ...Object.fromEntries(
        Object.entries(doc.answers).map(([status, form]) => [
          status,
          answerOf(status, form, route.gives, components),
        ]),
      ),
      '4XX': error,
      '5XX': error,
    },
  }
}

const pathParameters = (path: string, { params = {} }: RouteDoc): Part[] =>
  [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => ({
    ...{ name, in: 'path', required: true },
    ...(params[name] === undefined ? {} : { description: params[name] }),
    schema: { type: 'string' },
  }))

function queryParameters({ query }: RouteDoc, components: Components): Part[] {
  if (!query) return []
  const schema = components.of(query, 'in')
  const required = (schema['required'] ?? []) as readonly string[]
  return Object.entries((schema['properties'] ?? {}) as Record<string, Part>).map(([name, form]) => {
    const { description, ...rest } = form
    return {
      ...{ name, in: 'query' },
      ...(required.includes(name) ? { required: true } : {}),
      ...(description === undefined ? {} : { description }),
      schema: rest,
    }
  })
}

const headers = ({ headers: known = {} }: RouteDoc): Part[] =>
  Object.entries(known).map(([name, description]) => ({
    ...{ name, in: 'header', description },
    schema: { type: 'string' },
  }))

function bodyOf(schema: z.ZodType, components: Components): Part {
  // An empty body is `{}`: it is needed where something in it is.
  const isNeeded = !schema.safeParse({}).success
  return {
    ...(isNeeded ? { required: true } : {}),
    content: { 'application/json': { schema: components.of(schema, 'in') } },
  }
}

function answerOf(
  status: string,
  form: z.ZodType | 'nothing' | 'text',
  gives: string | undefined,
  components: Components,
): Part {
  const description = STATUS_CODES[status] ?? 'An answer'
  if (form === 'nothing') return { description }
  const type = gives ?? (form === 'text' ? 'text/plain' : 'application/json')
  const schema = form === 'text' ? { type: 'string' } : components.of(form, 'out')
  return { description, content: { [type]: { schema } } }
}
