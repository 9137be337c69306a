import { z } from 'zod'
import type { JsonObject } from '../../core/action.ts'
import { actionId, clientId, sessionId } from '../../core/ids.ts'
import { actionsMax, type ActionEntry, type JobEntry } from '../../controller/use-cases/job-actions.ts'
import type { JobFields } from '../../controller/use-cases/jobs.ts'
import { missing, othersOf, some } from '../fields.ts'
import { line } from '../plain-text.ts'
import { actionExtensions, jobExtensions } from './extensions.ts'
import { clientText, description, ignored, pauseS, wordText } from './forms.ts'
import { reportIn, scheduleForm, triggersIn } from './schedule-document.ts'

/** More retries could as well not end. */
const retriesMax = 10_000

/** The few typed fields of what is otherwise open. Null: `action_defaults` may fill it in. */
const freezerAction = z.looseObject({
  action: wordText
    .nullable()
    .optional()
    .meta({ description: '`backup` (default), `restore`, `exec`, `info`, `admin`' }),
  mode: wordText.nullable().optional(),
  backup_name: z.string().max(1024).nullable().optional(),
  restore_abs_path: z.string().max(4096).nullable().optional(),
})

/** What an action document and an entry of `job_actions` have in common. */
export const entryShape = {
  freezer_action: freezerAction,
  max_retries: z.int().min(0).max(retriesMax).optional().meta({ description: 'Tries after the first' }),
  max_retries_interval: pauseS.optional().meta({ description: 'Seconds between two tries' }),
  mandatory: z.boolean().optional().meta({ description: 'Run it even when an action before it failed' }),
  action_id: z
    .string()
    .regex(/^[\w-]{0,64}$/)
    .optional(),
  user_id: ignored,
  project_id: ignored,
  _version: ignored,
  problem: ignored,
}

const entryForm = z.looseObject({
  ...entryShape,
  firn: actionExtensions.optional(),
  freezer_action: freezerAction
    .optional()
    .meta({ description: 'Absent: that of the stored action `action_id`' }),
})

const jobShape = {
  job_id: ignored,
  client_id: clientText
    .optional()
    .meta({ description: 'The node that runs it; needed unless `firn.client_selector` is there' }),
  description: description.optional(),
  job_schedule: scheduleForm.optional(),
  job_actions: z.array(entryForm).max(actionsMax),
  session_id: z
    .string()
    .regex(/^[\w-]{0,64}$/)
    .optional()
    .meta({
      description:
        'At creation: the session it becomes a member of. Later it is changed by adding and removing',
    }),
  session_tag: z.int().min(0).optional(),
  session_name: line(z.string().max(255)).optional(),
  action_defaults: freezerAction
    .optional()
    .meta({ description: 'Copied into each `freezer_action` that lacks the key' }),
  user_id: ignored,
  project_id: ignored,
  _version: ignored,
  firn: jobExtensions.optional(),
}

/** A whole job, closed. */
export const jobForm = z.strictObject(jobShape).meta({ id: 'FreezerJob' })

/** What a PATCH may say of a job. */
export const jobChangeForm = z
  .strictObject({ ...jobShape, job_actions: jobShape.job_actions.optional() })
  .meta({ id: 'FreezerJobChange' })

/** What a checked document says of a job. Throws Fault('bad_request') for an entry that neither is an action nor names one. */
export function readJob(document: JsonObject): JobFields {
  const {
    client_id,
    description,
    session_id,
    session_tag,
    session_name,
    job_schedule,
    job_actions,
    ...rest
  } = document as z.output<typeof jobChangeForm>
  const schedule = job_schedule as JsonObject | undefined
  const defaults = rest.action_defaults as JsonObject | undefined
  return {
    ...some('client', client_id === undefined ? undefined : clientId(client_id)),
    ...some('description', description),
    ...(schedule ? { schedule: triggersIn(schedule), reported: reportIn(schedule) } : {}),
    ...some(
      'actions',
      job_actions?.map((entry, index) => readJobEntry(entry as JsonObject, defaults, index)),
    ),
    ...some('session', session_id ? sessionId(session_id) : undefined),
    ...some('sessionTag', session_tag),
    ...some('sessionName', session_name),
    ...some('firn', rest.firn as JsonObject | undefined),
  }
}

/** What an entry without retries means when a node reads it: in a job, and as a document of its own. */
const retriesOfJobs = { maxRetries: 0, maxRetriesIntervalS: 60 }
const retriesOfActions = { maxRetries: 5, maxRetriesIntervalS: 6 }

/** A whole action, or what an entry says beside the id of a stored one. */
function readJobEntry(entry: JsonObject, defaults: JsonObject | undefined, index: number): JobEntry {
  const { freezer, ...said } = readEntry(entry)
  if (freezer)
    return { ...retriesOfJobs, mandatory: false, ...said, freezer: withDefaults(freezer, defaults) }
  const { actionId: id } = said
  if (id === undefined) throw missing(`job_actions.${index}.freezer_action`)
  return { ...said, actionId: id }
}

/** A checked action document, whole. */
export function readAction(document: JsonObject): ActionEntry {
  const { freezer = {}, ...said } = readEntry(document)
  return { ...retriesOfActions, mandatory: false, ...said, freezer }
}

/** What a checked entry of `job_actions`, or a document of an action, says: they have the same fields. */
export function readEntry(entry: JsonObject): Partial<ActionEntry> {
  const { freezer_action, max_retries, max_retries_interval, mandatory, action_id } = entry as z.output<
    typeof entryForm
  >
  return {
    ...some('actionId', action_id ? actionId(action_id) : undefined),
    ...some('maxRetries', max_retries),
    ...some('maxRetriesIntervalS', max_retries_interval),
    ...some('mandatory', mandatory),
    ...some('freezer', freezer_action as JsonObject | undefined),
    ...some('extra', othersOf(entry, entryKeys)),
  }
}

const entryKeys: ReadonlySet<string> = new Set(Object.keys(entryShape))

/** `action_defaults` fill in what an action lacks or has as null. */
function withDefaults(freezer: JsonObject, defaults: JsonObject = {}): JsonObject {
  const lacks = (key: string): boolean => !Object.hasOwn(freezer, key) || freezer[key] === null
  const filled = Object.entries(defaults).filter(([key]) => lacks(key))
  return filled.length === 0 ? freezer : { ...freezer, ...Object.fromEntries(filled) }
}
