import { expect, it } from 'vitest'
import { aSession } from '../../test/support/builders.ts'
import type { JobId } from '../../core/ids.ts'
import type { ExternalMember } from '../../core/job.ts'
import { withoutJob } from './membership.ts'

const [a, b] = ['job-a', 'job-b'] as [JobId, JobId]
const said: ExternalMember = { tag: 3, status: 'completed', result: 'success', timeStarted: 1, timeEnded: 2 }

it('takes a job out of its session with all that its scheduler has said of it', () => {
  const session = aSession({ jobs: [a, b], external: { [a]: said, [b]: said }, version: 7 })
  expect(withoutJob(session, a)).toEqual({ ...session, jobs: [b], external: { [b]: said }, version: 8 })
})

it('takes a job out of a session that no scheduler has spoken of', () => {
  const session = aSession({ jobs: [a, b], version: 1 })
  expect(withoutJob(session, b)).toEqual({ ...session, jobs: [a], version: 2 })
})
