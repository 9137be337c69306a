import { describe, expect, it } from 'vitest'
import type { Client, Line } from '../../core/catalogue.ts'
import { instant, type Instant } from '../../core/clock.ts'
import { clientId, jobId, type ServerId } from '../../core/ids.ts'
import type { Job } from '../../core/job.ts'
import {
  heldUntil,
  instantsFrom,
  isPlanned,
  mayBeBehind,
  plannedSchedule,
  planAfterTold,
} from './autonomy.ts'

const minute = 60_000
const at = (minutes: number): Instant => instant(minutes * minute)
const day = 1_440

const job = (changes: Partial<Job> = {}): Job =>
  ({
    ...{ id: jobId('j'), project: 'p', user: 'u', client: clientId('n1'), description: '', actions: [] },
    ...{ schedule: { schedule_interval: '10 minutes' }, wanted: 'active', version: 2, sessionTag: 0 },
    plan: { generation: 1, claimed: at(90), next: at(100) },
    ...changes,
  }) as Job

const client = (line: Line): Client =>
  ({ id: clientId('n1'), enrolled: { at: at(0), fingerprint: 'f' }, line }) as Client

const server = 's' as ServerId
const gone = client({ is: 'down', since: at(95), alone: true })

describe('slots are left to the agent', () => {
  it.each([
    ['while it cannot be reached', gone, at(95 + 7 * day)],
    [
      'while it tells what it did',
      client({ is: 'up', server, since: at(99), alone: true, settling: true }),
      at(104),
    ],
    ['not while it is there', client({ is: 'up', server, since: at(99), alone: true }), undefined],
    ['not of an agent that waits for servers', client({ is: 'down', since: at(95) }), undefined],
    ['not before it ever came', client({ is: 'never' }), undefined],
    [
      'not of a node that was shut out',
      { ...gone, enrolled: { at: at(0), fingerprint: 'f', revokedAt: at(96) } },
      undefined,
    ],
    ['not of nobody', undefined, undefined],
  ])('%s', (_, of, until) => {
    expect(heldUntil(job(), of, at(100))).toBe(until)
  })

  it.each([
    ['after a week', job(), at(96 + 7 * day)],
    ['of a job that waits for servers', job({ firn: { autonomy: false } }), at(100)],
    ['of a job of many clients', job({ selector: { a: 'b' } }), at(100)],
    ['of a job of a session', job({ session: 's' as never }), at(100)],
  ])('no more %s', (_, of, now) => {
    expect(heldUntil(of, gone, now)).toBeUndefined()
    expect(isPlanned(of)).toBe(now !== at(100))
  })

  it('and a stop or change is pending while the agent may not have heard of it', () => {
    expect(mayBeBehind(job({ changedAt: at(98) }), gone, at(100))).toBe(true)
    expect(mayBeBehind(job({ changedAt: at(98), firn: { autonomy: false } }), gone, at(100))).toBe(true)
    expect(mayBeBehind(job({ changedAt: at(20) }), gone, at(100))).toBe(false)
    expect(mayBeBehind(job(), gone, at(100))).toBe(false)
    const back = client({ is: 'up', server, since: at(99), alone: true })
    expect(mayBeBehind(job({ changedAt: at(98) }), back, at(100))).toBe(false)
    const again = client({ is: 'down', since: at(99), alone: true, behind: at(90) })
    expect(mayBeBehind(job({ changedAt: at(91) }), again, at(100)), 'back for a moment only').toBe(true)
  })
})

describe('a plan tells an agent', () => {
  it('of an interval by its rule, of a pattern by its instants, with the days on which nothing starts', () => {
    expect(plannedSchedule(job(), { failures: 2 }, at(95))).toMatchObject({
      ...{ next: at(100), claimed: at(90), failures: 2 },
      slots: { is: 'interval', everyMs: 10 * minute },
    })
    const firn = { pattern: '*/30 * * * *', timezone: 'Asia/Kolkata', exclusions: ['1970-01-02'], count: 3 }
    const daily = job({ schedule: {}, firn, plan: { generation: 1, next: at(120), left: 3 } })
    const plan = plannedSchedule(daily, { failures: 0 }, at(95))
    expect(plan?.slots).toMatchObject({
      is: 'listed',
      at: expect.arrayContaining([at(120), at(150), at(180)]) as never,
    })
    expect(plan).toMatchObject({ left: 3, excluded: [{ from: at(day - 330), to: at(2 * day - 330) }] })
  })

  it('of no more instants than it may go on for', () => {
    const trigger = { is: 'cron', pattern: '0 3 * * *', days: 'either', timezone: 'UTC' } as const
    expect(instantsFrom(trigger, at(180))).toHaveLength(8)
  })

  it('nothing of a job that is started by hand, and of a date that date', () => {
    expect(plannedSchedule(job({ schedule: {} }), { failures: 0 }, at(95))).toBeUndefined()
    const once = job({ schedule: { schedule_date: '1970-01-01T01:40:00' } })
    expect(plannedSchedule(once, { failures: 0 }, at(95))?.slots).toEqual({ is: 'listed', at: [at(100)] })
    const never = job({ plan: { generation: 1 } })
    expect(plannedSchedule(never, { failures: 0 }, at(95))).toBeUndefined()
  })
})

