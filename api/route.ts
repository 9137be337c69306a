import type { Context as HonoContext } from 'hono'
import type { z } from 'zod'
import type { Json } from '../core/action.ts'
import { Fault } from '../core/fault.ts'
import { roles, type Role } from '../core/catalogue.ts'
import type { Caller } from '../controller/use-cases/context.ts'
import { bodyBytesMax, hasBody, readJson, strangersBytesMax, type Bindings } from './body.ts'
import type { Served } from './deps.ts'
import type { ErrorForm } from './faults.ts'

/** One operation of the API, as a route group lists it. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Hono's pattern, from the root. A slash at the end makes no difference. */
  readonly path: string
  /** What the caller must be, at least; `nobody`: no token is asked for. */
  readonly role: Role | 'nobody'
  /** Set where the path names a project; absent: the route is about the token's own. */
  readonly project?: PathProject
  readonly errors: ErrorForm
  /** What it answers with, for `Accept`; JSON when absent. "any": whatever the caller takes. */
  readonly gives?: string
  /**
   * Set where doing it twice is doing it once, with the same idempotency key: a request whose outcome is not known is then
   * done again. Elsewhere its caller is told to look first.
   */
  readonly repeat?: 'harmless'
  readonly answer: (ask: Ask) => Response | Promise<Response>
  /** What the reference says of it; `operation` makes it from what it checks. */
  readonly doc?: RouteDoc
}

/**
 * A path that names the project it is about. Admission compares it with the token's before the route is asked, so no route
 * does: `ask.caller.project` is the project to act in, always. Another one is 403, in the route's own error form; except that
 * where administrators may act anywhere, an admin's `ask.caller.project` is that of the path.
 */
export interface PathProject {
  /** The name of the path's part, without the colon: `project_id` of Freezer, `accountId` of Trove. */
  readonly param: string
  /** Whether an admin may name any project (Freezer), or the own one only, as everybody else (Trove). */
  readonly admins: 'anywhere' | 'own'
}

/** A route as the OpenAPI document tells it. */
export interface RouteDoc {
  /** The part of the reference that it stands in. */
  readonly tag: string
  /** A line, imperative, without a full stop. */
  readonly summary: string
  readonly description?: string
  /** A word for programs, unique in the whole API: `createJob`. */
  readonly id: string
  /** What each part of the path in braces is; the others are ids. */
  readonly params?: Readonly<Record<string, string>>
  readonly query?: z.ZodObject
  readonly body?: z.ZodType
  /** Headers of the request that mean something here, by name, and what they mean. */
  readonly headers?: Readonly<Record<string, string>>
  /** By status; `nothing`: no body. Errors are told by the form and need no mention. */
  readonly answers: Readonly<Record<number, z.ZodType | 'nothing' | 'text'>>
}

/** One request on its way through a route. */
export class Ask {
  readonly served: Served
  readonly http: HonoContext<Bindings>
  readonly requestId: string
  readonly #caller: Caller | undefined
  #body: Promise<Json | undefined> | undefined

  constructor(served: Served, http: HonoContext<Bindings>, requestId: string, caller: Caller | undefined) {
    this.served = served
    this.http = http
    this.requestId = requestId
    this.#caller = caller
  }

  /** Who asks; only of a route that wants a token. */
  get caller(): Caller {
    if (!this.#caller) throw new Fault('unauthenticated', 'a token is needed')
    return this.#caller
  }

  get hasBody(): boolean {
    return hasBody(this.http)
  }

  /** The JSON body, read once; undefined when empty. Throws what `readJson` does; a stranger may send less than a caller. */
  body(): Promise<Json | undefined> {
    this.#body ??= readJson(this.http, this.#caller ? bodyBytesMax : strangersBytesMax)
    return this.#body
  }

  param(name: string): string {
    return this.http.req.param(name) ?? ''
  }

  query(name: string): string | undefined {
    return this.http.req.query(name)
  }

  header(name: string): string | undefined {
    return this.http.req.header(name)
  }

  json(value: unknown, status = 200, headers?: Readonly<Record<string, string>>): Response {
    return this.jsonText(JSON.stringify(value), status, headers)
  }

  /** What is JSON already. */
  jsonText(text: string, status = 200, headers?: Readonly<Record<string, string>>): Response {
    return new Response(text, {
      status,
      headers: { 'content-type': 'application/json', ...this.headers(), ...headers },
    })
  }

  /** 204 */
  nothing(): Response {
    return new Response(null, { status: 204, headers: this.headers() })
  }

  /** What every answer carries. */
  headers(): Record<string, string> {
    const { staleMs } = this.served.context.state
    return staleMs === undefined
      ? { 'x-openstack-request-id': this.requestId }
      : {
          'x-openstack-request-id': this.requestId,
          'firn-stale': String(Math.ceil(staleMs / 1000)),
        }
  }
}

/** Throws Fault('forbidden') when the caller may less than `needed`. */
export function demandRole(caller: Caller, needed: Role): void {
  if (roles.indexOf(caller.role) > roles.indexOf(needed))
    throw new Fault('forbidden', `this takes the role ${needed}; the token has ${caller.role}`)
}
