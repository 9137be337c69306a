import { describe, expect, it } from 'vitest'
import type { JobPlan } from '../../core/autonomy.ts'
import { instant, later } from '../../core/clock.ts'
import { clientId, jobId, projectId, runIdOf, slotAt } from '../../core/ids.ts'
import { deskRig, execAction, MemoryJournal, taskOf, type Rig } from '../../test/support/desk-rig.ts'

const job = jobId('job1')
const minute = 60_000
/** The servers' clock is another than the node's. */
const began = instant(1_000_000)
const at = (ms: number) => later(began, ms)

const plan = (schedule: Partial<JobPlan['schedule']> = {}, more: Partial<JobPlan> = {}): JobPlan => ({
  ...{ sequence: 1, job, generation: 3, now: began, repositories: [], runMs: 3_600_000, ticket: 'sealed' },
  tasks: [taskOf(execAction('/bin/true'))],
  schedule: {
    ...{ next: at(minute), failures: 0, excluded: [] },
    slots: { is: 'interval', everyMs: minute, from: at(minute) },
    policies: { catchUp: 'latest', catchUpMax: 10, overlap: 'skip', jitterMs: 0 },
    ...schedule,
  },
  ...more,
})

const told = (rig: Rig, what: JobPlan = plan()) => rig.desk.received({ type: 'plan', plan: what })

/** In small steps, as time passes where somebody looks at it. */
async function pass(rig: Rig, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 5_000) {
    rig.clock.advance(5_000)
    await rig.settle()
  }
}

const runAt = (slot: number) => runIdOf(projectId('p'), job, clientId('node-a'), slotAt(at(slot)))
const decided = (rig: Rig) => rig.of('decided').map((message) => message.decided)

/** Answers what the agent tells, until it has told all. */
async function listen(rig: Rig): Promise<void> {
  const answered = new Set<number>()
  for (let turns = 0; turns < 20; turns++) {
    await rig.settle()
    for (const { decided: page } of rig.of('decided')) answered.add(page.sequence)
    for (const { sequence } of rig.of('settled')) answered.add(sequence)
    for (const sequence of answered) rig.desk.received({ type: 'noted', sequence })
  }
}

