import { z } from 'zod'

/* What `firn` may hold: the keys that something reads, so that a misspelt one is not silently kept. Null takes one away. */

const timing = {
  timezone: z.string().max(255).nullable().optional().meta({ description: 'IANA name; UTC when absent' }),
  pattern: z
    .string()
    .max(255)
    .nullable()
    .optional()
    .meta({ description: 'A cron pattern of five fields, in place of the schedule fields' }),
  count: z
    .int()
    .min(1)
    .nullable()
    .optional()
    .meta({ description: 'How often the schedule fires, all in all' }),
}

const autostart = z
  .boolean()
  .nullable()
  .optional()
  .meta({ description: 'Whether a new job without a trigger runs once, now; true when absent' })

/** The extensions of a job. */
export const jobExtensions = z
  .strictObject({
    ...timing,
    autostart,
    client_selector: z
      .record(z.string(), z.string().nullable())
      .nullable()
      .optional()
      .meta({ description: 'Labels that a client must have, all of them: a run for each that matches' }),
  })
  .meta({ id: 'FreezerJobExtensions' })

/** The extensions of a session. */
export const sessionExtensions = z
  .strictObject({
    ...timing,
    missing: z
      .enum(['abort', 'degrade'])
      .nullable()
      .optional()
      .meta({ description: 'Whether a member that is not ready in time ends the start, or is left behind' }),
  })
  .meta({ id: 'FreezerSessionExtensions' })
