import type { Context as HonoContext } from 'hono'
import { Fault, isFault } from '../../core/fault.ts'
import { projectId } from '../../core/ids.ts'
import type { Caller } from '../../controller/use-cases/context.ts'
import { authenticate } from '../../controller/use-cases/tokens.ts'
import type { Bindings } from '../body.ts'
import type { Served } from '../deps.ts'
import { EdgeFault } from '../faults.ts'
import { demandRole, type PathProject, type Route } from '../route.ts'
import { Limits } from './limits.ts'

type Needs = Pick<Served, 'context' | 'identity' | 'requests' | 'caughtUp'>

/** Who is let in, and as whom. Nothing has happened yet when it throws. */
export class Admission {
  readonly #deps: Needs
  readonly #limits: Limits

  constructor(deps: Needs) {
    this.#deps = deps
    this.#limits = new Limits(deps.context.clock, deps.requests)
  }

  /**
   * Who asks, acting in the project that the request is about; at once unless an identity service has to be asked. Throws
   * Fault 'unauthenticated', 'forbidden', 'store_down', 'identity_down', EdgeFault 'too_many_requests', 'not_acceptable'.
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
      const own = authenticate(context, text)
      if (own) return own
    } catch {
      return this.carefully(http, () => this.#again(text))
    }
    return this.#deps.identity?.known(text) ?? this.carefully(http, () => this.#elsewhere(text))
  }

  /** Another server may have made the token a moment ago: it is believed to be unknown only once this one has caught up. */
  async #again(text: string): Promise<Caller> {
    const { context, caughtUp } = this.#deps
    // The store is away: what this server knows is all there is to say.
    if (context.state.staleMs === undefined) await caughtUp().catch(() => undefined)
    const own = authenticate(context, text)
    if (!own) throw notValid()
    return own
  }

  /** A token of another service. Firn's own never get there: whoever is sent one could use it. */
  async #elsewhere(text: string): Promise<Caller> {
    const { identity } = this.#deps
    if (!identity || !foreignForm.test(text)) throw notValid()
    return identity.identify(text)
  }

  /**
   * Looks at a token that may be none: such a one counts against its sender, who is not served for ever. Throws what `look`
   * throws, or EdgeFault('too_many_requests') instead of Fault('unauthenticated').
   */
  async carefully<T>(http: HonoContext<Bindings>, look: () => Promise<T>): Promise<T> {
    const address = http.env?.incoming?.socket?.remoteAddress ?? ''
    this.#limits.demandPatience(address)
    try {
      return await look()
    } catch (error) {
      throw isFault(error, 'unauthenticated') ? this.#limits.refused(address, error) : error
    }
  }
}

const notValid = (): Fault => new Fault('unauthenticated', 'the token is not valid')

/** What can be in a header of HTTP; Keystone's tokens have some 200 characters, those with certificates thousands. */
const foreignForm = /^[\x21-\x7e]{1,8192}$/

/** The caller in the project that the path names. Throws Fault('forbidden'). */
function placed(caller: Caller, { param, admins }: PathProject, http: HonoContext<Bindings>): Caller {
  const named = http.req.param(param) ?? ''
  if (named === caller.project) return caller
  if (caller.role === 'admin' && admins === 'anywhere') return { ...caller, project: projectId(named) }
  throw new Fault('forbidden', "the project of the path is not the token's")
}

const anything = 'any'

/** Whether an offer admits `type`; the order of preference does not matter, for there is one form only. */
function accept(header: string | undefined, type: string): void {
  // Most say nothing, or just this.
  if (header === undefined || header === '' || header === '*/*' || header === type) return
  const offers = header.slice(0, acceptMax).split(',').map(offerOf)
  const ours = [type, `${type.slice(0, type.indexOf('/'))}/*`, '*/*']
  // What is said of the type itself counts more than what is said of its kind.
  const found = ours.map((name) => offers.find((offer) => offer.name === name)).find((offer) => offer)
  const isOther =
    type.includes('json') && offers.some(({ name, isWanted }) => isWanted && name.includes('json'))
  if (found ? found.isWanted : isOther) return
  throw new EdgeFault('not_acceptable', `this answers with ${type} only`)
}

/** Browsers' are some hundred characters. */
const acceptMax = 2_000

/** `application/json;q=0.5`; a weight of 0 means "not this". */
function offerOf(text: string): { readonly name: string; readonly isWanted: boolean } {
  const [name = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase())
  return { name, isWanted: !parameters.some((parameter) => /^q\s*=\s*0(\.0*)?$/.test(parameter)) }
}
