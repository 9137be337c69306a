import type { z } from 'zod'
import { Fault, isFault } from '../../core/fault.ts'
import { EdgeFault } from '../faults.ts'
import { operation, type Operation } from '../operation.ts'
import type { Ask, Route } from '../route.ts'

type Kept<Q extends z.ZodObject | undefined, B extends z.ZodType | undefined> = Omit<
  Operation<Q, B>,
  'errors' | 'project' | 'tag' | 'path'
> & {
  /** After `/v1.0/{accountId}`. */
  readonly path: string
}

/**
 * A route of Trove's API: in the account that the path names, which must be the token's, for administrators too; with
 * Trove's errors, which spell a field `backup['name']`.
 */
export function troveOperation<
  Q extends z.ZodObject | undefined = undefined,
  B extends z.ZodType | undefined = undefined,
>(spec: Kept<Q, B>): Route {
  const { path, params, ...rest } = spec
  const route = operation({
    ...rest,
    ...{ path: `/v1.0/:accountId${path}`, errors: 'trove', tag: 'Trove' },
    project: { param: 'accountId', admins: 'own' },
    params: { accountId: "The token's project.", ...params },
  } as unknown as Operation<Q, B>)
  return {
    ...route,
    async answer(ask) {
      refuseHead(ask)
      if (route.method === 'POST') demandJson(ask)
      try {
        return await route.answer(ask)
      } catch (error) {
        throw inTrovesWords(error)
      }
    },
  }
}

/** Trove knows no HEAD; the router would answer it as it answers GET. */
function refuseHead(ask: Ask): void {
  if (ask.http.req.method === 'HEAD')
    throw new EdgeFault('wrong_method', 'HEAD is not possible here; GET is', { allow: 'GET' })
}

/** Throws EdgeFault 'wrong_media_type'; a request without a body may leave its type out. */
function demandJson(ask: Ask): void {
  const type = ask.header('content-type')
  if (type === undefined && !ask.hasBody) return
  if (/^\s*application\/json\s*(;|$)/i.test(type ?? '')) return
  throw new EdgeFault(
    'wrong_media_type',
    `a body is application/json, not ${(type ?? 'untyped').slice(0, 80)}`,
  )
}

function inTrovesWords(error: unknown): unknown {
  if (!isFault(error)) return error
  const { field, retryAfterMs } = error.detail
  if (field === undefined || !field.includes('.')) return error
  const [head, ...rest] = field.split('.')
  const shown = `${head}${rest.map((key) => `['${key}']`).join('')}`
  const message = error.message.replace(`'${field}'`, shown).replace(field, shown)
  const retry = retryAfterMs === undefined ? {} : { retryAfterMs }
  return new Fault(error.code, message, { field: shown, cause: error, ...retry })
}

/**
 * A use case names fields by its own words: where they are in the body that the caller sent. Gives what is to be thrown in
 * place of `error`.
 */
export function spelt(error: unknown, fields: Readonly<Record<string, string>>): unknown {
  if (!isFault(error) || error.detail.field === undefined) return error
  const { field, retryAfterMs } = error.detail
  const path = fields[field]
  if (path === undefined) return error
  const message = error.message.startsWith(`${field}: `)
    ? error.message.slice(field.length + 2)
    : error.message
  const retry = retryAfterMs === undefined ? {} : { retryAfterMs }
  return new Fault(error.code, `${path}: ${message}`, { field: path, cause: error, ...retry })
}

/** A fault's own kind where Trove has another one for it. */
export function asNotImplemented(error: unknown): unknown {
  return isFault(error, 'unsupported') ? new EdgeFault('not_implemented', error.message) : error
}