describe('an agent that has lost every server', () => {
  it('goes on with the slots of its plan, under their own ids, and tells of them before their reports', async () => {
    await using rig = deskRig()
    rig.desk.welcomed('s', 2)
    told(rig)
    expect(rig.of('planned')).toEqual([{ type: 'planned', sequence: 1, job }])
    rig.desk.lost('cut')
    await pass(rig, 65_000)
    ;(await rig.call(rig.exec)).end({})
    await pass(rig, minute)
    ;(await rig.call(rig.exec, 1)).end({})
    await rig.settle()
    expect(rig.desk.hello()).toMatchObject({ autonomous: true, decided: true })
    expect(rig.published).toEqual([])

    rig.desk.welcomed('s', 2)
    await listen(rig)
    expect(decided(rig)).toMatchObject([
      {
        ...{ job, generation: 3, ticket: 'sealed', upTo: at(2 * minute) },
        runs: [
          { run: runAt(minute), slot: at(minute) },
          { run: runAt(2 * minute), slot: at(2 * minute) },
        ],
      },
    ])
    expect(rig.published.map(({ run }) => run)).toEqual([runAt(minute), runAt(2 * minute)])
    expect(rig.desk.hello()).not.toHaveProperty('decided')
  })

  it('goes on with no job that the servers did not speak of when it was back', async () => {
    await using rig = deskRig()
    rig.desk.welcomed('s', 2)
    told(rig)
    told(rig, plan({}, { sequence: 2, job: jobId('job2') }))
    rig.desk.lost('cut')
    rig.desk.welcomed('s', 2)
    told(rig, plan({}, { job: jobId('job2') }))
    await listen(rig)
    await pass(rig, 20_000)
    rig.desk.lost('cut again')
    await pass(rig, 65_000)
    const jobs = rig.journal.entries.flatMap((entry) => (entry.type === 'accepted' ? [entry.order.job] : []))
    expect(new Set(jobs)).toEqual(new Set([jobId('job2')]))
  })

  it('leaves what fell due before its grace was over to the servers, and counts it as started', async () => {
    await using rig = deskRig()
    rig.desk.welcomed('s', 2)
    told(
      rig,
      plan({
        next: at(20_000),
        left: 2,
        slots: { is: 'listed', at: [at(20_000), at(minute), at(2 * minute)] },
      }),
    )
    rig.desk.lost('cut')
    await pass(rig, 3 * minute)
    ;(await rig.call(rig.exec)).end({})
    await pass(rig, minute)
    expect(rig.exec.calls).toHaveLength(1)
    rig.desk.welcomed('s', 2)
    await listen(rig)
    expect(decided(rig)[0]?.runs.map(({ slot }) => slot)).toEqual([at(minute)])
  })

  it('skips what overlaps, and says so', async () => {
    await using rig = deskRig()
    rig.desk.welcomed('s', 2)
    told(rig)
    rig.desk.lost('cut')
    await pass(rig, 130_000)
    expect(rig.exec.calls).toHaveLength(1)
    rig.desk.welcomed('s', 2)
    await listen(rig)
    expect(decided(rig)[0]).toMatchObject({
      upTo: at(2 * minute),
      skips: [{ from: at(2 * minute), to: at(2 * minute), count: 1, reason: 'overlap' }],
    })
  })

  it('tries again what has failed and has tries left', async () => {
    await using rig = deskRig()
    rig.desk.welcomed('s', 2)
    const tasks = [taskOf(execAction('/bin/false'), { maxRetries: 1, retryAfterMs: 10_000 })]
    told(rig, plan({ slots: { is: 'listed', at: [at(minute)] } }, { tasks }))
    rig.desk.lost('cut')
    await pass(rig, 65_000)
    ;(await rig.call(rig.exec)).end({ result: 'failed', retryable: true })
    await pass(rig, 15_000)
    ;(await rig.call(rig.exec, 1)).end({})
    await rig.settle()
    rig.desk.welcomed('s', 2)
    await listen(rig)
    expect(decided(rig).flatMap(({ runs }) => runs)).toHaveLength(1)
    expect(rig.published.map(({ attempt, end }) => [attempt, end])).toEqual([
      [1, 'retry'],
      [2, 'ended'],
    ])
  })

  it('starts nothing of a job that it was told to leave, nor once a line is open', async () => {
    await using rig = deskRig()
    rig.desk.welcomed('s', 2)
    told(rig)
    rig.desk.received({ type: 'unplan', sequence: 2, job })
    told(rig) // an older word that comes late
    rig.desk.lost('cut')
    await pass(rig, 130_000)
    expect(rig.exec.calls).toHaveLength(0)
    rig.desk.welcomed('s', 2)
    told(rig, plan({ next: at(3 * minute) }, { now: at(130_000) }))
    await pass(rig, 130_000)
    expect(rig.exec.calls).toHaveLength(0)
    expect(decided(rig)).toEqual([])
  })

  it('ends with its process, which tells what the journal holds', async () => {
    const journal = new MemoryJournal()
    {
      await using rig = deskRig({ journal })
      rig.desk.welcomed('s', 2)
      told(rig)
      rig.desk.lost('cut')
      await pass(rig, 65_000)
      ;(await rig.call(rig.exec)).end({})
      await rig.settle()
    }
    await using rig = deskRig({ journal })
    rig.desk.lost('no server')
    await pass(rig, 130_000)
    expect(rig.exec.calls).toHaveLength(0)
    expect(rig.desk.hello()).toMatchObject({ decided: true })
    rig.desk.welcomed('s', 1)
    await listen(rig)
    expect([decided(rig), rig.published]).toEqual([[], []])
    rig.desk.welcomed('s', 2)
    await listen(rig)
    expect(decided(rig)[0]?.runs).toMatchObject([{ run: runAt(minute) }])
    expect(rig.published).toHaveLength(1)
  })

  it('goes on for a week at most', async () => {
    await using rig = deskRig()
    rig.desk.welcomed('s', 2)
    told(rig, plan({ slots: { is: 'listed', at: [at(8 * 86_400_000)] }, next: at(8 * 86_400_000) }))
    rig.desk.lost('cut')
    for (let hours = 0; hours < 9 * 24; hours++) {
      rig.clock.advance(3_600_000)
      await rig.settle()
    }
    expect(rig.exec.calls).toHaveLength(0)
    expect(rig.events).toContainEqual({ event: 'autonomy.ended', untold: 0 })
  })
})
