import type { Instant } from '../../core/clock.ts'
import type { Job, Session } from '../../core/job.ts'
import type { Reason, Run } from '../../core/run.ts'
import { openMost, type Load } from '../../core/claim.ts'
import { failuresIn, instantOfSlot, outcomesOf } from '../plan/failures.ts'
import { policiesOf } from '../plan/policies.ts'
import { scoped } from '../state/indexes.ts'
import { changeRun } from './cancel-run.ts'
import type { Context } from './context.ts'
import { busyReason, endSet } from './start-session.ts'

const madeWay: Reason = {
  code: 'overlap',
  text: 'the next slot was due, and its schedule cancels what overlaps',
}

/** What decides, beside its schedule, about a job's slot that is due. */
export function loadOfJob(context: Pick<Context, 'state'>, job: Job): Load {
  const open = new Set<string>()
  const most = policiesOf(job.firn).overlap === 'allow' ? openMost : 1
  // Runs of a slot that is not claimed yet are not in its way: they are its own. What the agent has started by itself is, whatever
  // the schedule was that it went by.
  const { claimed = 0, next } = job.plan
  for (const { slot, own } of openRunsOf(context, job)) {
    const at = instantOfSlot(slot) ?? 0
    if (at <= claimed || (own && at !== next)) open.add(slot)
    // A slot may be of ten thousand runs, and each of them that ends has the next slot looked at.
    if (open.size >= most) break
  }
  return { open: open.size, failures: failuresOfJob(context, job) }
}

/** Whether a run of the job is still open, or to be made. */
export const isBusy = (context: Pick<Context, 'state'>, job: Job): boolean =>
  job.plan.making !== undefined || openRunsOf(context, job).next().done !== true

function* openRunsOf({ state }: Pick<Context, 'state'>, job: Job): IterableIterator<Run> {
  for (const { value } of state.where('run', 'openOfJob', scoped(job.project, job.id)))
    if (value.purpose === 'job') yield value
}

function failuresOfJob({ state }: Pick<Context, 'state'>, { project, id, plan, firn }: Job): number {
  if (policiesOf(firn).pauseAfterFailures === undefined) return 0
  const runs = [...state.where('run', 'job', scoped(project, id))].map(({ value }) => value)
  return failuresIn(outcomesOf(runs), plan.since)
}

/** The same of a session, whose starts never overlap and keep `hold_off`. */
export function loadOfSession(context: Context, session: Session): Load {
  const busy = busyReason(context, session)
  const until = busy?.retryAfterMs
  return {
    open: busy && until === undefined ? 1 : 0,
    failures: failuresOfSession(context, session),
    ...(until === undefined ? {} : { heldOffUntil: (context.clock.now() + until) as Instant }),
  }
}

function failuresOfSession({ state }: Context, { project, id, plan, firn }: Session): number {
  if (policiesOf(firn).pauseAfterFailures === undefined) return 0
  const outcomes = [...state.where('set', 'session', scoped(project, id))].flatMap(({ value }) => {
    const slot = instantOfSlot(value.slot)
    return slot === undefined || value.phase.is !== 'ended'
      ? []
      : [{ slot, result: value.phase.outcome.result }]
  })
  return failuresIn(outcomes, plan.since)
}

/** Asks the open runs of a job to make way for its next slot. Throws Fault 'stale_write', 'store_down'. */
export async function cancelOpenRuns(context: Context, job: Job): Promise<void> {
  for (const run of [...openRunsOf(context, job)])
    await changeRun(context, run.project, run.id, { type: 'cancel', why: madeWay })
}

/** The same of a session's start. Throws as `cancelOpenRuns`. */
export async function cancelOpenSets(context: Context, session: Session): Promise<void> {
  for (const { value } of [...context.state.where('set', 'session', scoped(session.project, session.id))])
    if (value.phase.is !== 'ended') await endSet(context, session.project, session.id, value.tag, madeWay)
}

/** How long the runs of a slot may wait for their start. Milliseconds; undefined: as the installation has it. */
export function startMsOf(
  { clock, settings }: Pick<Context, 'clock' | 'settings'>,
  job: Job,
  slot: Instant,
): number | undefined {
  const { startDeadlineMs } = policiesOf(job.firn)
  if (startDeadlineMs === undefined) return undefined
  return Math.min(settings.startMs, Math.max(1, slot + startDeadlineMs - clock.now()))
}
