import { randomUUID } from 'node:crypto'
import { Hono, type Context as HonoContext } from 'hono'
import { isFault } from '../core/fault.ts'
import type { Caller } from '../controller/use-cases/context.ts'
import { Recent } from '../controller/use-cases/recent.ts'
import { Admission } from './auth/admission.ts'
import type { Bindings } from './body.ts'
import { RequestCounts } from './counts.ts'
import type { ApiDeps, Served } from './deps.ts'
import { JobTexts } from './freezer/job-texts.ts'
import { unfinishedJobs } from './freezer/standing.ts'
import { elsewhereOf } from './elsewhere.ts'
import { answerTo } from './faults.ts'
import { oneAtATime } from './one-at-a-time.ts'
import { OpenStreams } from './open-streams.ts'
import { Ask, type Route } from './route.ts'
import { apiRoutes } from './routes.ts'

/**
 * The whole API over its dependencies. `stopping` ends the streams that are open. It starts nothing and keeps no state
 * but counts, so that tests call `app.request(...)` without a server.
 */
export function buildApp(
  deps: ApiDeps,
  stopping: AbortSignal = new AbortController().signal,
): Hono<Bindings> {
  const recent = new Recent(deps.context.state)
  const served: Served = {
    ...deps,
    recent,
    unfinished: unfinishedJobs({ state: deps.context.state, recent }),
    jobTexts: new JobTexts(),
    counts: new RequestCounts(),
    streams: new OpenStreams(),
    stopping,
    caughtUp: oneAtATime(() => deps.context.state.catchUp()),
  }
  const admission = new Admission(served)
  // Not strict: clients send every path with and without a slash at its end.
  const app = new Hono<Bindings>({ strict: false })
  for (const route of apiRoutes)
    app.on(route.method, route.path, (http) => serve(served, admission, route, http))
  const elsewhere = elsewhereOf(apiRoutes)
  app.notFound((http) => {
    const { errors, fault } = elsewhere(http.req.method, http.req.path)
    return serve(served, admission, { ...nowhere, errors, answer: () => Promise.reject(fault) }, http)
  })
  // Not reached by what routes throw: only by what Hono does before it finds one.
  app.onError((error, http) =>
    failed(served, { errors: 'problem', path: 'none' }, new Ask(served, http, newId(), undefined), error),
  )
  return app
}

/** Nobody without a token learns which paths there are. */
const nowhere = { method: 'GET', path: 'none', role: 'viewer', gives: 'any' } as const

const newId = (): string => `req-${randomUUID()}`

/** One request: who asks, may they, the answer, and what is told of it. Answers without a promise where the route does. */
function serve(
  served: Served,
  admission: Admission,
  route: Route,
  http: HonoContext<Bindings>,
): Response | Promise<Response> {
  const began = performance.now()
  const requestId = newId()
  let caller: Caller | undefined
  const told = (response: Response): Response => {
    tell(served, http, { route: route.path, requestId, began, caller }, response.status)
    return response
  }
  let ask = new Ask(served, http, requestId, undefined)
  const answered = (admitted: Caller): Response | Promise<Response> => {
    caller = admitted
    ask = new Ask(served, http, requestId, caller)
    return route.answer(ask)
  }
  // What a stranger sends with a POST holds a token of another kind.
  const ofStranger = () =>
    route.method === 'GET' ? route.answer(ask) : admission.carefully(http, async () => route.answer(ask))
  try {
    const answer = route.role === 'nobody' ? ofStranger() : whenKnown(admission.admit(route, http), answered)
    if (!(answer instanceof Promise)) return told(answer)
    return answer.catch((error: unknown) => recovered(served, route, ask, error)).then(told)
  } catch (error) {
    return recovered(served, route, ask, error).then(told)
  }
}

/** At once where the caller is known already. */
const whenKnown = <T>(
  caller: Caller | Promise<Caller>,
  then: (caller: Caller) => T | Promise<T>,
): T | Promise<T> => (caller instanceof Promise ? caller.then(then) : then(caller))

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
  const answer = answerTo(error, route.errors, served.identity?.uri)
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
