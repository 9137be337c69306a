import { Fault, isFault } from '../../core/fault.ts'
import type { JobId, SessionId } from '../../core/ids.ts'
import type { ExternalMember, Session } from '../../core/job.ts'
import { setIdOf } from '../../core/set.ts'
import type { Caller, Context } from './context.ts'
import { retryingInLine } from './in-line.ts'
import { isServerRun } from './job-planning.ts'
import { commitSession, existingSession } from './sessions.ts'
import { startSession } from './start-session.ts'

/** Freezer's answer to a scheduler that starts or ends its job's part of a round. */
export interface RoundAnswer {
  readonly result: 'success' | 'hold-off' | 'out-of-sync'
  readonly tag: number
}

/**
 * A scheduler asks to start its job in the round after `currentTag`. The first one opens the round, which starts every member
 * that the servers run; those that ask within hold_off join it. Each call is one compare-and-set, so none is lost. Throws Fault
 * 'not_found', 'bad_request' (no member, a tag from the future), 'stale_write', 'store_down'.
 */
export async function startRound(
  context: Context,
  caller: Caller,
  id: SessionId,
  input: { readonly job: JobId; readonly currentTag: number },
): Promise<RoundAnswer> {
  return retryingInLine(context, caller, id, async () => {
    const session = checkedSession(context, caller, id, input)
    const { tag, lastStart, holdOffS } = session.value
    const ageMs = lastStart === undefined ? Infinity : context.clock.now() - lastStart
    const isOpen = ageMs <= holdOffS * 1000
    if (input.currentTag === tag && isOpen) return { result: 'hold-off', tag }
    if (input.currentTag < tag && !isOpen) return { result: 'out-of-sync', tag }
    if (input.currentTag < tag) {
      await commitSession(context, marked(context, session.value, input.job, tag, started), session)
      return { result: 'success', tag }
    }
    return openRound(context, caller, session.value, input.job)
  })
}

async function openRound(
  context: Context,
  caller: Caller,
  session: Session,
  job: JobId,
): Promise<RoundAnswer> {
  const tag = session.tag + 1
  if (!session.jobs.some((member) => isServerRunJob(context, session, member))) {
    const opened = { ...session, tag, lastStart: context.clock.now() }
    const before = existingSession(context, caller, session.id)
    await commitSession(context, marked(context, opened, job, tag, started), before)
    return { result: 'success', tag }
  }
  try {
    // Whoever asks for this round gets the same start: the key is the round's.
    await startSession(context, caller, session.id, { key: `round.${tag}` })
  } catch (error) {
    if (!isFault(error, 'busy')) throw error
    return { result: 'hold-off', tag: session.tag }
  }
  const before = existingSession(context, caller, session.id)
  await commitSession(context, marked(context, before.value, job, before.value.tag, started), before)
  return { result: 'success', tag: before.value.tag }
}

/**
 * A scheduler says how its job's part of the round ended; of an older round it changes nothing. Throws as `startRound`.
 */
export async function endRound(
  context: Context,
  caller: Caller,
  id: SessionId,
  input: { readonly job: JobId; readonly currentTag: number; readonly result: string },
): Promise<RoundAnswer> {
  return retryingInLine(context, caller, id, async () => {
    const session = checkedSession(context, caller, id, input)
    const { tag } = session.value
    if (input.currentTag === tag)
      await commitSession(
        context,
        closed(
          context,
          marked(context, session.value, input.job, tag, (before, now) => ({
            status: 'completed',
            result: input.result,
            timeStarted: before?.timeStarted ?? -1,
            timeEnded: now,
          })),
        ),
        session,
      )
    return { result: 'success', tag }
  })
}

function checkedSession(
  context: Context,
  caller: Caller,
  id: SessionId,
  { job, currentTag }: { readonly job: JobId; readonly currentTag: number },
) {
  const session = existingSession(context, caller, id)
  if (!session.value.jobs.includes(job))
    throw new Fault('bad_request', `job_id: job ${job} is not in session ${id}`, { field: 'job_id' })
  if (currentTag > session.value.tag)
    throw new Fault(
      'bad_request',
      `current_tag: ${currentTag} is above the session's tag ${session.value.tag}`,
      {
        field: 'current_tag',
      },
    )
  return session
}

const isServerRunJob = (context: Context, session: Session, id: JobId): boolean => {
  const job = context.state.get('job', session.project, id)
  return job !== undefined && isServerRun(context, job.value)
}

type Word = (before: ExternalMember | undefined, nowS: number) => Omit<ExternalMember, 'tag'>

const started: Word = (_before, nowS) => ({ status: 'running', result: '', timeStarted: nowS, timeEnded: -1 })

/** The session with a scheduler's word about its job; the runs of a job that the servers run speak for themselves. */
function marked(context: Context, session: Session, job: JobId, tag: number, word: Word): Session {
  const version = session.version + 1
  if (isServerRunJob(context, session, job)) return { ...session, version }
  const old = session.external?.[job]
  const before = old?.tag === tag ? old : undefined
  const entry = { tag, ...word(before, Math.floor(context.clock.now() / 1000)) }
  return { ...session, external: { ...session.external, [job]: entry }, version }
}

/** The session with its round at an end, if all of its jobs have ended their part and none is run by the servers. */
function closed(context: Context, session: Session): Session {
  const { tag, external = {}, jobs } = session
  if (context.state.get('set', session.project, setIdOf(session.id, tag))) return session
  const ended = jobs.flatMap((job) => external[job] ?? []).filter((said) => said.tag === tag)
  if (ended.length < jobs.length || !ended.every(({ status }) => status === 'completed')) return session
  const result = ended.every((said) => said.result === 'success') ? 'success' : 'fail'
  return { ...session, over: { tag, result, atS: Math.floor(context.clock.now() / 1000) } }
}
