import { Fault } from '../../core/fault.ts'
import type { JobId } from '../../core/ids.ts'
import type { Job, Reported } from '../../core/job.ts'
import { triggerIn } from '../plan/schedule.ts'
import { scoped } from '../state/indexes.ts'
import { cancelRun } from './cancel-run.ts'
import type { Caller, Context } from './context.ts'
import { isServerRun, withJobPlan } from './job-planning.ts'
import { commitJob, existingJob } from './jobs.ts'
import { retrying } from './retrying.ts'
import { isBusy } from './schedule-load.ts'
import { startRun } from './start-run.ts'

export type JobEvent = 'start' | 'stop' | 'abort'

/**
 * Freezer's events. Where the servers run the job they act at once: `start` activates its schedule, and runs a job
 * without a trigger, unless it runs already; `stop` keeps it from firing and lets runs end; `abort` does that and cancels its open runs. For other
 * clients the event is stored for their scheduler. Gives the published result word. Throws Fault 'not_found',
 * 'conflict' (start of a job that is cancelled), 'store_down' and what startRun and cancelRun throw.
 */
export async function jobEvent(
  context: Context,
  caller: Caller,
  id: JobId,
  event: JobEvent,
): Promise<string> {
  const { known, job } = await retrying(context, async () => {
    const before = existingJob(context, caller, id)
    if (event === 'start' && before.value.wanted === 'cancelled')
      throw new Fault('conflict', `job ${id} is cancelled for good`)
    if (!isServerRun(context, before.value) && before.value.reported?.event === event)
      return { known: true, job: before.value }
    const { plan: _, ...asked } = wanting(context, before.value, event)
    const job = withJobPlan(context, asked, before.value)
    if (job.wanted === before.value.wanted && job.reported === before.value.reported)
      return { known: false, job }
    await commitJob(context, { ...job, version: job.version + 1 }, before, { puts: [], requires: [] })
    return { known: false, job }
  })
  if (known) return `${event} already requested`
  if (isServerRun(context, job)) await act(context, caller, job, event)
  return 'success'
}

function wanting(context: Context, job: Job, event: JobEvent): Job {
  const stopped = job.wanted === 'cancelled' ? job.wanted : 'stopped'
  const wanted = event === 'start' ? 'active' : stopped
  if (isServerRun(context, job)) {
    const { stoppedAt = context.clock.now(), ...going } = job
    return event === 'start' ? { ...going, wanted } : { ...going, wanted, stoppedAt }
  }
  const before: Reported = job.reported ?? {
    status: '',
    result: '',
    event: '',
    timeStarted: -1,
    timeEnded: -1,
  }
  // Clearing the status is what makes a completed job visible to its scheduler's poll again.
  const reported = { ...before, event, ...(event === 'start' ? { status: '', result: '' } : {}) }
  return { ...job, wanted, reported }
}

async function act(context: Context, caller: Caller, job: Job, event: JobEvent): Promise<void> {
  const isByHand = () => triggerIn(job.schedule, job.firn).is === 'none'
  // What runs, or is about to, is what was asked for.
  if (event === 'start' && isByHand() && job.plan.next === undefined && !isBusy(context, job))
    await startRun(context, caller, { job: job.id, key: context.secrets.uuid() })
  if (event === 'abort')
    for (const run of [...context.state.where('run', 'openOfJob', scoped(job.project, job.id))])
      if (run.value.purpose === 'job') await cancelRun(context, caller, run.value.id, 'its job was aborted')
}
