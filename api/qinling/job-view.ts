import { z } from 'zod'
import type { JsonObject } from '../../core/action.ts'
import { uuidOf } from '../../core/ids.ts'
import type { Job } from '../../core/job.ts'
import type { CronView } from '../../controller/use-cases/cron-jobs.ts'
import { timeShown, uuidShown } from './forms.ts'
import { firstActionOf } from './lookup.ts'
import { shownTime, shownTimeOrNull } from './shown.ts'

/** A job as Qinling shows it: every key, always. */
export const jobShown = z
  .object({
    id: uuidShown,
    name: z.string().nullable(),
    function_id: uuidShown
      .nullable()
      .meta({ description: 'A saved action; null where an alias is followed' }),
    function_alias: z.string().nullable(),
    function_version: z.int(),
    function_input: z.string().nullable(),
    pattern: z.string().nullable().meta({ description: 'Null: it runs once' }),
    count: z.int().nullable().meta({ description: 'Firings left; null: no limit' }),
    first_execution_time: timeShown,
    next_execution_time: timeShown,
    status: z.enum(['running', 'paused', 'cancelled', 'done']),
    project_id: z.string(),
    created_at: timeShown,
    updated_at: timeShown.nullable(),
  })
  .meta({ id: 'QinlingJob' })

export function jobView(job: Job, { form, standing, first, next, left }: CronView): JsonObject {
  const { function: call } = job
  return {
    id: uuidOf(job.id),
    name: job.named || job.description !== '' ? job.description : null,
    function_id: call ? (call.action === undefined ? null : uuidOf(call.action)) : firstActionOf(job),
    function_alias: call?.alias ?? null,
    function_version: call?.version ?? 0,
    function_input: call?.input ?? null,
    pattern: form.is === 'recurring' ? form.pattern : null,
    count: left,
    first_execution_time: shownTime(first),
    next_execution_time: shownTime(next),
    status: standing,
    project_id: job.project,
    created_at: shownTime(job.createdAt),
    updated_at: shownTimeOrNull(job.updatedAt),
  }
}
