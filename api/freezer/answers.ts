import { z } from 'zod'
import { seconds } from './forms.ts'

/* The documents that Freezer's API answers with. Open: later releases show more. */

const owner = {
  project_id: z.string().optional().meta({ description: 'Not in v1' }),
  user_id: z.string(),
}
const version = { _version: z.int().meta({ description: 'Grows by one with each change' }) }

const schedule = z.looseObject({
  time_created: seconds.optional(),
  time_started: seconds.optional(),
  time_ended: seconds.optional(),
  status: z.string().optional(),
  event: z.string().optional(),
  result: z.string().optional(),
})

const entry = z.looseObject({
  action_id: z.string(),
  ...owner,
  max_retries: z.int(),
  max_retries_interval: z.int(),
  mandatory: z.boolean(),
  freezer_action: z.looseObject({}).meta({ description: 'As sent; secrets are shown as `***`' }),
  problem: z
    .string()
    .optional()
    .meta({ description: 'Of a job shown by itself: why its node cannot do this, as far as is known' }),
})

export const shownJob = z
  .looseObject({
    job_id: z.string(),
    ...owner,
    client_id: z.string().optional().meta({ description: 'Absent where `firn.client_selector` is there' }),
    description: z.string(),
    session_id: z.string().meta({ description: 'Empty: in none' }),
    session_tag: z.int(),
    job_schedule: schedule,
    job_actions: z.array(entry),
    ...version,
  })
  .meta({ id: 'FreezerShownJob' })

export const shownAction = entry.extend(version).meta({ id: 'FreezerShownAction' })

export const shownSession = z
  .looseObject({
    session_id: z.string(),
    ...owner,
    description: z.string(),
    hold_off: z.int(),
    session_tag: z.int(),
    status: z.enum(['active', 'running', 'completed']),
    result: z.enum(['', 'success', 'fail']),
    last_start: z.string(),
    time_start: seconds,
    time_end: seconds,
    time_started: seconds,
    time_ended: seconds,
    schedule: z.looseObject({}),
    jobs: z.record(
      z.string(),
      z.looseObject({
        client_id: z.string(),
        status: z.string(),
        result: z.string(),
        time_started: seconds,
        time_ended: seconds,
      }),
    ),
    ...version,
  })
  .meta({ id: 'FreezerShownSession' })

export const shownClient = z
  .looseObject({
    ...owner,
    client: z.looseObject({
      client_id: z.string(),
      hostname: z.string(),
      description: z.string(),
      uuid: z.string(),
    }),
  })
  .meta({ id: 'FreezerShownClient' })

export const shownBackup = z
  .looseObject({
    backup_id: z.string(),
    ...owner,
    user_name: z.string(),
    backup_metadata: z.looseObject({}),
  })
  .meta({ id: 'FreezerShownBackup' })
