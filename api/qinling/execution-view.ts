import { z } from 'zod'
import type { JsonObject } from '../../core/action.ts'
import type { Instant } from '../../core/clock.ts'
import { uuidOf } from '../../core/ids.ts'
import type { Run } from '../../core/run.ts'
import { isByHand, wasSync } from '../../controller/use-cases/executions.ts'
import { timeShown, uuidShown } from './forms.ts'
import { shownTime, shownTimeOrNull } from './shown.ts'

/** An execution as Qinling shows it: every key, always. */
export const executionShown = z
  .object({
    id: uuidShown,
    function_alias: z.string().nullable(),
    function_id: uuidShown.nullable(),
    function_version: z.int(),
    description: z
      .string()
      .nullable()
      .meta({ description: '`Created by Job <id>`; null when asked for by hand' }),
    input: z.string().nullable(),
    result: z
      .string()
      .nullable()
      .meta({ description: 'JSON text: `duration` in seconds, `output`, and what Firn knows beside' }),
    status: z.enum(['running', 'success', 'failed', 'error']),
    sync: z.boolean(),
    project_id: z.string(),
    created_at: timeShown,
    updated_at: timeShown.nullable(),
  })
  .meta({ id: 'QinlingExecution' })

type Ended = Extract<Run['state'], { is: 'finished' }>

/** A run as Qinling's record of it. */
export function executionView(run: Run): JsonObject {
  const { state, function: call } = run
  const ended = state.is === 'finished' ? state : undefined
  const action = call ? call.action : run.tasks[0]?.actionId
  return {
    id: uuidOf(run.id),
    function_alias: call?.alias ?? null,
    function_id: action === undefined ? null : uuidOf(action),
    function_version: call?.version ?? 0,
    description: isByHand(run) ? null : `Created by Job ${uuidOf(run.job)}`,
    input: call?.input ?? null,
    result: ended ? JSON.stringify(resultOf(run, ended)) : null,
    status: ended ? statusOf(run, ended) : 'running',
    sync: wasSync(run),
    project_id: run.project,
    created_at: shownTime(run.createdAt),
    updated_at: shownTimeOrNull(ended?.at ?? run.startedAt),
  }
}

/** A backup that is not whole is no success; what never started is an error of the service, not of the function. */
function statusOf(run: Run, { result }: Ended): string {
  if (result === 'success') return 'success'
  return run.startedAt === undefined ? 'error' : 'failed'
}

function resultOf(run: Run, { at, result, reason }: Ended): JsonObject {
  const backups = run.steps.flatMap(({ backup }) => backup ?? [])
  return {
    duration: secondsBetween(run.startedAt ?? at, at),
    output: reason?.text ?? result,
    result,
    ...(reason ? { reason: reason.code } : {}),
    ...(backups.length > 0 ? { backup_ids: backups } : {}),
  }
}

const secondsBetween = (from: Instant, to: Instant): number => Math.max(0, to - from) / 1000
