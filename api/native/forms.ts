import { z } from 'zod'

/** An id as the server makes them, or as callers of Freezer's paths may choose them. */
export const idText = (what: string) =>
  z
    .string()
    .regex(/^[\w-]{1,64}$/, 'must be 1 to 64 letters, digits, "_" or "-"')
    .meta({ description: what })

/** The name of a client: a host name, optionally after a `prefix_`. Its form is checked where it becomes a `ClientId`. */
export const clientText = (what: string) => z.string().max(255).meta({ description: what })

/** A switch in a query. */
export const flagText = (what: string) => z.enum(['true', 'false']).optional().meta({ description: what })

/** An instant: ISO 8601, UTC, milliseconds. */
export const at = (what?: string) =>
  z.iso
    .datetime({ precision: 3 })
    .nullable()
    .meta(what === undefined ? {} : { description: what })

/** A whole number that is not negative. */
export const count = (what?: string) =>
  z
    .int()
    .min(0)
    .meta(what === undefined ? {} : { description: what })

/** How long a credential lives: at most ten years, for one without an end is made by leaving it out. Seconds. */
export const ttlSeconds = (what: string) =>
  z
    .number()
    .min(1)
    .max(10 * 366 * 24 * 3600)
    // Last: it has bounds of its own, which no message should name.
    .int()
    .meta({ description: what })

/** The parts of a list that every list has: `{"<plural>": […], "next": cursor}`. */
export const listOf = <K extends string, T extends z.ZodType>(plural: K, item: T) =>
  z.object({
    [plural]: z.array(item),
    next: z.string().nullable().meta({ description: 'For `cursor`; null on the last page' }),
  })
