import { randomUUID } from 'node:crypto'
import { Hono, type Context as HonoContext } from 'hono'
import { Fault, isFault } from '../core/fault.ts'
import type { Caller } from '../controller/use-cases/context.ts'
import { Recent } from '../controller/use-cases/recent.ts'
import { authenticate } from '../controller/use-cases/tokens.ts'
import type { Bindings } from './body.ts'
import { RequestCounts } from './counts.ts'
import type { ApiDeps, Served } from './deps.ts'
import { EdgeFault, answerTo, type ErrorForm } from './faults.ts'
import { freezerRoutes } from './freezer/routes.ts'
import { healthRoutes } from './health.ts'
import { nativeRoutes } from './native/routes.ts'
import { Ask, demandRole, type Route } from './route.ts'
import { oneAtATime } from './shared.ts'

/**
 * The whole API over its dependencies. `stopping` ends the streams that are open. It starts nothing and keeps no state
 * but counts, so that tests call `app.request(...)` without a server.
 */
export function buildApp(
  deps: ApiDeps,
  stopping: AbortSignal = new AbortController().signal,
): Hono<Bindings> {
  const served: Served = {
    ...deps,
    recent: new Recent(deps.context.state),
    counts: new RequestCounts(),
    stopping,
    caughtUp: oneAtATime(() => deps.context.state.catchUp()),
  }
  const routes = [...healthRoutes, ...freezerRoutes, ...nativeRoutes]
  // Not strict: clients send every path with and without a slash at its end.
  const app = new Hono<Bindings>({ strict: false })
  for (const route of routes) app.on(route.method, route.path, (http) => serve(served, route, http))
  const elsewhere = elsewhereOf(served, routes)
  app.notFound(elsewhere)
  // Not reached by what routes throw: only by what Hono does before it finds one.
  app.onError((error, http) =>
    failed(served, { errors: 'problem', path: 'none' }, new Ask(served, http, newId(), undefined), error),
  )
  return app
}

const newId = (): string => `req-${randomUUID()}`

/** One request: who asks, may they, the answer, and what is told of it. Answers without a promise where the route does. */
function serve(served: Served, route: Route, http: HonoContext<Bindings>): Response | Promise<Response> {
  const began = performance.now()
  const requestId = newId()
  let caller: Caller | undefined
  const told = (response: Response): Response => {
    tell(served, http, { route: route.path, requestId, began, caller }, response.status)
    return response
  }
  let ask = new Ask(served, http, requestId, undefined)
  try {
    if (route.role !== 'nobody') {
      caller = admitted(served, route, http)
      ask = new Ask(served, http, requestId, caller)
    }
    const answer = route.answer(ask)
    if (!(answer instanceof Promise)) return told(answer)
    return answer.catch((error: unknown) => recovered(served, route, ask, error)).then(told)
  } catch (error) {
    return recovered(served, route, ask, error).then(told)
  }
}

function admitted(served: Served, route: Route, http: HonoContext<Bindings>): Caller {
  const { context } = served
  if (!context.state.loaded) throw new Fault('store_down', 'this server is still reading the store')
  const caller = authenticate(context, http.req.header('x-auth-token') ?? '')
  if (route.role !== 'nobody') demandRole(caller, route.role)
  accept(http.req.header('accept'), route.gives ?? 'application/json')
  return caller
}

/** Every offer that admits `type`; the order of preference does not matter, for there is one form only. */
function accept(header: string | undefined, type: string): void {
  if (header === undefined || header === '' || header.includes('*/*') || header.includes(type)) return
  const family = `${type.slice(0, type.indexOf('/'))}/*`
  if (header.includes(family) || (type.includes('json') && header.includes('json'))) return
  throw new EdgeFault('not_acceptable', `this answers with ${type} only`)
}

/**
 * The answer to a failure. "Not found" is believed only once this server has caught up: another one may have acknowledged the
 * thing a moment ago.
 */
async function recovered(served: Served, route: Route, ask: Ask, error: unknown): Promise<Response> {
  const mayBeNews = isFault(error, 'not_found') && served.context.state.staleMs === undefined
  if (!mayBeNews) return failed(served, route, ask, error)
  try {
    await served.caughtUp()
    return await route.answer(ask)
  } catch (again) {
    // The store is away: what this server knows is all there is to say, and the header says how old it is.
    return failed(served, route, ask, isFault(again, 'store_down') ? error : again)
  }
}

function failed(served: Served, route: Pick<Route, 'errors' | 'path'>, ask: Ask, error: unknown): Response {
  const answer = answerTo(error, route.errors)
  const { method } = ask.http.req
  if (answer.unexpected) served.log.failed(error, { requestId: ask.requestId, method, route: route.path })
  const text = JSON.stringify(answer.body)
  const headers = { ...ask.headers(), ...answer.headers }
  const { outgoing } = ask.http.env ?? {}
  if (answer.status < 600) return new Response(text, { status: answer.status, headers })
  // A Fetch response refuses Freezer's 753; the server below sends it.
  if (outgoing && answer.phrase !== undefined) outgoing.statusMessage = answer.phrase
  if (outgoing) return new Response(text, { status: answer.status, headers })
  const response = new Response(text, { headers })
  Object.defineProperty(response, 'status', { value: answer.status })
  return response
}

function tell(
  served: Served,
  http: HonoContext<Bindings>,
  about: { route: string; requestId: string; began: number; caller: Caller | undefined },
  status: number,
): void {
  const durationMs = performance.now() - about.began
  const { method, path } = http.req
  served.counts.take(about.route, status, durationMs)
  served.log.answered({
    ...{ requestId: about.requestId, method, route: about.route, path, status, durationMs },
    ...(about.caller ? { project: about.caller.project, user: about.caller.user } : {}),
  })
}

/** Paths that no route takes: 404, or 405 where another method is. */
function elsewhereOf(served: Served, routes: readonly Route[]) {
  const known = new Map<string, { form: RegExp; methods: Set<string>; errors: ErrorForm }>()
  for (const { path, method, errors } of routes) {
    const entry = known.get(path) ?? { form: formOf(path), methods: new Set(), errors }
    entry.methods.add(method)
    known.set(path, entry)
  }
  return async (http: HonoContext<Bindings>): Promise<Response> => {
    const began = performance.now()
    const path = http.req.path
    const entry = [...known.values()].find(({ form }) => form.test(path))
    const ask = new Ask(served, http, newId(), undefined)
    const errors = entry?.errors ?? (/^\/v[12](\/|$)/.test(path) ? 'freezer' : 'problem')
    const response = failed(served, { errors, path: 'none' }, ask, refusalOf(entry, served, http))
    tell(served, http, { route: 'none', requestId: ask.requestId, began, caller: undefined }, response.status)
    return response
  }
}

function refusalOf(
  entry: { methods: ReadonlySet<string> } | undefined,
  served: Served,
  http: HonoContext<Bindings>,
): Error {
  try {
    // Nobody without a token learns which paths there are.
    authenticate(served.context, http.req.header('x-auth-token') ?? '')
  } catch (error) {
    if (error instanceof Fault) return error
    throw error
  }
  if (!entry) return new EdgeFault('unknown_path', `nothing is at ${http.req.path.slice(0, 200)}`)
  const allow = [...entry.methods].join(', ')
  return new EdgeFault('wrong_method', `${http.req.method} is not possible here; ${allow} is`, { allow })
}

const formOf = (path: string): RegExp => new RegExp(`^${path.replace(/:\w+/g, '[^/]+')}/?$`)
