import { later, type Instant } from '../../core/clock.ts'
import type { JobId, SessionId } from '../../core/ids.ts'
import type { Job, Session } from '../../core/job.ts'
import type { Run } from '../../core/run.ts'
import { setIdOf, type SetRecord } from '../../core/set.ts'
import type { Skip } from '../../core/skip.ts'
import { instantOfSlot } from '../plan/failures.ts'
import { previewOf, type ExpectedSlot } from '../plan/preview.ts'
import { unstarted } from '../plan/schedule.ts'
import { scoped } from '../state/indexes.ts'
import type { Caller, Context } from './context.ts'
import { isServerRun } from './job-planning.ts'
import { existingJob } from './jobs.ts'
import { existingSession } from './sessions.ts'
import type { Place } from './timeline.ts'

/** Slots that became nothing, told of together. */
export interface Passed {
  readonly place: Place
  readonly skip: Skip
}

/** What became of slots of a job: a run, or some that are told of together. */
export type Happened = Passed | { readonly place: Place; readonly run: Run }

/** What became of slots of a session: a start, or some that are told of together. */
export type HappenedToSession = Passed | { readonly place: Place; readonly set: SetRecord }

/** All that is remembered of a job's slots, in no order. Throws Fault('not_found'). */
export function slotsOf(context: Context, caller: Caller, id: JobId): Happened[] {
  const job = existingJob(context, caller, id).value
  const happened: Happened[] = passed(context, job, job.session === undefined)
  for (const { value: run } of context.state.where('run', 'job', scoped(job.project, id)))
    if (run.purpose === 'job')
      happened.push({ place: { at: instantOfSlot(run.slot) ?? run.createdAt, id: run.id }, run })
  return happened
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
  /** How long a run is expected to take, by the last ones; undefined: there were none. Milliseconds. */
  readonly runMs: number | undefined
  readonly slots: readonly ExpectedSlot[]
  readonly more: boolean
}

/**
 * What would become of a job's slots between two instants. Those of a stopped job are `paused`. Throws Fault 'not_found',
 * 'bad_request' (naming the field).
 */
export function previewJob(
  context: Context,
  caller: Caller,
  id: JobId,
  { from, to, limit }: { readonly from?: Instant; readonly to?: Instant; readonly limit: number },
): Preview {
  const job = existingJob(context, caller, id).value
  const starts = starterOf(context, job)
  const runMs = usualMs(context, job)
  if (starts === 'session' || starts === 'elsewhere' || job.wanted === 'cancelled')
    return { starts, runMs, slots: [], more: false }
  const begin = from ?? context.clock.now()
  const span = { from: begin, to: to ?? later(begin, weekMs), limit, runMs: runMs ?? 0 }
  const { next = job.plan.held, ...plan } = job.plan
  const { slots, more } = previewOf({ ...job, plan: next === undefined ? plan : { ...plan, next } }, span)
  return { starts, runMs, slots: starts === 'nobody' ? slots.map(paused) : slots, more }
}

const weekMs = 7 * 86_400_000

function starterOf(context: Context, job: Job): Starter {
  if (!isServerRun(context, job)) return 'elsewhere'
  if (job.session !== undefined) return 'session'
  return job.wanted === 'active' ? 'schedule' : 'nobody'
}

function paused(expected: ExpectedSlot): ExpectedSlot {
  const { startsAt: _, ...slot } = expected
  return { ...slot, reason: 'paused' }
}

/** Of so many runs the one in the middle tells how long one takes. */
const lastRuns = 9

/** How long the last runs took, as a rule. Milliseconds. */
function usualMs({ state }: Context, { project, id }: Job): number | undefined {
  const ended: { readonly at: Instant; readonly ms: number }[] = []
  for (const { value } of state.where('run', 'job', scoped(project, id)))
    if (value.purpose === 'job' && value.state.is === 'finished' && value.startedAt !== undefined)
      ended.push({ at: value.state.at, ms: value.state.at - value.startedAt })
  const last = ended.toSorted((a, b) => b.at - a.at).slice(0, lastRuns)
  return last.toSorted((a, b) => a.ms - b.ms)[Math.floor(last.length / 2)]?.ms
}
