// Holds answers against what the reference says of their routes: in tests, where it costs nobody anything.
import { isDeepStrictEqual } from 'node:util'
import type { z } from 'zod'
import { errorForms } from '../../api/openapi/errors.ts'
import type { Route } from '../../api/route.ts'
import { apiRoutes } from '../../api/routes.ts'

interface Told {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly json: unknown
}

const known = apiRoutes.map((route) => ({
  route,
  form: new RegExp(`^${route.path.replaceAll('.', '\\.').replace(/:\w+/g, '[^/]+')}/?$`),
}))

/**
 * Throws an Error when the answer is not one that the route's `doc` tells of: another status, another type, a field that is not
 * told or not as it is told.
 */
export function checkTold(method: string, target: string, answer: Told): void {
  const { pathname } = new URL(target, 'http://localhost')
  const route = known.find(({ route: { method: of }, form }) => of === method && form.test(pathname))?.route
  if (!route?.doc) return
  const said = `${method} ${route.path}: ${answer.status} ${answer.headers.get('content-type')} ${answer.text}`
  const form = route.doc.answers[answer.status]
  if (form === undefined) {
    if (answer.status < 400) throw new Error(`the reference tells of no such status: ${said}`)
    const { type, schema } = errorForms[route.errors]
    return check(schema, type, answer, said)
  }
  if (form === 'nothing') {
    if (answer.text !== '') throw new Error(`the reference tells of no body: ${said}`)
  } else if (form === 'text') {
    if (!typeOf(answer).startsWith(route.gives ?? 'text/')) throw new Error(`another type is told: ${said}`)
  } else check(form, route.gives ?? 'application/json', answer, said)
}

const typeOf = ({ headers }: Told): string => headers.get('content-type') ?? ''

function check(schema: z.ZodType, type: string, answer: Told, said: string): void {
  if (typeOf(answer) !== type) throw new Error(`the reference says ${type}: ${said}`)
  const { error, data } = schema.safeParse(answer.json)
  if (error) throw new Error(`the reference says otherwise: ${error.message}\n${said}`)
  // What a schema does not name, it leaves out.
  if (!isDeepStrictEqual(data, answer.json))
    throw new Error(`the reference does not tell of a field: ${said}`)
}

/** Routes that the reference says nothing of. */
export const untold = (routes: readonly Route[]): string[] =>
  routes.filter(({ doc }) => !doc).map(({ method, path }) => `${method} ${path}`)
