import type { Context as HonoContext } from 'hono'
import { Fault, isFault } from '../../core/fault.ts'
import { projectId } from '../../core/ids.ts'
import type { Caller } from '../../controller/use-cases/context.ts'
import { authenticate } from '../../controller/use-cases/tokens.ts'
import type { Bindings } from '../body.ts'
import type { ApiDeps } from '../deps.ts'
import { EdgeFault } from '../faults.ts'
import { demandRole, type PathProject, type Route } from '../route.ts'
import { Limits } from './limits.ts'

/** Who is let in, and as whom. Nothing has happened yet when it throws. */
export class Admission {
  readonly #deps: Pick<ApiDeps, 'context' | 'identity'>
  readonly #limits: Limits

  constructor(deps: Pick<ApiDeps, 'context' | 'identity' | 'requests'>) {
    this.#deps = deps
    this.#limits = new Limits(deps.context.clock, deps.requests)
  }

  /**
   * Who asks, acting in the project that the request is about; at once unless an identity service has to be asked. Throws
   * Fault 'unauthenticated', 'forbidden', 'store_down', EdgeFault 'too_many_requests', 'not_acceptable'.
   */
  admit(route: Route, http: HonoContext<Bindings>): Caller | Promise<Caller> {
    const caller = this.#identify(http)
    if (caller instanceof Promise) return caller.then((it) => this.#let(it, route, http))
    return this.#let(caller, route, http)
  }

  #let(caller: Caller, route: Route, http: HonoContext<Bindings>): Caller {
    this.#limits.request(caller)
    if (route.role !== 'nobody') demandRole(caller, route.role)
    if (route.gives !== anything) accept(http.req.header('accept'), route.gives ?? 'application/json')
    return route.project ? placed(caller, route.project, http) : caller
  }

  #identify(http: HonoContext<Bindings>): Caller | Promise<Caller> {
    const { context } = this.#deps
    if (!context.state.loaded) throw new Fault('store_down', 'this server is still reading the store')
    const text = http.req.header('x-auth-token') ?? ''
    if (text === '') throw new Fault('unauthenticated', 'a token is needed, in the header X-Auth-Token')
    try {
      return authenticate(context, text) ?? this.#foreign(text, http)
    } catch (error) {
      throw this.#counted(error, http)
    }
  }

  /** A token of another service. Firn's own never get there: whoever is sent one could use it. */
  #foreign(text: string, http: HonoContext<Bindings>): Caller | Promise<Caller> {
    const { identity } = this.#deps
    if (!identity || !foreignForm.test(text)) throw new Fault('unauthenticated', 'the token is not valid')
    const known = identity.known(text)
    if (known) return known
    this.#limits.demandPatience(addressOf(http))
    return identity.identify(text).catch((error: unknown) => {
      throw this.#counted(error, http)
    })
  }

  /** What to throw instead: a token that is not valid counts against its sender. */
  #counted(error: unknown, http: HonoContext<Bindings>): unknown {
    return isFault(error, 'unauthenticated') ? this.#limits.refused(addressOf(http), error) : error
  }
}

/** What can be in a header of HTTP; Keystone's tokens have some 200 characters, those with certificates thousands. */
const foreignForm = /^[\x21-\x7e]{1,8192}$/

const addressOf = (http: HonoContext<Bindings>): string => http.env?.incoming?.socket?.remoteAddress ?? ''

/** The caller in the project that the path names. Throws Fault('forbidden'). */
function placed(caller: Caller, { param, admins }: PathProject, http: HonoContext<Bindings>): Caller {
  const named = http.req.param(param) ?? ''
  if (named === caller.project) return caller
  if (caller.role === 'admin' && admins === 'anywhere') return { ...caller, project: projectId(named) }
  throw new Fault('forbidden', "the project of the path is not the token's")
}

const anything = 'any'

/** Every offer that admits `type`; the order of preference does not matter, for there is one form only. */
function accept(header: string | undefined, type: string): void {
  if (header === undefined || header === '' || header.includes('*/*') || header.includes(type)) return
  const family = `${type.slice(0, type.indexOf('/'))}/*`
  if (header.includes(family) || (type.includes('json') && header.includes('json'))) return
  throw new EdgeFault('not_acceptable', `this answers with ${type} only`)
}