describe('the plan after an agent has told what it did', () => {
  const told = (changes: object) => ({
    generation: 1,
    upTo: at(140),
    skips: [],
    runs: [],
    fresh: [],
    ...changes,
  })

  it('has passed each slot, as a run or with a reason, and counts what was started', () => {
    const of = job({ plan: { generation: 1, claimed: at(90), next: at(100), left: 9 } })
    const skips = [{ from: at(130), to: at(130), count: 1, reason: 'overlap' as const }]
    const runs = [at(120), at(140)]
    expect(planAfterTold(of, told({ runs, fresh: runs, skips }), at(145))).toEqual({
      ...{ generation: 1, claimed: at(140), next: at(150), left: 7 },
      skips: [{ from: at(100), to: at(110), count: 2, reason: 'missed' }, ...skips],
    })
  })

  it('is the same when it is told again', () => {
    const of = job({ plan: { generation: 1, claimed: at(90), next: at(100), left: 9 } })
    const runs = [at(120), at(140)]
    const once = planAfterTold(of, told({ runs, fresh: runs }), at(145))
    expect(planAfterTold({ ...of, plan: once }, told({ runs, fresh: [] }), at(145))).toEqual(once)
  })

  it('ends with the count', () => {
    const of = job({ plan: { generation: 1, next: at(100), left: 1 } })
    const plan = planAfterTold(of, told({ runs: [at(140)], fresh: [at(140)] }), at(145))
    expect(plan).toMatchObject({ left: 0 })
    expect(plan.next).toBeUndefined()
  })

  it('of a schedule that was changed meanwhile is only corrected: a run wins over a skip', () => {
    const skips = [{ from: at(100), to: at(130), count: 4, reason: 'changed' as const }]
    const of = job({ plan: { generation: 2, claimed: at(130), next: at(160), left: 5, skips } })
    const runs = [at(120)]
    expect(planAfterTold(of, told({ runs, fresh: runs }), at(145))).toEqual({
      ...{ generation: 2, claimed: at(130), next: at(160), left: 4 },
      skips: [
        { from: at(100), to: at(110), count: 2, reason: 'changed' },
        { from: at(130), to: at(130), count: 1, reason: 'changed' },
      ],
    })
    const single = [{ from: at(120), to: at(120), count: 1, reason: 'paused' as const }]
    const stopped = job({ wanted: 'stopped', plan: { generation: 2, skips: single } })
    expect(planAfterTold(stopped, told({ runs, fresh: runs }), at(145)).skips).toEqual([])
  })

  it('of a date has nothing to come, and of a continuous schedule the moment after', () => {
    const once = job({ schedule: { schedule_date: '1970-01-01T01:40:00' } })
    const plan = planAfterTold(once, told({ upTo: at(100), runs: [at(100)], fresh: [at(100)] }), at(145))
    expect(plan).toEqual({ generation: 1, claimed: at(100) })
    const endless = job({ schedule: { schedule_interval: 'continuous' } })
    const after = planAfterTold(endless, told({ runs: [at(140)], fresh: [at(140)] }), at(145))
    expect(after).toEqual({ generation: 1, claimed: at(140), next: at(145) })
  })

  it('tells of what the agent says amid slots that it had no say in', () => {
    const skips = [{ from: at(110), to: at(110), count: 1, reason: 'refused' as const }]
    expect(planAfterTold(job(), told({ upTo: at(130), skips }), at(135)).skips).toEqual([
      { from: at(100), to: at(100), count: 1, reason: 'missed' },
      ...skips,
      { from: at(120), to: at(130), count: 2, reason: 'missed' },
    ])
  })
})
