import { EdgeFault, type ErrorForm } from './faults.ts'
import type { Route } from './route.ts'

/** A path that no route takes with the request's method. */
export interface Elsewhere {
  /** As the façade has it in whose space the path lies. */
  readonly errors: ErrorForm
  /** What is wrong: EdgeFault 'unknown_path', or 'wrong_method' where another method is. */
  readonly fault: EdgeFault
}

/** The spaces of the façades, for paths of theirs that do not exist; the first that fits counts. */
const spaces: readonly (readonly [RegExp, ErrorForm])[] = [
  [/^\/v1\.0(\/|$)/, 'trove'],
  [/^\/qinling(\/|$)/, 'qinling'],
  [/^\/v[12](\/|$)/, 'freezer'],
]

/** How requests that no route takes are to be answered. */
export function elsewhereOf(routes: readonly Route[]): (method: string, path: string) => Elsewhere {
  const known = new Map<string, { form: RegExp; methods: Set<string>; errors: ErrorForm }>()
  for (const { path, method, errors } of routes) {
    const entry = known.get(path) ?? { form: formOf(path), methods: new Set(), errors }
    entry.methods.add(method)
    known.set(path, entry)
  }
  return (method, path) => {
    const entry = [...known.values()].find(({ form }) => form.test(path))
    // A path with a slash too many looks like one that is there.
    if (!entry || entry.methods.has(method === 'HEAD' ? 'GET' : method)) {
      const errors = spaces.find(([form]) => form.test(path))?.[1] ?? 'problem'
      return { errors, fault: new EdgeFault('unknown_path', `nothing is at ${path.slice(0, 200)}`) }
    }
    const allow = [...entry.methods].join(', ')
    const fault = new EdgeFault('wrong_method', `${method} is not possible here; ${allow} is`, { allow })
    return { errors: entry.errors, fault }
  }
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

const formOf = (path: string): RegExp => new RegExp(`^${path.split(/:\w+/).map(escaped).join('[^/]+')}/?$`)
