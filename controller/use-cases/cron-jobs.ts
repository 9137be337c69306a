import type { FunctionCall, JsonObject } from '../../core/action.ts'
import { instant, isoOf, later, type Instant } from '../../core/clock.ts'
import { badField, Fault, isFault } from '../../core/fault.ts'
import { jobId, uuidOf, type JobId } from '../../core/ids.ts'
import type { Job, ScheduleFields } from '../../core/job.ts'
import {
  checkCron,
  cronFormOf,
  firstSlot,
  nextShown,
  standingOf,
  type CronForm,
  type Standing,
} from '../plan/cron-form.ts'
import { instantOf } from '../plan/dates.ts'
import { cronFields } from '../plan/fields.ts'
import { ticksOf } from '../plan/ticks.ts'
import { unchanged, type Stored } from '../state/documents.ts'
import type { Caller, Context } from './context.ts'
import { checkInput, lookUp, movedTo, placeAsked, placeOf } from './functions.ts'
import { isServerRun, mergedExtensions, withJobPlan } from './job-planning.ts'
import { commitJob, existingJob } from './jobs.ts'
import { retrying } from './retrying.ts'

/** A job as one time or a cron pattern expresses it. */
export interface CronView {
  readonly form: CronForm
  readonly standing: Standing
  readonly first: Instant
  readonly next: Instant
  /** Firings left; null: no limit. */
  readonly left: number | null
}

/**
 * How a job looks as one time or a five-field cron pattern in UTC; undefined when it cannot, or when the servers do not run it:
 * then it is not theirs to say when it fires.
 */
export function cronViewOf(context: Pick<Context, 'state'>, job: Job): CronView | undefined {
  const form = isServerRun(context, job) ? knownForm(job) : undefined
  if (!form) return undefined
  const standing = standingOf(job)
  return {
    form,
    standing,
    first: job.first ?? firstSlot(job),
    next: nextShown(job),
    // Of one that nobody was there for in time, nothing is to come either.
    left: standing === 'done' ? 0 : (job.plan.left ?? (form.is === 'once' ? 1 : null)),
  }
}

/** A stored schedule that this version cannot read (its time zone is gone, say) must not hide the others. */
function knownForm(job: Job): CronForm | undefined {
  try {
    return cronFormOf(job)
  } catch (error) {
    if (isFault(error)) return undefined
    throw error
  }
}

/**
 * A time as Qinling's callers write it: ISO 8601, also with a blank for the T, without seconds' fractions, or a day only; in UTC
 * unless it has an offset. Throws Fault('bad_request') naming the field.
 */
export function timeIn(text: string, field: string): Instant {
  const [, day, time = '00:00:00', zone = ''] =
    /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d:\d\d)(?:\.\d{1,20})? ?(Z|[+-]\d\d:?\d\d)?)?$/i.exec(text) ?? []
  if (day === undefined)
    throw badField(field, 'must be a time like 2027-01-31T02:00:00Z, in UTC unless it has an offset')
  const at = instantOf(`${day}T${time}${zone.toUpperCase()}`, 'UTC', field)
  if (at >= endOfTime) throw badField(field, 'must be before the year 10000, in UTC')
  return at
}

/** Later years take more digits than times are shown and stored with. */
const endOfTime = instant(Date.UTC(10_000, 0))

/** A time that is asked for must lie this far ahead. Milliseconds; as Qinling has it. */
const aheadMs = 60_000

/** What a request says of a job that calls a saved action, at one time or by a cron pattern. */
export interface CronJobFields {
  /** Null: none. */
  readonly name: string | null
  readonly pattern?: string
  /** The time of a job that runs once; with a pattern, nothing happens before it. */
  readonly first?: Instant
  readonly count?: number
}

/**
 * Creates a job that calls a saved action. The checks come in the order of Qinling's: `called`, which looks up what is to be
 * called and throws Fault('not_found'), is asked when the times are found good. Throws Fault 'bad_request' (naming the field of
 * Qinling's document), 'not_found' (no such function, alias or version), 'stale_write', 'store_down'.
 */
export async function createCronJob(
  context: Context,
  caller: Caller,
  fields: CronJobFields,
  called: () => FunctionCall,
): Promise<Stored<Job>> {
  const id = jobId(context.secrets.uuid())
  return retrying(context, async () => {
    const now = context.clock.now()
    const { schedule, firn } = checkedTimes(fields, now)
    const call = called()
    checkInput(call.input, 'function_input')
    const { project, user } = caller
    const found = lookUp(context, project, call)
    if ('missing' in found) throw new Fault('not_found', found.missing.text)
    const plain = {
      ...{ id, project, user, description: fields.name ?? '' },
      ...placeOf(context, project, found.action.value, call.input, 'function_input'),
      ...(fields.name === null ? {} : { named: true as const }),
      ...{ schedule, firn, actions: [], function: call },
      ...{ sessionTag: 0, wanted: 'active' as const, createdAt: now, version: 1 },
    }
    const job = withJobPlan(context, plain, undefined)
    const { next } = job.plan
    return commitJob(context, { ...job, ...(next === undefined ? {} : { first: next }) }, undefined, {
      puts: [],
      requires: [
        unchanged('action', project, found.action.value.actionId, found.action),
        ...(found.alias ? [unchanged('alias', project, found.alias.value.name, found.alias)] : []),
      ],
    })
  })
}

