import { isDeepStrictEqual } from 'node:util'
import { isObject, type JsonObject } from '../../core/action.ts'
import { badField, isFault } from '../../core/fault.ts'
import type { Instant } from '../../core/clock.ts'
import type { ClientId, ProjectId } from '../../core/ids.ts'
import type { Job, Plan, Reported, ScheduleFields, Session } from '../../core/job.ts'
import { isEnrolled } from '../../core/select.ts'
import type { Skip } from '../../core/skip.ts'
import { autostartOf, countOf, patternIn, timezoneOf } from '../plan/extensions.ts'
import {
  madeAll,
  onceNow,
  replan,
  stopped,
  triggerIn,
  unplanned,
  unstarted,
  withSkipped,
} from '../plan/schedule.ts'
import type { Context } from './context.ts'

/**
 * Whether the servers plan and run a job: its client has an agent, or it is for all clients that match, or it calls a saved action,
 * which no other scheduler can.
 */
export const isServerRun = (
  { state }: Pick<Context, 'state'>,
  job: Pick<Job, 'project' | 'client' | 'selector' | 'function'>,
): boolean =>
  job.function !== undefined ||
  job.selector !== undefined ||
  (job.client !== undefined && isEnrolledClient({ state }, job.project, job.client))

export const isEnrolledClient = (
  { state }: Pick<Context, 'state'>,
  project: ProjectId,
  client: ClientId,
): boolean => isEnrolled(state.get('client', project, client)?.value)

/** Whether a job's own schedule fires: a job of a session starts with it, a stopped one does not. */
export const firesByItself = (context: Pick<Context, 'state'>, job: Omit<Job, 'plan'>): boolean =>
  job.wanted === 'active' && job.session === undefined && isServerRun(context, job)

/**
 * The job with its plan. A plan is made anew only when something changed that it depends on: whole documents that are sent
 * back must not move the next slot. `fired`: whether `before` was planned. Throws Fault('bad_request') for a schedule
 * that no date can satisfy. `set`: the next slot as a user wants it, in place of the schedule's own.
 */
export function withJobPlan(
  context: Context,
  job: Omit<Job, 'plan'>,
  before: Job | undefined,
  fired: boolean = before !== undefined && firesByItself(context, before),
  set?: Instant,
): Job {
  return { ...job, plan: planOf(context, job, before, firesByItself(context, job), fired, set) }
}

/**
 * A new job with its plan. One without a trigger runs once, now, as a scheduler of old would have it; unless it is said
 * to be stopped or over already, or is to be started by hand only.
 */
export function withFirstPlan(
  context: Context,
  job: Omit<Job, 'plan'>,
  reported: Partial<Reported> | undefined,
): Job {
  const planned = withJobPlan(context, job, undefined)
  const isDue =
    firesByItself(context, job) &&
    triggerIn(job.schedule, job.firn).is === 'none' &&
    autostartOf(job.firn) &&
    job.actions.length > 0 &&
    !['stop', 'completed'].includes(reported?.status ?? '')
  return isDue ? { ...planned, plan: onceNow(planned.plan, context.clock.now()) } : planned
}

/**
 * As `withJobPlan`. A session without any member that the servers run is left to its schedulers. `gained`: a job about to
 * be stored in the same transaction is one that they run.
 */
export function withSessionPlan(
  context: Context,
  session: Omit<Session, 'plan'>,
  before: Session | undefined,
  { gained = false, fired = before !== undefined && sessionFires(context, before) } = {},
): Session {
  const fires = sessionFires(context, session) || (gained && session.wanted === 'active')
  return { ...session, plan: planOf(context, session, before, fires, fired) }
}

const sessionFires = (context: Context, session: Omit<Session, 'plan'>): boolean =>
  session.wanted === 'active' && isServerStarted(context, session)

/** Whether the servers run any of a session's jobs: else it is left to its schedulers. */
export const isServerStarted = (
  { state }: Pick<Context, 'state'>,
  session: Pick<Session, 'project' | 'jobs'>,
): boolean =>
  session.jobs.some((id) => {
    const job = state.get('job', session.project, id)
    return job !== undefined && isServerRun({ state }, job.value)
  })

