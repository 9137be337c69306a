import type { Instant } from '../../core/clock.ts'
import type { JobId } from '../../core/ids.ts'
import type { Job, ScheduleFields, Session } from '../../core/job.ts'
import { patternIn } from './extensions.ts'
import { isSatisfiable } from './schedule.ts'

/**
 * The session with a job as a member. What the scheduler of one that the servers do not run says of it stands until the next
 * round.
 */
export function withJob(session: Session, job: Job, isServerRun: boolean): Session {
  const joined = { ...withoutJob(session, job.id), jobs: [...session.jobs, job.id] }
  if (isServerRun) return joined
  const { status = '', result = '', timeStarted = -1, timeEnded = -1 } = job.reported ?? {}
  const said = { tag: session.tag, status, result, timeStarted, timeEnded }
  return { ...joined, external: { ...joined.external, [job.id]: said } }
}

/** The session without a job, and without what that job's own scheduler said of it. */
export function withoutJob(session: Session, job: JobId): Session {
  const { [job]: _, ...external } = session.external ?? {}
  return {
    ...session,
    jobs: session.jobs.filter((member) => member !== job),
    ...(session.external ? { external } : {}),
    version: session.version + 1,
  }
}

/**
 * The schedule of a member: its session's merged over its own. What `old`, an earlier schedule of the session, had put there goes
 * with it, for schedulers of old go by the copy. Where the two make no sense together (it would end before it begins), the
 * session's stands alone. A cron pattern of the job's own cannot stand beside other fields: it stays, and fires again when the job
 * has left.
 */
export function copiedSchedule(
  { schedule, firn }: Pick<Job, 'schedule' | 'firn'>,
  session: Pick<Session, 'schedule'>,
  now: Instant,
  old: ScheduleFields = {},
): ScheduleFields {
  if (patternIn(firn) !== undefined) return schedule
  const gone = new Set(Object.entries(old).map((field) => JSON.stringify(field)))
  const own = Object.entries(schedule).filter((field) => !gone.has(JSON.stringify(field)))
  const merged: ScheduleFields = { ...Object.fromEntries(own), ...session.schedule }
  return [merged, session.schedule].find((one) => isSatisfiable(one, firn, now)) ?? schedule
}
