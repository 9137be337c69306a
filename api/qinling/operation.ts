import type { z } from 'zod'
import { EdgeFault } from '../faults.ts'
import { operation, type Operation } from '../operation.ts'
import type { Ask, Route } from '../route.ts'

/** Where Qinling's API lies; a client is given `/qinling` and adds the rest. */
export const base = '/qinling/v1'

type Kept<Q extends z.ZodObject | undefined, B extends z.ZodType | undefined> = Omit<
  Operation<Q, B>,
  'errors' | 'tag' | 'path'
> & {
  /** After `/qinling/v1`. */
  readonly path: string
}

/** A route of Qinling's API, with Qinling's errors. Its bodies are JSON, and say so if they say anything. */
export function qinlingOperation<
  Q extends z.ZodObject | undefined = undefined,
  B extends z.ZodType | undefined = undefined,
>(spec: Kept<Q, B>): Route {
  const { path, ...rest } = spec
  const route = operation({
    ...rest,
    ...{ path: `${base}${path}`, errors: 'qinling', tag: 'Qinling' },
  } as unknown as Operation<Q, B>)
  return {
    ...route,
    answer(ask) {
      demandJson(ask)
      return route.answer(ask)
    },
  }
}

/** Throws EdgeFault 'wrong_media_type' for a body that says it is something else than JSON. */
function demandJson(ask: Ask): void {
  const type = ask.header('content-type')
  if (type === undefined || !ask.hasBody || /^\s*application\/json\s*(;|$)/i.test(type)) return
  throw new EdgeFault('wrong_media_type', `a body is application/json, not ${type.slice(0, 80)}`)
}
