// Whatever documents the API takes, a job beside them goes on firing.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ServerId } from '../../../core/ids.ts'
import { LineBook } from '../../../controller/reconcile/line-book.ts'
import { Reconciler } from '../../../controller/reconcile/reconciler.ts'
import { eventually } from '../../support/eventually.ts'
import { project, smallJob, startApi } from '../harness.ts'

const oneOf = <T>(...values: T[]): fc.Arbitrary<T> => fc.constantFrom(...values)

const schedules = fc.record(
  {
    schedule_date: oneOf(
      '2027-01-15T10:45:00',
      '2027-01-15T10:45:00+02:00',
      '2030-02-31T00:00:00',
      '2027-01-15',
    ),
    schedule_interval: oneOf('5  minutes', '1 seconds', 'continuous', '0 days', '999999 weeks', '1 hours'),
    schedule_start_date: oneOf('2027-01-01T00:00:00Z', '1970-01-01T00:00:00', '2027-01-15T11:30:00.5'),
    schedule_end_date: oneOf('2027-01-15T12:00:00', '2026-01-01T00:00:00Z', '9999-12-31T23:59:59'),
    schedule_year: oneOf('2027', '9999', '20'),
    schedule_month: oneOf('2', '*/5', '13', '*'),
    schedule_day: oneOf('30', 'last', '2nd fri', '31', '*'),
    schedule_week: oneOf('53', '1-9', '60'),
    schedule_day_of_week: oneOf('mon', '0-6', 'mon,wed', 'x'),
    schedule_hour: oneOf('*', 'banana', '10-13', '*/2'),
    schedule_minute: oneOf('*/7', '59', '*', '%d'),
    schedule_second: oneOf('*', '0', '*/1'),
  },
  { requiredKeys: [] },
)

const policies = fc.record(
  {
    timezone: oneOf('Europe/Berlin', 'Mars/Olympus', '', 'Australia/Lord_Howe'),
    pattern: oneOf(
      '* * * * *',
      '* * * * * *',
      '0 0 30 2 *',
      '@reboot',
      '*/5 10-12 * * 5L',
      '2027-01-15T11:00:00Z',
    ),
    count: oneOf(1, 3, 0, -1),
    catch_up: oneOf('all', 'none', 'latest'),
    catch_up_max: oneOf(1, 100),
    overlap: oneOf('skip', 'queue', 'cancel', 'allow'),
    jitter: oneOf('7 days', '1 seconds', '0 hours'),
    start_deadline: oneOf('1 seconds', '366 days'),
    exclusions: oneOf(['2027-01-15'], ['2027-01-01/2027-12-31'], ['2027-02-30']),
    pause_after_failures: oneOf(1, 1000),
    client_selector: oneOf({}, { rack: 'a' }, { rack: 1 }),
  },
  { requiredKeys: [] },
)

const actions = oneOf(
  [],
  [{ freezer_action: { action: 'exec', command: 'date +%s %(x)s' } }],
  [{ freezer_action: { action: 'explode', mode: 'odd', path_to_backup: '\u0000' } }],
  [
    {
      freezer_action: { action: 'backup', engine_name: 'none', path_to_backup: '/x' },
      max_retries: 1_000_000,
    },
  ],
)

const few = <T extends object>(of: fc.Arbitrary<T>): fc.Arbitrary<Partial<T>> =>
  of.map((all) => Object.fromEntries(Object.entries(all).slice(0, 3)) as Partial<T>)

const documents = fc.record({
  job_schedule: fc.oneof(few(schedules), schedules, fc.constant({})),
  firn: fc.oneof(few(policies), fc.constant({})),
  job_actions: actions,
  event: oneOf(undefined, 'start', 'stop', 'abort'),
})

async function world() {
  const api = await startApi()
  await api.enrolled('n1')
  const failed = new Set<string>()
  const reconciler = new Reconciler({
    ...{ context: api.context, leadership: api.store.leadership(), server: 's1' as ServerId },
    ...{ clock: api.context.clock, lines: new LineBook(api.context.clock), monotonicUs: () => 0 },
    failed: (key) => failed.add(key),
  })
  const until = (time: string) => api.pass(Date.parse(`2027-01-15T${time}Z`) - api.now())
  until('10:30:00')
  // Its own runs are not in its way: they wait for a node that is not there.
  const canary = { job_schedule: { schedule_minute: '0' }, firn: { overlap: 'allow' } }
  await api.ask('POST', '/v1/jobs/canary', { ...smallJob('n1'), ...canary })
  /** The canary's slots that became runs. */
  const fired = () =>
    [...api.context.state.where('run', 'job', `${project}/canary`)].map(({ value }) => value.slot)
  return { ...api, reconciler, failed, until, fired }
}

describe('documents that are taken', () => {
  it('never keep another job from firing', async () => {
    let taken = 0
    await fc.assert(
      fc.asyncProperty(fc.array(documents, { minLength: 2, maxLength: 8 }), async (some) => {
        const w = await world()
        await using _ = w.reconciler
        for (const [index, { event, ...document }] of some.entries()) {
          const id = `odd${index}`
          const { status } = await w.ask('POST', `/v1/jobs/${id}`, { client_id: 'n1', ...document })
          expect([201, 400]).toContain(status)
          if (status === 201) taken++
          if (status === 201 && event) await w.ask('POST', `/v1/jobs/${id}/event`, { [event]: null })
        }
        for (const [hours, time] of ['11:00:01', '12:00:01', '13:00:01'].entries()) {
          w.until(time)
          w.reconciler.wakeAll()
          await eventually(() => w.fired().length === hours + 1)
        }
        expect(w.failed).not.toContain(`job/${project}/canary`)
        for (const path of ['/v1/jobs', '/v1/runs']) expect((await w.ask('GET', path)).status).toBe(200)
        expect(w.failures).toEqual([])
      }),
      { numRuns: 25 },
    )
    // Else this would say nothing.
    expect(taken).toBeGreaterThan(10)
  })
})
