import type { Instant } from '../../core/clock.ts'
import { slotAt } from '../../core/ids.ts'
import type { Job, Making } from '../../core/job.ts'
import type { Epoch } from '../../core/link.ts'
import { madeAll } from '../plan/schedule.ts'
import { put, unchanged, type Stored } from '../state/documents.ts'
import type { Context } from '../use-cases/context.ts'
import { creating } from '../use-cases/new-run.ts'
import { startMsOf } from '../use-cases/schedule-load.ts'
import {
  clientsOf,
  missingOf,
  requestsOf,
  runOf,
  runsAtOnce,
  type StartRequest,
} from '../use-cases/start-run.ts'

/** Transactions under way together: enough to fill requests to the store, few enough that others have their turn. */
const writesAtOnce = 8

/**
 * Makes the runs that a claimed slot has not got yet, and writes down that none is missing any more. Each write holds only
 * while the job is as it was read: whoever stops, changes or deletes it comes before a run or after it, never beside it. What
 * is late is not made. Throws Fault 'stale_write' (look again: much of it may be done), 'fenced', 'store_down'.
 */
export async function makeRuns(
  context: Context,
  stored: Stored<Job>,
  { slot, by }: Making,
  epoch: Epoch,
): Promise<void> {
  const job = stored.value
  const { project, id } = job
  const requires = [unchanged('job', project, id, stored)]
  const isLate = by <= context.clock.now()
  const missing = lackingRuns(context, job, slot)

  const make = async (requests: readonly StartRequest[]): Promise<void> => {
    const runs = creating(requests.map((request) => runOf(context, request)))
    await context.state.commit({ requires: [...requires, ...runs.requires], puts: runs.puts, epoch })
  }
  const lots = isLate ? [] : inLots(missing)
  // The first by itself: it may bring a repository that all the others share.
  await Promise.all(lots.splice(0, 1).map(make))
  while (lots.length > 0) await Promise.all(lots.splice(0, writesAtOnce).map(make))

  const why = isLate && missing.length > 0 ? 'leader_lost' : undefined
  await context.state.commit({
    requires,
    puts: [put('job', project, id, { ...job, plan: madeAll(job.plan, why) })],
    epoch,
  })
}

function lackingRuns(context: Context, job: Job, at: Instant): StartRequest[] {
  const slot = slotAt(at)
  const keys = clientsOf(context, job).map((client) => ({ project: job.project, job: job.id, client, slot }))
  const clients = missingOf(context, keys).map(({ client }) => client)
  if (clients.length === 0) return []
  return requestsOf(context, job, slot, job.user, startMsOf(context, job, at), clients).requests
}

function inLots(requests: readonly StartRequest[]): StartRequest[][] {
  const lots: StartRequest[][] = []
  for (let from = 0; from < requests.length; from += runsAtOnce)
    lots.push(requests.slice(from, from + runsAtOnce))
  return lots
}
