import type { Context as HonoContext } from 'hono'
import { Fault } from '../../core/fault.ts'
import { projectId } from '../../core/ids.ts'
import type { Caller } from '../../controller/use-cases/context.ts'
import { authenticate } from '../../controller/use-cases/tokens.ts'
import type { Bindings } from '../body.ts'
import type { ApiDeps } from '../deps.ts'
import { EdgeFault } from '../faults.ts'
import { demandRole, type PathProject, type Route } from '../route.ts'

/** Who is let in, and as whom. Nothing has happened yet when it throws. */
export class Admission {
  readonly #deps: Pick<ApiDeps, 'context'>

  constructor(deps: Pick<ApiDeps, 'context'>) {
    this.#deps = deps
  }

  /**
   * Who asks, acting in the project that the request is about. Throws Fault 'unauthenticated', 'forbidden', 'store_down',
   * EdgeFault 'not_acceptable'.
   */
  admit(route: Route, http: HonoContext<Bindings>): Caller {
    const caller = this.identify(http)
    if (route.role !== 'nobody') demandRole(caller, route.role)
    if (route.gives !== anything) accept(http.req.header('accept'), route.gives ?? 'application/json')
    return route.project ? placed(caller, route.project, http) : caller
  }

  /** Who asks. Throws Fault 'unauthenticated' or 'store_down'. */
  identify(http: HonoContext<Bindings>): Caller {
    const { context } = this.#deps
    if (!context.state.loaded) throw new Fault('store_down', 'this server is still reading the store')
    return authenticate(context, http.req.header('x-auth-token') ?? '')
  }
}

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