function planOf(
  { clock }: Context,
  job: Triggered,
  before: (Triggered & { readonly plan: Plan }) | undefined,
  fires: boolean,
  fired: boolean,
  wish?: Instant,
): Plan {
  const isSame = before !== undefined && wish === undefined && sameTrigger(job, before)
  const isResumed = before !== undefined && before.wanted !== job.wanted
  if (isSame && fires === fired && !isResumed) return before.plan
  const now = clock.now()
  let plan: Plan
  try {
    plan = freshPlan(job, before, now, isSame, wish)
  } catch (error) {
    // One that was stored and cannot be read any more can still be stopped.
    if (fires || !isSame || !isFault(error, 'bad_request')) throw error
    return unplanned(before.plan)
  }
  const lost = before && lostSlots(before, job, plan, now)
  if (fires) return withSkipped(isResumed ? { ...plan, since: now } : plan, lost)
  // Runs that were still to be made would start after the answer that says it is stopped.
  const was = before && madeAll(before.plan, job.wanted === 'active' ? 'changed' : 'paused')
  return withSkipped(isSame ? unplanned(was) : stopped(was, plan), lost)
}

/**
 * The plan that a schedule would have if it fired; asked even when it does not: what no date can satisfy is refused here, not
 * when it is started. `isSame`: its trigger has not changed. Throws Fault('bad_request').
 */
function freshPlan(
  job: Triggered,
  before: (Triggered & { readonly plan: Plan }) | undefined,
  now: Instant,
  isSame: boolean,
  wish: Instant | undefined,
): Plan {
  const isResumed = before !== undefined && before.wanted !== job.wanted
  // A resume goes by the ticks again, from now on: what was set instead of one of them is over. A date stays moved.
  const isKept = isSame && (!isResumed || triggerIn(job.schedule, job.firn).is === 'once')
  const set = wish ?? (isKept ? before?.plan.set : undefined)
  const recount = before !== undefined && countOf(before.firn) !== countOf(job.firn)
  return replan(job.schedule, job.firn, before?.plan, now, {
    ...(set === undefined ? {} : { set }),
    recount,
  })
}

/** The slots that fell due before a change, and that neither the old plan has claimed nor the new one has. */
function lostSlots(
  before: Triggered & { readonly plan: Plan },
  job: Triggered,
  plan: Plan,
  now: Instant,
): Skip | undefined {
  const lost = unstarted(before, now)
  if (!lost || (plan.next !== undefined && plan.next <= lost.to)) return undefined
  return job.wanted === 'active' ? lost : { ...lost, reason: 'paused' }
}

interface Triggered {
  readonly schedule: ScheduleFields
  readonly firn?: JsonObject
  readonly wanted: Job['wanted']
}

const sameTrigger = (a: Triggered, b: Triggered): boolean =>
  timezoneOf(a.firn) === timezoneOf(b.firn) &&
  patternIn(a.firn) === patternIn(b.firn) &&
  countOf(a.firn) === countOf(b.firn) &&
  isDeepStrictEqual(a.schedule, b.schedule)

/** RFC 7386: objects are merged, null removes, the rest replaces. Nothing left: undefined. */
export function mergedExtensions(
  before: JsonObject | undefined,
  sent: JsonObject | undefined,
): JsonObject | undefined {
  if (sent === undefined) return before
  const merged = merge(before ?? {}, sent)
  return Object.keys(merged).length === 0 ? undefined : merged
}

function merge(before: JsonObject, sent: JsonObject): JsonObject {
  const merged = new Map(Object.entries(before))
  for (const [key, value] of Object.entries(sent)) {
    const old = merged.get(key)
    if (value === null) merged.delete(key)
    else if (isObject(value)) merged.set(key, merge(isObject(old) ? old : {}, value))
    else merged.set(key, value)
  }
  return Object.fromEntries(merged)
}

/** `firn.client_selector`: labels that a client must have, all of them. Throws Fault('bad_request'). */
export function selectorOf(firn: JsonObject | undefined): Record<string, string> | undefined {
  const selector = firn?.['client_selector']
  if (selector === undefined) return undefined
  if (!isObject(selector)) throw badField('firn.client_selector', 'must be an object of labels')
  const labels = Object.entries(selector)
  // An empty one would match every client, most likely by mistake.
  if (labels.length === 0) throw badField('firn.client_selector', 'must name at least one label')
  for (const [label, value] of labels)
    if (typeof value !== 'string') throw badField(`firn.client_selector.${label}`, 'must be a string')
  return selector as Record<string, string>
}
