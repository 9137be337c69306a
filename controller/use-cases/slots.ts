import { later, type Instant } from '../../core/clock.ts'
import type { ClientId, JobId, SessionId } from '../../core/ids.ts'
import type { Job, Session } from '../../core/job.ts'
import type { Run } from '../../core/run.ts'
import { setIdOf, type SetRecord } from '../../core/set.ts'
import type { Skip } from '../../core/skip.ts'
import { heldUntil, mayBeBehind } from '../plan/autonomy.ts'
import { instantOfSlot } from '../plan/failures.ts'
import { previewOf, type ExpectedSlot, type Span } from '../plan/preview.ts'
import { triggerIn, unstarted } from '../plan/schedule.ts'
import { latestDue, skipOf } from '../plan/slots.ts'
import { scoped } from '../state/indexes.ts'
import type { Caller, Context } from './context.ts'
import { isServerRun, isServerStarted } from './job-planning.ts'
import { existingJob } from './jobs.ts'
import { existingSession } from './sessions.ts'
import type { Place } from './timeline.ts'

/** Slots that became nothing, told of together. */
export interface Passed {
  readonly place: Place
  readonly skip: Skip
}

/** Slots of which only the job's agent knows what became, told of together. */
export interface Unknown {
  readonly place: Place
  readonly unknown: Omit<Skip, 'reason'>
}

/** What became of slots of a job: a run, or some that are told of together. */
export type Happened = Passed | Unknown | { readonly place: Place; readonly run: Run }

/** What became of slots of a session: a start, or some that are told of together. */
export type HappenedToSession = Passed | { readonly place: Place; readonly set: SetRecord }

/** All that is remembered of a job's slots, in no order. Throws Fault('not_found'). */
export function slotsOf(context: Context, caller: Caller, id: JobId): Happened[] {
  const job = existingJob(context, caller, id).value
  const happened: Happened[] = passed(context, job, job.session === undefined).map((one) =>
    said(context, job, one),
  )
  const unknown = unknownOf(context, job)
  if (unknown) happened.push({ place: { at: unknown.to, id: `unknown.${unknown.from}` }, unknown })
  for (const { value: run } of context.state.where('run', 'job', scoped(job.project, id)))
    if (run.purpose === 'job')
      happened.push({ place: { at: instantOfSlot(run.slot) ?? run.createdAt, id: run.id }, run })
  return happened
}

/** Of slots that were passed over while the agent may have been going on by itself nobody knows whether it has started them. */
function said(context: Context, job: Job, passed: Passed): Passed | Unknown {
  const since = aloneSince(context, job)
  const { reason, ...unknown } = passed.skip
  const isOpen = reason === 'paused' || reason === 'changed'
  return isOpen && since !== undefined && unknown.to >= since ? { place: passed.place, unknown } : passed
}

/** Slots that are due and that only the agent may decide on. */
function unknownOf(context: Context, job: Job): Omit<Skip, 'reason'> | undefined {
  const now = context.clock.now()
  const { next } = job.plan
  if (next === undefined || next > now || aloneSince(context, job) === undefined) return undefined
  const trigger = triggerIn(job.schedule, job.firn)
  if (trigger.is === 'continuous') return { from: next, to: now, count: 1, more: true }
  const { reason: _, ...unknown } = skipOf(trigger, next, latestDue(trigger, next, now), 'missed')
  return unknown
}

/** Since when the job's agent may be going on with it by itself; undefined: it is not. */
function aloneSince(context: Context, job: Job): Instant | undefined {
  const client = job.client && context.state.get('client', job.project, job.client)?.value
  if (!client || heldUntil(job, client, context.clock.now()) === undefined) return undefined
  return client.line.is === 'never' ? undefined : client.line.since
}

/** Who has not been heard of: whose agent may be going on by itself, and who may not know of a stop or a change. */
function absent(context: Context, job: Job): Pick<Preview, 'unknownOn' | 'pendingOn'> {
  const { client: id } = job
  if (id === undefined) return {}
  const client = context.state.get('client', job.project, id)?.value
  return {
    ...(aloneSince(context, job) === undefined ? {} : { unknownOn: id }),
    ...(mayBeBehind(job, client, context.clock.now()) ? { pendingOn: id } : {}),
  }
}

/** All that is remembered of a session's slots, in no order. Throws Fault('not_found'). */
export function slotsOfSession(context: Context, caller: Caller, id: SessionId): HappenedToSession[] {
  const session = existingSession(context, caller, id).value
  const happened: HappenedToSession[] = passed(context, session, true)
  for (const { value: set } of context.state.where('set', 'session', scoped(session.project, id)))
    happened.push({
      place: { at: instantOfSlot(set.slot) ?? set.admittedAt, id: setIdOf(set.session, set.tag) },
      set,
    })
  return happened
}

