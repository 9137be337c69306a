import { z } from 'zod'
import { line } from '../plain-text.ts'
import { clientText, description } from './forms.ts'
import { catchUpMost, catchUps, exclusionsMost, failuresMost, overlaps } from '../../core/policy.ts'

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
const span = (what: string) =>
  z
    .string()
    .max(64)
    .nullable()
    .optional()
    .meta({ description: `${what}: \`5 minutes\`, \`2 hours\` …` })

const policies = {
  catch_up: z.enum(catchUps).nullable().optional().meta({
    description: 'Which of the slots that were missed in an outage is started; `latest` when absent',
  }),
  catch_up_max: z
    .int()
    .min(1)
    .max(catchUpMost)
    .nullable()
    .optional()
    .meta({ description: 'How many slots `catch_up: all` starts at most, the newest ones; 10 when absent' }),
  jitter: span('Starts are spread over this time after their slots, always below the next slot'),
  start_deadline: span('How late a start may be; one period, at most a day, when absent'),
  exclusions: z.array(z.string().max(64)).max(exclusionsMost).nullable().optional().meta({
    description:
      'Days on which nothing starts, in the zone of the schedule: `2027-12-24`, `2027-12-24/2027-12-31`',
  }),
  pause_after_failures: z
    .int()
    .min(1)
    .max(failuresMost)
    .nullable()
    .optional()
    .meta({ description: 'So many failures one after the other stop the schedule' }),
}

const overlap = (words: readonly [string, ...string[]]) =>
  z.enum(words).nullable().optional().meta({
    description:
      'What becomes of a slot that finds a run open: it is skipped, waits for its end (`queue`), has it cancelled, or does not mind; `skip` when absent',
  })

const labels = z.record(z.string(), z.string().nullable()).nullable().optional()

/** The extensions of a job. */
export const jobExtensions = z
  .strictObject({
    ...timing,
    autostart,
    ...policies,
    overlap: overlap(overlaps),
    autonomy: z.boolean().nullable().optional().meta({
      description:
        'Whether the agent goes on with the job by itself when it has lost every server; true when absent',
    }),
    client_selector: labels.meta({
      description: 'Labels that a client must have, all of them: a run for each that matches',
    }),
  })
  .meta({ id: 'FreezerJobExtensions' })

/** The extensions of a stored action: what Qinling's functions are called, and where their calls run. */
export const actionExtensions = z
  .strictObject({
    name: line(z.string().max(255))
      .nullable()
      .optional()
      .meta({ description: "The function's name; its backup_name, else its id, when absent" }),
    description: description.nullable().optional().meta({ description: "The function's description" }),
    client_id: clientText
      .nullable()
      .optional()
      .meta({ description: 'The client that its calls run on, unless they name one' }),
    client_selector: labels.meta({
      description: 'In place of `client_id`: labels of the clients that its calls run on, all of them',
    }),
  })
  .meta({ id: 'FreezerActionExtensions' })

/** The extensions of a session. */
export const sessionExtensions = z
  .strictObject({
    ...timing,
    ...policies,
    // The starts of a session share their clients' freezes.
    overlap: overlap(['skip', 'queue', 'cancel']),
    missing: z
      .enum(['abort', 'degrade'])
      .nullable()
      .optional()
      .meta({ description: 'Whether a member that is not ready in time ends the start, or is left behind' }),
  })
  .meta({ id: 'FreezerSessionExtensions' })
