import { z } from 'zod'
import type { JsonObject } from '../../core/action.ts'
import type { Reported } from '../../core/job.ts'
import { some } from '../fields.ts'
import { seconds } from './forms.ts'

/** What the fields mean is checked where schedules are understood; null and an empty text take a field away. */
const trigger = (what: string) => z.string().max(255).nullable().optional().meta({ description: what })

const triggers = {
  schedule_date: trigger(
    'One run at `YYYY-MM-DDThh:mm:ss`; UTC unless it has an offset or `firn.timezone` says otherwise',
  ),
  schedule_interval: trigger('`5 days`, `1 hours` …, or `continuous`: as soon as the last run has ended'),
  schedule_start_date: trigger('No run before'),
  schedule_end_date: trigger('No run after'),
  schedule_year: trigger('As in cron'),
  schedule_month: trigger('`1`–`12`, as in cron: `*`, `*/3`, `1-6,9`'),
  schedule_day: trigger('`1`–`31`, `last`, `2nd fri`'),
  schedule_week: trigger('ISO week, `1`–`53`'),
  schedule_day_of_week: trigger('`mon`…`sun` or `0`–`6`, 0 = Monday'),
  schedule_hour: trigger('`0`–`23`; smaller fields that are not set are 0 then'),
  schedule_minute: trigger('`0`–`59`'),
  schedule_second: trigger('`0`–`59`'),
}

export const statuses = ['', 'scheduled', 'running', 'completed', 'stop', 'aborting', 'removed'] as const
export const results = ['', 'success', 'fail', 'aborted'] as const
export const events = ['', 'start', 'stop', 'abort', 'remove'] as const

const report = {
  status: z.enum(statuses).optional(),
  result: z.enum(results).optional().meta({ description: 'Of the last run' }),
  event: z.enum(events).optional().meta({ description: 'What was asked of the node, until it has done it' }),
  time_created: seconds.optional(),
  time_started: seconds.optional(),
  time_ended: seconds.optional(),
  current_pid: z.int().optional().meta({ description: 'Process on the node' }),
}

/** Freezer's closed schedule: when, and how it stands. The latter is stored for clients without an agent only. */
export const scheduleForm = z.strictObject({ ...triggers, ...report }).meta({
  id: 'FreezerSchedule',
  description: 'Exactly one kind applies: a date, else an interval, else cron fields, else none',
})

/** The fields of a checked schedule document that say when. */
export function triggersIn(schedule: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(schedule).filter(([key]) => Object.hasOwn(triggers, key)))
}

/** The fields of a checked schedule document that say how the job stands. */
export function reportIn(schedule: JsonObject): Partial<Reported> {
  const { status, result, event, time_created, time_started, time_ended, current_pid } = schedule as z.output<
    typeof scheduleForm
  >
  return {
    ...some('status', status),
    ...some('result', result),
    ...some('event', event),
    ...some('timeCreated', time_created),
    ...some('timeStarted', time_started),
    ...some('timeEnded', time_ended),
    ...some('currentPid', current_pid),
  }
}
