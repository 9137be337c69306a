import { z } from 'zod'
import type { ErrorForm } from '../faults.ts'

const detail = 'What is wrong, for people; names the field'

const freezerError = z
  .object({
    title: z.string(),
    description: z.string().meta({ description: detail }),
    error: z
      .object({ code: z.literal(401), title: z.string(), message: z.string() })
      .optional()
      .meta({ description: 'With 401 only' }),
  })
  .meta({ id: 'FreezerError', description: 'Malformed JSON is 753, a status that only Freezer has' })

const troveFault = z
  .record(
    z.string(),
    z.object({
      code: z.int(),
      message: z.string().meta({ description: detail }),
      details: z.string().optional().meta({ description: 'With 413 where `retryAfter` is known' }),
      retryAfter: z.string().optional().meta({ description: 'Seconds; with 413 where it is known' }),
    }),
  )
  .meta({
    id: 'TroveFault',
    description: 'One key, which names the kind: `badRequest`, `itemNotFound`, `overLimit` …',
  })

const qinlingFault = z
  .object({
    faultcode: z.enum(['Client', 'Server']),
    faultstring: z.string().meta({ description: detail }),
    debuginfo: z.null(),
  })
  .meta({ id: 'QinlingFault' })

const problem = z
  .object({
    type: z.string().meta({ description: 'Where the kind of problem is explained: on the reference page' }),
    title: z.string(),
    status: z.int(),
    detail: z.string().meta({ description: detail }),
    code: z.string().meta({ description: 'For programs' }),
    field: z.string().optional().meta({ description: 'The part of the request that is wrong' }),
  })
  .meta({ id: 'Problem', description: 'RFC 9457' })

/** How each façade tells an error. */
export const errorForms: Readonly<
  Record<ErrorForm, { readonly name: string; readonly type: string; readonly schema: z.ZodType }>
> = {
  freezer: { name: 'FreezerError', type: 'application/json', schema: freezerError },
  trove: { name: 'TroveFault', type: 'application/json', schema: troveFault },
  qinling: { name: 'QinlingFault', type: 'application/json', schema: qinlingFault },
  problem: { name: 'Problem', type: 'application/problem+json', schema: problem },
}
