import { later, type Instant } from '../../core/clock.ts'
import { isFault } from '../../core/fault.ts'
import { slotAt, type ProjectId } from '../../core/ids.ts'
import type { Job, Plan, Session } from '../../core/job.ts'
import type { Epoch } from '../../core/link.ts'
import { heldUntil } from '../plan/autonomy.ts'
import { claimDue, notStarted, type Claim } from '../plan/claim.ts'
import { put, unchanged, type Stored } from '../state/documents.ts'
import type { Context } from '../use-cases/context.ts'
import { creating } from '../use-cases/new-run.ts'
import {
  cancelOpenRuns,
  cancelOpenSets,
  loadOfJob,
  loadOfSession,
  startMsOf,
} from '../use-cases/schedule-load.ts'
import { missingOf, requestsOf, runOf, runsAtOnce } from '../use-cases/start-run.ts'
import { admit } from '../use-cases/start-session.ts'
import { makeRuns } from './making.ts'

export interface SchedulesOptions {
  readonly context: Context
  readonly epoch: () => Epoch | undefined
}

/**
 * Leader only: claims the slots of jobs and sessions that fall due. A slot and what it starts are one transaction; where that
 * is more than one holds, the claim says what is still to be made, and that follows.
 */
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
    const { next, making } = job.plan
    const now = context.clock.now()
    if (making) {
      await unlessStale(context, () => makeRuns(context, stored, making, leads))
      return now
    }
    if (next === undefined || next > now) return next
    const held = heldUntil(job, clientOf(context, job), now)
    if (held !== undefined) return held
    const claim = claimDue(job, loadOfJob(context, job), now)
    if (claim.do === 'wait') return claim.until
    if (claim.do === 'cancel') {
      await cancelOpenRuns(context, job)
      return claim.until
    }
    await unlessStale(context, () => this.#claimJob(stored, claim, leads))
    return context.clock.now()
  }

  async #claimJob(stored: Stored<Job>, claim: Decided, epoch: Epoch): Promise<void> {
    const { context } = this.#options
    const slot = slotAt(claim.slot)
    const startMs = startMsOf(context, stored.value, claim.slot)
    const { job, requests } =
      claim.do === 'start'
        ? requestsOf(context, stored.value, slot, stored.value.user, startMs)
        : { job: { ...stored.value, ...wantedAfter(claim) }, requests: [] }
    const now = context.clock.now()
    const isLarge = requests.length > runsAtOnce
    const runs = isLarge ? [] : missingOf(context, requests).map((request) => runOf(context, request))
    const made = creating(runs)
    const by = later(now, startMs ?? context.settings.startMs)
    const making = isLarge ? { making: { slot: claim.slot, by } } : {}
    const isIdle = claim.do === 'start' && requests.length === 0
    const plan = isIdle ? notStarted(stored.value.plan, claim.passed, claim.slot, 'no_client') : claim.plan
    await context.state.commit({
      requires: [unchanged('job', job.project, job.id, stored), ...made.requires],
      puts: [
        put('job', job.project, job.id, { ...job, plan: { ...plan, ...making }, updatedAt: now }),
        ...made.puts,
      ],
      epoch,
    })
  }

  async lookAtSession(project: ProjectId, id: string): Promise<Instant | undefined> {
    const { context, epoch } = this.#options
    const leads = epoch()
    const stored = context.state.get('session', project, id)
    if (leads === undefined || !stored) return undefined
    const session = stored.value
    const claim = claimDue(session, loadOfSession(context, session), context.clock.now())
    if (claim.do === 'wait') return claim.until
    if (claim.do === 'cancel') {
      await cancelOpenSets(context, session)
      return claim.until
    }
    await unlessStale(context, () => this.#claimSession(stored, claim, leads))
    return context.clock.now()
  }

  async #claimSession(stored: Stored<Session>, claim: Decided, epoch: Epoch): Promise<void> {
    const { context } = this.#options
    const session = stored.value
    const store = (plan: Plan): Promise<unknown> =>
      context.state.commit({
        requires: [unchanged('session', session.project, session.id, stored)],
        puts: [put('session', session.project, session.id, { ...session, ...wantedAfter(claim), plan })],
        epoch,
      })
    if (claim.do !== 'start') return void (await store(claim.plan))
    try {
      await admit(context, stored, slotAt(claim.slot), { plan: claim.plan, epoch })
    } catch (error) {
      if (!isFault(error, 'conflict')) throw error
      await store(notStarted(session.plan, claim.passed, claim.slot, 'no_member'))
    }
  }
}

const clientOf = ({ state }: Context, { project, client }: Job) =>
  client === undefined ? undefined : state.get('client', project, client)?.value

type Decided = Exclude<Claim, { do: 'wait' | 'cancel' }>

/** After too many failures a schedule stands still until somebody starts it again. */
const wantedAfter = (claim: Decided): { wanted?: 'stopped' } =>
  claim.do === 'pause' ? { wanted: 'stopped' } : {}

/** A write that somebody else got ahead of: the next look decides again. */
async function unlessStale(context: Context, write: () => Promise<void>): Promise<void> {
  try {
    await write()
  } catch (error) {
    if (!isFault(error, 'stale_write', 'fenced')) throw error
    await context.state.catchUp()
  }
}
