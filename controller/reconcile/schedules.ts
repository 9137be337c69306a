import type { Instant } from '../../core/clock.ts'
import { isFault } from '../../core/fault.ts'
import { runIdOf, slotAt, type ProjectId } from '../../core/ids.ts'
import type { Job, Session } from '../../core/job.ts'
import type { Epoch } from '../../core/link.ts'
import { claimDue, type Claim } from '../plan/schedule.ts'
import { put, unchanged, type Stored } from '../state/documents.ts'
import type { Context } from '../use-cases/context.ts'
import { creating } from '../use-cases/new-run.ts'
import { createRuns, isBusy, requestsOf, runOf } from '../use-cases/start-run.ts'
import { admit, busyReason } from '../use-cases/start-session.ts'

/** Each run may bring a repository with it, and each is required to be absent: four of etcd's 128 operations. */
const runsInClaim = 25

export interface SchedulesOptions {
  readonly context: Context
  readonly epoch: () => Epoch | undefined
}

/** Leader only: claims the slots of jobs and sessions that fall due. A slot and what it starts are one transaction. */
export class Schedules {
  readonly #options: SchedulesOptions

  constructor(options: SchedulesOptions) {
    this.#options = options
  }

  async lookAtJob(project: ProjectId, id: string): Promise<Instant | undefined> {
    const { context, epoch } = this.#options
    const leads = epoch()
    const stored = context.state.get('job', project, id)
    if (leads === undefined || !stored) return undefined
    const job = stored.value
    const now = context.clock.now()
    const claim = claimDue(job.schedule, job.firn, job.plan, isBusy(context, job), now)
    if (claim.do === 'wait') return claim.until
    await unlessStale(context, () => this.#claimJob(stored, claim, leads))
    return context.clock.now()
  }

  async #claimJob(stored: Stored<Job>, claim: Exclude<Claim, { do: 'wait' }>, epoch: Epoch): Promise<void> {
    const { context } = this.#options
    const slot = slotAt(claim.slot)
    const { job, requests } =
      claim.do === 'start'
        ? requestsOf(context, stored.value, slot, stored.value.user)
        : { job: stored.value, requests: [] }
    const isIdle = claim.do === 'start' && requests.length === 0
    const plan = isIdle ? { ...claim.passed, skipped: { slot: claim.slot, reason: 'no_client' } } : claim.plan
    // More runs than fit into the claim are made before it: after a crash the slot is still due, and they are found.
    while (requests.length > runsInClaim) await createRuns(context, requests.splice(0, runsInClaim))
    const missing = requests.filter(
      ({ client }) => !context.state.get('run', job.project, runIdOf(job.project, job.id, client, slot)),
    )
    const runs = creating(missing.map((request) => runOf(context, request)))
    await context.state.commit({
      requires: [unchanged('job', job.project, job.id, stored), ...runs.requires],
      puts: [put('job', job.project, job.id, { ...job, plan, updatedAt: context.clock.now() }), ...runs.puts],
      epoch,
    })
  }

  async lookAtSession(project: ProjectId, id: string): Promise<Instant | undefined> {
    const { context, epoch } = this.#options
    const leads = epoch()
    const stored = context.state.get('session', project, id)
    if (leads === undefined || !stored) return undefined
    const session = stored.value
    const busy = busyReason(context, session)
    const claim = claimDue(
      session.schedule,
      session.firn,
      session.plan,
      busy !== undefined,
      context.clock.now(),
    )
    if (claim.do === 'wait') return claim.until
    await unlessStale(context, () => this.#claimSession(stored, claim, busy?.code, leads))
    return context.clock.now()
  }

  async #claimSession(
    stored: Stored<Session>,
    claim: Exclude<Claim, { do: 'wait' }>,
    busy: string | undefined,
    epoch: Epoch,
  ): Promise<void> {
    const { context } = this.#options
    const skip = (reason: string): Promise<unknown> =>
      context.state.commit({
        requires: [unchanged('session', stored.value.project, stored.value.id, stored)],
        puts: [
          put('session', stored.value.project, stored.value.id, {
            ...stored.value,
            plan: {
              ...(claim.do === 'start' ? claim.passed : claim.plan),
              skipped: { slot: claim.slot, reason },
            },
          }),
        ],
        epoch,
      })
    if (claim.do === 'skip') return void (await skip(busy ?? claim.plan.skipped?.reason ?? 'missed'))
    try {
      await admit(context, stored, slotAt(claim.slot), { plan: claim.plan, epoch })
    } catch (error) {
      if (!isFault(error, 'conflict')) throw error
      await skip('no_member')
    }
  }
}

/** A write that somebody else got ahead of: the next look decides again. */
async function unlessStale(context: Context, write: () => Promise<void>): Promise<void> {
  try {
    await write()
  } catch (error) {
    if (!isFault(error, 'stale_write', 'fenced')) throw error
    await context.state.catchUp()
  }
}