/** Those that were skipped, and those that a schedule of its own lets pass while it stands still. */
function passed({ clock }: Context, of: Job | Session, isItsOwn: boolean): Passed[] {
  const isStill = of.wanted !== 'active' && of.plan.next === undefined && isItsOwn
  const skip = isStill ? unstarted(of, clock.now()) : undefined
  return [...(of.plan.skips ?? []), ...(skip ? [skip] : [])].map((one) => ({
    place: { at: one.to, id: `${one.reason}.${one.from}` },
    skip: one,
  }))
}

/** Who starts a job: its own schedule, nobody, its session, or a scheduler of its own. */
export type Starter = 'schedule' | 'nobody' | 'session' | 'elsewhere'

export interface Preview {
  readonly starts: Starter
  /** The client whose agent may be going on with the job by itself: what it has decided is not known. */
  readonly unknownOn?: ClientId
  /** The client whose agent may not have heard yet that the job was stopped or changed. */
  readonly pendingOn?: ClientId
  /** How long a run is expected to take, by the last ones; undefined: there were none. Milliseconds. */
  readonly runMs: number | undefined
  readonly slots: readonly ExpectedSlot[]
  readonly more: boolean
}

/** What is asked of a preview: a week from now, when nothing is said. */
export interface PreviewSpan {
  readonly from?: Instant
  readonly to?: Instant
  readonly limit: number
}

/**
 * What would become of a job's slots between two instants. Those of a stopped job are `paused`. Throws Fault 'not_found',
 * 'bad_request' (naming the field).
 */
export function previewJob(context: Context, caller: Caller, id: JobId, span: PreviewSpan): Preview {
  const job = existingJob(context, caller, id).value
  const starts = starterOf(context, job)
  const runMs = middleOf(lastRuns(context, job))
  const who = absent(context, job)
  if (job.wanted === 'cancelled') return { starts, runMs, slots: [], more: false, ...who }
  return { ...preview(context, job, { starts, runMs }, span), ...who }
}

/** The same of a session's: `runMs` is how long a set takes. Throws as `previewJob`. */
export function previewSession(context: Context, caller: Caller, id: SessionId, span: PreviewSpan): Preview {
  const session = existingSession(context, caller, id).value
  const { lastStart, holdOffS } = session
  const ms = holdOffS * 1_000
  const starts = starterOfSession(context, session)
  const runMs = middleOf(lastSets(context, session))
  const until = lastStart === undefined ? {} : { until: later(lastStart, ms) }
  return preview(context, session, { starts, runMs }, { ...span, holdOff: { ms, ...until } })
}

function preview(
  { clock }: Context,
  of: Job | Session,
  { starts, runMs }: Pick<Preview, 'starts' | 'runMs'>,
  { from = clock.now(), to = later(from, weekMs), ...rest }: PreviewSpan & Pick<Span, 'holdOff'>,
): Preview {
  if (starts === 'session' || starts === 'elsewhere') return { starts, runMs, slots: [], more: false }
  const { next = of.plan.held, ...plan } = of.plan
  const planned = { ...of, plan: next === undefined ? plan : { ...plan, next } }
  const { slots, more } = previewOf(planned, { ...rest, from, to, runMs: runMs ?? 0 })
  return { starts, runMs, slots: starts === 'nobody' ? slots.map(paused) : slots, more }
}

const weekMs = 7 * 86_400_000

function starterOf(context: Context, job: Job): Starter {
  if (!isServerRun(context, job)) return 'elsewhere'
  if (job.session !== undefined) return 'session'
  return job.wanted === 'active' ? 'schedule' : 'nobody'
}

function starterOfSession(context: Context, session: Session): Starter {
  if (session.jobs.length > 0 && !isServerStarted(context, session)) return 'elsewhere'
  return session.wanted === 'active' && session.jobs.length > 0 ? 'schedule' : 'nobody'
}

function paused(expected: ExpectedSlot): ExpectedSlot {
  const { startsAt: _, ...slot } = expected
  return { ...slot, reason: 'paused' }
}

/** What has ended, and how long it took. Milliseconds. */
interface Ended {
  readonly at: Instant
  readonly ms: number
}

function lastRuns({ state }: Context, { project, id }: Job): Ended[] {
  const ended: Ended[] = []
  for (const { value } of state.where('run', 'job', scoped(project, id)))
    if (value.purpose === 'job' && value.state.is === 'finished' && value.startedAt !== undefined)
      ended.push({ at: value.state.at, ms: value.state.at - value.startedAt })
  return ended
}

function lastSets({ state }: Context, { project, id }: Session): Ended[] {
  const ended: Ended[] = []
  for (const { value } of state.where('set', 'session', scoped(project, id)))
    if (value.phase.is === 'ended') ended.push({ at: value.phase.at, ms: value.phase.at - value.admittedAt })
  return ended
}

/** Of so many the one in the middle tells how long one takes. */
const lookedAt = 9

/** How long the last ones took, as a rule. Milliseconds. */
function middleOf(ended: readonly Ended[]): number | undefined {
  const last = ended.toSorted((a, b) => b.at - a.at).slice(0, lookedAt)
  return last.toSorted((a, b) => a.ms - b.ms)[Math.floor(last.length / 2)]?.ms
}
