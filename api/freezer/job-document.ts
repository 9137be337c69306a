import type { Json, JsonObject } from '../../core/action.ts'
import { actionId, clientId, sessionId } from '../../core/ids.ts'
import type { Reported } from '../../core/job.ts'
import type { ActionChange } from '../../controller/use-cases/actions.ts'
import type { ActionEntry, JobFields } from '../../controller/use-cases/jobs.ts'
import {
  arrayIn,
  closed,
  flagIn,
  integerIn,
  isObject,
  missing,
  objectIn,
  othersOf,
  refusal,
  quoted,
  some,
  textIn,
  wordIn,
} from '../fields.ts'

const words = (text: string): ReadonlySet<string> => new Set(text.split(' '))

const jobKeys = words(
  'job_id client_id description job_schedule job_actions session_id session_tag session_name user_id project_id ' +
    'action_defaults _version firn',
)
/** The trigger fields of a schedule; what they mean is checked where schedules are understood. */
const triggerKeys = words(
  'schedule_date schedule_interval schedule_start_date schedule_end_date schedule_year schedule_month schedule_day ' +
    'schedule_week schedule_day_of_week schedule_hour schedule_minute schedule_second',
)
const reportKeys = words('time_created time_started time_ended event status result current_pid')
const scheduleKeys: ReadonlySet<string> = new Set([...triggerKeys, ...reportKeys])
const entryKeys = words(
  'action_id max_retries max_retries_interval mandatory freezer_action user_id project_id _version',
)

const wordForm = /^[\w-]+$/
const sessionForm = /^[\w-]{0,64}$/

/** What a job document says. Throws Fault('bad_request') naming the first field that is wrong. */
export function readJob(document: JsonObject): JobFields {
  closed(document, jobKeys)
  const schedule = objectIn(document, 'job_schedule')
  const session = textIn(document, 'session_id', { form: sessionForm })
  return {
    ...some('client', document['client_id'] === undefined ? undefined : clientId(document['client_id'])),
    ...some('description', textIn(document, 'description', { max: 4096 })),
    ...(schedule ? { schedule: readTriggers(schedule), reported: readReport(schedule) } : {}),
    ...some('actions', readActions(document)),
    ...some('session', session === undefined || session === '' ? undefined : sessionId(session)),
    ...some('sessionTag', integerIn(document, 'session_tag', { min: 0 })),
    ...some('sessionName', textIn(document, 'session_name')),
    ...some('firn', objectIn(document, 'firn')),
  }
}

/** The trigger fields of a schedule document, closed, as sent. */
export function readTriggers(schedule: JsonObject, at = 'job_schedule.'): JsonObject {
  closed(schedule, scheduleKeys, at)
  for (const key of triggerKeys) textIn(schedule, key, { at })
  return Object.fromEntries(Object.entries(schedule).filter(([key]) => triggerKeys.has(key)))
}

/** The fields of a schedule document that say how the job stands. */
export function readReport(schedule: JsonObject, at = 'job_schedule.'): Partial<Reported> {
  const integer = (key: string) => integerIn(schedule, key, { at })
  return {
    ...some('status', wordIn(schedule, 'status', statusWords, at)),
    ...some('result', wordIn(schedule, 'result', ['', 'success', 'fail', 'aborted'], at)),
    ...some('event', wordIn(schedule, 'event', ['', 'start', 'stop', 'abort', 'remove'], at)),
    ...some('timeCreated', integer('time_created')),
    ...some('timeStarted', integer('time_started')),
    ...some('timeEnded', integer('time_ended')),
    ...some('currentPid', integer('current_pid')),
  }
}

const statusWords = ['', 'scheduled', 'running', 'completed', 'stop', 'aborting', 'removed'] as const

function readActions(document: JsonObject): ActionEntry[] | undefined {
  const entries = arrayIn(document, 'job_actions')
  const defaults = objectIn(document, 'action_defaults') ?? {}
  return entries?.map((entry, index) => readEntry(entry, defaults, `job_actions.${index}.`, retriesOfJobs))
}

/** What an entry without retries means when a node reads it: in a job, and as a document of its own. */
const retriesOfJobs = { maxRetries: 0, maxRetriesIntervalS: 60 }
export const retriesOfActions = { maxRetries: 5, maxRetriesIntervalS: 6 }

/** Retries and pauses beyond these could as well not exist. */
const retriesMax = 10_000
const pauseMaxS = 366 * 24 * 3600

/** An entry of `job_actions`, or an action document: they have the same fields. */
export function readEntry(
  entry: Json,
  defaults: JsonObject,
  at: string,
  retries: typeof retriesOfJobs,
): ActionEntry {
  const field = at === '' ? 'body' : at.slice(0, -1)
  if (!isObject(entry)) throw refusal(field, `${quoted(entry)} is not of type 'object'`)
  const freezer = objectIn(entry, 'freezer_action', at)
  if (!freezer) throw missing(`${at}freezer_action`)
  const whole = withDefaults(freezer, defaults)
  checkFreezerAction(whole, `${at}freezer_action.`)
  const id = textIn(entry, 'action_id', { at })
  return {
    ...some('actionId', id === undefined || id === '' ? undefined : actionId(id)),
    maxRetries: integerIn(entry, 'max_retries', { at, min: 0, max: retriesMax }) ?? retries.maxRetries,
    maxRetriesIntervalS:
      integerIn(entry, 'max_retries_interval', { at, min: 0, max: pauseMaxS }) ?? retries.maxRetriesIntervalS,
    mandatory: flagIn(entry, 'mandatory', at) ?? false,
    freezer: whole,
    ...some('extra', othersOf(entry, entryKeys)),
  }
}

/** What a document changes of a stored action. */
export function readActionChange(document: JsonObject): ActionChange {
  const freezer = objectIn(document, 'freezer_action')
  if (freezer) checkFreezerAction(freezer, 'freezer_action.')
  return {
    ...some('maxRetries', integerIn(document, 'max_retries', { min: 0, max: retriesMax })),
    ...some('maxRetriesIntervalS', integerIn(document, 'max_retries_interval', { min: 0, max: pauseMaxS })),
    ...some('mandatory', flagIn(document, 'mandatory')),
    ...some('freezer', freezer),
    ...some('extra', othersOf(document, entryKeys)),
  }
}

/** `action_defaults` fill in what an action lacks or has as null. */
function withDefaults(freezer: JsonObject, defaults: JsonObject): JsonObject {
  const whole = new Map(Object.entries(freezer))
  for (const [key, value] of Object.entries(defaults))
    if ((whole.get(key) ?? null) === null) whole.set(key, value)
  return Object.fromEntries(whole)
}

/** The few typed fields of the open `freezer_action`. */
function checkFreezerAction(freezer: JsonObject, at: string): void {
  textIn(freezer, 'action', { at, form: wordForm })
  textIn(freezer, 'mode', { at, form: wordForm })
  textIn(freezer, 'backup_name', { at, max: 1024 })
  textIn(freezer, 'restore_abs_path', { at, max: 4096 })
}
