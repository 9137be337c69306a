import type { JobId } from '../../core/ids.ts'
import type { Session } from '../../core/job.ts'

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
