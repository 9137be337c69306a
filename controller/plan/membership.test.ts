import { expect, it } from 'vitest'
import { aSession, noon } from '../../test/support/builders.ts'
import type { JobId } from '../../core/ids.ts'
import type { ExternalMember } from '../../core/job.ts'
import { copiedSchedule, withoutJob } from './membership.ts'

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

it.each([
  ['is merged over that of the job', { schedule_minute: '5' }, { schedule_hour: '3' }, {}],
  ['leaves what an earlier one had put there', {}, { schedule_hour: '3' }, { schedule_interval: '1 days' }],
])('a schedule of a session %s', (_what, own, session, old) => {
  const job = { schedule: { ...own, ...old } }
  expect(copiedSchedule(job, { schedule: session }, noon, old)).toEqual({ ...own, ...session })
})

it.each([
  [{ schedule_start_date: '2031-01-01T00:00:00' }, { schedule_end_date: '2030-01-01T00:00:00' }],
  [{ schedule_day: '31' }, { schedule_month: '2' }],
])('a schedule %j that makes no sense with that of the session, %j, gives way to it', (schedule, session) => {
  expect(copiedSchedule({ schedule }, { schedule: session }, noon)).toEqual(session)
})

it('a schedule stays where its extensions bear no other', () => {
  const schedule = { schedule_interval: '1 days', schedule_start_date: '2031-01-01T00:00:00' }
  const session = { schedule: { schedule_end_date: '2030-01-01T00:00:00' } }
  expect(copiedSchedule({ schedule, firn: { count: 2 } }, session, noon)).toBe(schedule)
  expect(copiedSchedule({ schedule: {}, firn: { pattern: '0 3 * * *' } }, session, noon)).toEqual({})
})
