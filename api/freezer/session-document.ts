import { z } from 'zod'
import type { JsonObject } from '../../core/action.ts'
import { jobId, type JobId } from '../../core/ids.ts'
import type { SessionFields } from '../../controller/use-cases/sessions.ts'
import { othersOf, refusal, some } from '../fields.ts'
import { sessionExtensions } from './extensions.ts'
import { description, idText, ignored, pauseS } from './forms.ts'
import { scheduleForm, triggersIn } from './schedule-document.ts'

/** The published reference has the interval at the top level, too, and spells it in two ways. */
const alias = z.string().max(255).optional().meta({ description: 'The same as `schedule.schedule_interval`' })

/** Fields that are the server's, and those that it reads; everything else is kept as sent. */
const sessionShape = {
  description: description.optional(),
  hold_off: pauseS.optional().meta({ description: 'No second start within so many seconds; 30 by default' }),
  session_tag: z
    .int()
    .min(0)
    .max(2 ** 31)
    .optional()
    .meta({ description: 'Only at creation; later it counts the starts' }),
  schedule: scheduleForm.optional(),
  schedule_interval: alias,
  schedule_internval: alias,
  event: z
    .enum(['', 'start', 'stop', 'abort'])
    .optional()
    .meta({ description: 'Acts on the session and is not kept' }),
  firn: sessionExtensions.optional(),
  ...{ session_id: ignored, project_id: ignored, user_id: ignored, _version: ignored, jobs: ignored },
  ...{ status: ignored, result: ignored, last_start: ignored },
  ...{ time_start: ignored, time_end: ignored, time_started: ignored, time_ended: ignored },
}

const sessionKeys: ReadonlySet<string> = new Set(Object.keys(sessionShape))

/** A session, open; `schedule` is required of a whole one, and may be empty. */
export const sessionForm = z.looseObject(sessionShape).meta({ id: 'FreezerSession' })

/** A change that names its session itself. */
export const namedSessionForm = z
  .looseObject({ ...sessionShape, session_id: idText })
  .meta({ id: 'FreezerNamedSessionChange' })

/** What a checked session document says. */
export function readSession(document: JsonObject): SessionFields {
  const { description, hold_off, session_tag, event, firn } = document as z.output<typeof sessionForm>
  return {
    ...some('description', description),
    ...some('holdOffS', hold_off),
    ...some('tag', session_tag),
    ...some('schedule', readSchedule(document)),
    ...some('firn', firn as JsonObject | undefined),
    ...some('extra', othersOf(document, sessionKeys)),
    ...some('event', event === '' ? undefined : event),
  }
}

function readSchedule(document: JsonObject): JsonObject | undefined {
  const schedule = document['schedule'] as JsonObject | undefined
  const aliased = aliasIn(document)
  const triggers = schedule && triggersIn(schedule)
  return aliased === undefined ? triggers : { schedule_interval: document[aliased] ?? '', ...triggers }
}

/** How the interval is spelt at the top level, if it is there. */
const aliasIn = (document: JsonObject) =>
  (['schedule_interval', 'schedule_internval'] as const).find((key) => document[key] !== undefined)

/** Where a field of the schedule stands in the document. */
export const spellingOf =
  (document: JsonObject) =>
  (field: string): string => {
    if (!field.startsWith('schedule_')) return field
    const nested = document['schedule'] as JsonObject | undefined
    const isNested = nested !== undefined && Object.hasOwn(nested, field)
    if (field === 'schedule_interval' && !isNested) return aliasIn(document) ?? field
    return `schedule.${field}`
  }

const part = {
  job_id: idText,
  current_tag: z
    .union([z.int().min(0), z.string().regex(/^\d{1,15}$/)], 'must be a whole number, or a string of digits')
    .meta({ description: 'The tag that the job knows' }),
}

/** A scheduler's start or end of its job's part in a round: one of them. */
export const roundForm = z
  .strictObject({
    start: z.strictObject(part).optional(),
    end: z.strictObject({ ...part, result: z.enum(['success', 'fail', 'aborted']) }).optional(),
  })
  .refine((round) => Object.keys(round).length === 1, 'must name one action: start or end')
  .meta({ id: 'FreezerSessionAction' })

/** A start or an end, as a use case takes it. */
export interface Round {
  readonly job: JobId
  readonly currentTag: number
}

/** Whether a body asks for an action that there is. */
export const isRound = (document: JsonObject): boolean => {
  const [word] = Object.keys(document)
  if (word === undefined) throw refusal('body', 'must name an action: start or end')
  return Object.hasOwn(roundForm.shape, word)
}

export function readPart(said: { readonly job_id: string; readonly current_tag: number | string }): Round {
  return { job: jobId(said.job_id), currentTag: Number(said.current_tag) }
}
