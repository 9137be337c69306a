// All routes that there are, for tests that walk them.
import type { ErrorForm } from '../../api/faults.ts'
import type { Route } from '../../api/route.ts'
import { apiRoutes } from '../../api/routes.ts'
import { kinds } from '../../controller/ports/backend.ts'
import type { Answer, Api } from './harness.ts'

export const nameOf = ({ method, path }: Route): string => `${method} ${path}`

/** Those that want a token. */
export const guarded = apiRoutes.filter(({ role }) => role !== 'nobody')

/** A path of this route with values for its parts; whatever is not named is called `none`. */
export const pathOf = ({ path }: Route, values: Readonly<Record<string, string>> = {}): string =>
  path.replace(/:(\w+)/g, (_, name: string) => values[name] ?? 'none')

/** What is wrong with an answer that should be an error of this form. */
export function problemOf(form: ErrorForm, { status, headers, json }: Answer): string | undefined {
  const type = headers.get('content-type')
  if (type !== (form === 'problem' ? 'application/problem+json' : 'application/json')) return `type ${type}`
  const fault = Object.values(json)[0] as { code?: number; message?: string }
  const isRight = {
    freezer: typeof json.title === 'string' && typeof json.description === 'string',
    trove: Object.keys(json).length === 1 && fault.code === status && typeof fault.message === 'string',
    qinling: json.faultcode === 'Client' && typeof json.faultstring === 'string',
    problem: json.status === status && typeof json.title === 'string' && typeof json.detail === 'string',
  }[form]
  return isRight ? undefined : JSON.stringify(json)
}

/** All that is stored of a project. */
export const documentsOf = ({ context }: Api, project: string): string =>
  JSON.stringify(kinds.map((kind) => [...context.state.of(kind, project)]))
