import { Fault } from '../../core/fault.ts'
import { later } from '../../core/clock.ts'
import {
  runIdOf,
  sessionSlot,
  userSlot,
  type JobId,
  type ProjectId,
  type SessionId,
  type Slot,
} from '../../core/ids.ts'
import type { Plan, Session } from '../../core/job.ts'
import type { Epoch } from '../../core/link.ts'
import type { Reason } from '../../core/run.ts'
import { cancelSetRecord } from '../../core/set-machine.ts'
import { setIdOf, type Member, type MissingPolicy, type SetRecord } from '../../core/set.ts'
import { put, ref, unchanged, type Stored } from '../state/documents.ts'
import { scoped } from '../state/indexes.ts'
import type { Caller, Context } from './context.ts'
import { retrying } from './retrying.ts'
import { clientsOf } from './start-run.ts'

/**
 * Starts a session now: `session_tag` + 1 and one start record with its members pinned, in one transaction whatever
 * their number; runs follow. The user's key makes it one slot: asked again, the same set comes back. Throws Fault 'not_found', 'conflict'
 * (no members), 'unreadable' (a member), 'busy' (inside hold_off, or the last start is still under way), 'stale_write' or 'store_down'.
 */
export async function startSession(
  context: Context,
  caller: Caller,
  id: SessionId,
  input: { readonly key: string },
): Promise<Stored<SetRecord>> {
  const slot = userSlot(caller.user, input.key)
  return retrying(context, async () => {
    const session = context.state.get('session', caller.project, id)
    if (!session) throw new Fault('not_found', `no session ${id}`)
    const known = setOfSlot(context, session.value, slot)
    if (known) return known
    refuseBusy(context, session.value)
    return admit(context, session, slot, {})
  })
}

/** Why a session cannot be started now, if so: `hold_off` counts from the last start; starts never overlap. */
export function busyReason(
  context: Context,
  session: Session,
): { code: string; text: string; retryAfterMs?: number } | undefined {
  const now = context.clock.now()
  const until = session.lastStart === undefined ? 0 : session.lastStart + session.holdOffS * 1_000
  if (until > now)
    return {
      code: 'hold_off',
      text: `started less than ${session.holdOffS} s ago; wait ${Math.ceil((until - now) / 1_000)} s`,
      retryAfterMs: until - now,
    }
  for (const { value } of setsOf(context, session))
    if (value.phase.is !== 'ended')
      return { code: 'overlap', text: `its start ${value.tag} is still under way` }
  return undefined
}

function refuseBusy(context: Context, session: Session): void {
  const busy = busyReason(context, session)
  if (busy)
    throw new Fault(
      'busy',
      `session ${session.id}: ${busy.text}`,
      busy.retryAfterMs === undefined ? {} : { retryAfterMs: busy.retryAfterMs },
    )
}

const setsOf = (context: Context, session: Session) =>
  context.state.where('set', 'session', scoped(session.project, session.id))

function setOfSlot(context: Context, session: Session, slot: Slot): Stored<SetRecord> | undefined {
  for (const stored of setsOf(context, session)) if (stored.value.slot === slot) return stored
  return undefined
}

/** The admitting transaction. `plan` moves the session's schedule with it; `epoch` fences a leader's start. */
export async function admit(
  context: Context,
  before: Stored<Session>,
  slot: Slot,
  with_: { readonly plan?: Plan; readonly epoch?: Epoch },
): Promise<Stored<SetRecord>> {
  const session = before.value
  const now = context.clock.now()
  const tag = session.tag + 1
  const members = membersOf(context, session, tag)
  if (members.length === 0)
    throw new Fault('conflict', `session ${session.id} has no job on a client with an enrolled agent`)
  const set: SetRecord = {
    session: session.id,
    tag,
    project: session.project,
    user: session.user,
    slot,
    admittedAt: now,
    members,
    missing: missingOf(session),
    phase: { is: 'preparing', by: later(now, context.settings.prepareMs) },
  }
  const { project } = session
  const setId = setIdOf(session.id, tag)
  const revision = await context.state.commit({
    requires: [
      unchanged('session', project, session.id, before),
      { ...ref('set', project, setId), revision: 0 },
    ],
    puts: [
      put('session', project, session.id, {
        ...session,
        tag,
        lastStart: now,
        plan: with_.plan ?? session.plan,
      }),
      put('set', project, setId, set),
    ],
    ...(with_.epoch === undefined ? {} : { epoch: with_.epoch }),
  })
  return { value: set, revision }
}

function membersOf(context: Context, session: Session, tag: number): Member[] {
  const slot = sessionSlot(session.id, tag)
  return session.jobs.flatMap((id) => {
    const job = context.state.get('job', session.project, id)?.value
    if (!job) return leftOut(context, session, id)
    return clientsOf(context, job).map((client) => ({
      job: job.id,
      client,
      run: runIdOf(session.project, job.id, client, slot),
    }))
  })
}

/** Nothing is left out of a start that is to be of all or of none: not to be read is not the same as deleted. */
function leftOut({ state }: Context, session: Session, id: JobId): [] {
  if (missingOf(session) === 'abort' && state.unreadable('job', session.project, id))
    throw new Fault('unreadable', `session ${session.id}: its job ${id} is stored, but cannot be read`)
  return []
}

const missingOf = (session: Session): MissingPolicy =>
  session.firn?.['missing'] === 'degrade' ? 'degrade' : 'abort'

/** Asks for a whole start to stop. An ended set stays as it is. Throws Fault 'not_found', 'stale_write', 'store_down'. */
export const cancelSet = (
  context: Context,
  caller: Caller,
  session: SessionId,
  tag: number,
): Promise<Stored<SetRecord>> =>
  endSet(context, caller.project, session, tag, {
    code: 'cancelled',
    text: `cancelled by ${caller.userName}`,
  })

/** As `cancelSet`, for a reason that nobody need have asked for. */
export async function endSet(
  context: Context,
  project: ProjectId,
  session: SessionId,
  tag: number,
  why: Reason,
): Promise<Stored<SetRecord>> {
  const id = setIdOf(session, tag)
  return retrying(context, async () => {
    const before = context.state.get('set', project, id)
    if (!before) throw new Fault('not_found', `no set ${session} ${tag}`)
    const value = cancelSetRecord(before.value, why)
    if (value === before.value) return before
    const revision = await context.state.commit({
      requires: [unchanged('set', project, id, before)],
      puts: [put('set', project, id, value)],
    })
    return { value, revision }
  })
}