function checkedTimes(
  { pattern, first, count }: CronJobFields,
  now: Instant,
): { schedule: ScheduleFields; firn: JsonObject } {
  if (pattern === undefined && first === undefined)
    throw badField('first_execution_time', 'is needed where no pattern is given')
  if (first !== undefined) demandAhead('first_execution_time', first, now)
  if (pattern === undefined) {
    if (count !== undefined && count > 1) throw badField('count', 'a job without a pattern runs once')
    return { schedule: first === undefined ? {} : { schedule_date: dateOf(first) }, firn: { count: 1 } }
  }
  checkCron(pattern, now)
  if (
    first !== undefined &&
    ticksOf(pattern, 'UTC', 'pattern', 'either').after(later(first, -1)) === undefined
  )
    throw badField('first_execution_time', 'the pattern has no date from then on')
  if (count !== undefined && count < 1) throw badField('count', 'must be at least 1 with a pattern')
  return {
    schedule: first === undefined ? {} : { schedule_start_date: dateOf(first) },
    firn: { pattern: pattern.trim(), ...(count === undefined ? {} : { count }) },
  }
}

function demandAhead(field: string, at: Instant, now: Instant): void {
  if (at < now + aheadMs) throw badField(field, `must be at least ${aheadMs / 1000} seconds from now`)
}

/** A date of Freezer's schedule, in UTC as all are that name no zone. */
const dateOf = (at: Instant): string => isoOf(at).slice(0, 19)

/** What a request changes of a job; absent: it stays. */
export interface CronJobChange {
  readonly name?: string
  readonly input?: string
  readonly pattern?: string
  readonly next?: Instant
  readonly wanted?: Job['wanted']
}

/**
 * Changes a job that one time or a cron pattern expresses, whoever made it: all of the change or nothing. Throws Fault
 * 'not_found', 'bad_request' (a job that is done or cancelled, a change that its kind does not know, a time too near),
 * 'stale_write', 'store_down'.
 */
export async function changeCronJob(
  context: Context,
  caller: Pick<Caller, 'project' | 'user' | 'userName' | 'role'>,
  id: JobId,
  change: CronJobChange,
): Promise<Stored<Job>> {
  return retrying(context, async () => {
    const before = existingJob(context, caller, id)
    const job = before.value
    const form = cronFormOf(job)
    if (!form) throw new Fault('not_found', `no job ${uuidOf(id)}`)
    const set = checkedChange(context, job, form, change)
    if (isNothing(job, change)) return before
    const { plan: _, ...kept } = withCall(context, withPattern(job, change.pattern), change.input)
    const changed = {
      ...kept,
      ...(change.name === undefined ? {} : { description: change.name, named: true as const }),
      wanted: change.wanted ?? job.wanted,
      version: job.version + 1,
    }
    const planned = withJobPlan(context, changed, job, undefined, set)
    return commitJob(context, planned, before, { puts: [], requires: [] })
  })
}

/** Whether a change leaves everything as it is. */
const isNothing = (job: Job, { wanted, ...others }: CronJobChange): boolean =>
  Object.keys(others).length === 0 && (wanted === undefined || wanted === job.wanted)

/** Gives the next slot that is asked for, if one is. In the order of Qinling's checks. */
function checkedChange(
  { clock }: Context,
  job: Job,
  form: CronForm,
  { pattern, wanted, next }: CronJobChange,
): Instant | undefined {
  const now = clock.now()
  const standing = standingOf(job)
  if (standing === 'done' || standing === 'cancelled')
    throw new Fault('bad_request', `job ${uuidOf(job.id)} is ${standing} and cannot be changed`)
  if (pattern !== undefined) {
    if (form.is === 'once') throw badField('pattern', 'a job that runs once has none')
    checkCron(pattern, now)
  }
  if (wanted === 'active' && job.session !== undefined)
    throw badField('status', `the job is started by its session, ${job.session}`)
  if (next !== undefined) {
    if (job.session !== undefined)
      throw badField('next_execution_time', `the job is started by its session, ${job.session}`)
    demandAhead('next_execution_time', next, now)
    return next
  }
  if (wanted === 'active' && job.wanted !== 'active' && form.is === 'once')
    demandAhead('next_execution_time', job.plan.set ?? form.at, now)
  return undefined
}

/** A pattern takes the place of Freezer's cron-like fields. */
function withPattern(job: Job, pattern: string | undefined): Job {
  if (pattern === undefined) return job
  const own: ReadonlySet<string> = new Set(cronFields)
  const bounds = Object.entries(job.schedule).filter(([field]) => !own.has(field))
  const firn = mergedExtensions(job.firn, { pattern: pattern.trim() })
  return { ...job, schedule: Object.fromEntries(bounds), ...(firn ? { firn } : {}) }
}

/** Another input may name another client; where nothing does, the job stays where it is. */
function withCall(context: Context, job: Job, input: string | undefined): Job {
  if (input === undefined) return job
  if (!job.function) throw badField('function_input', 'the job has actions of its own, which take none')
  checkInput(input, 'function_input')
  const changed = { ...job, function: { ...job.function, input } }
  const found = lookUp(context, job.project, changed.function)
  if ('missing' in found) return changed
  return movedTo(changed, placeAsked(context, job.project, found.action.value, input, 'function_input'))
}
