import { describe, expect, it } from 'vitest'
import {
  aReport,
  aRun,
  aStart,
  aStepReport,
  aTask,
  noon,
  saved,
  states,
  why,
} from '../../test/support/builders.ts'
import { backupIdOf } from '../../core/ids.ts'
import type { Report, Run } from '../../core/run.ts'
import { absorb, isSettled, type Said } from './absorb.ts'

const running = aRun({ state: states.running() })
const delivery = { client: 'node1', delivered: 1 }
const said = (report: Report, over: Partial<typeof delivery> = {}): Said => ({
  event: { type: 'reported', report },
  delivery: { ...delivery, ...over },
})
const whole = aReport(running, { steps: [aStepReport(0, 'success', { saved })] })
const never = () => false
const take = (run: Run | undefined, ...all: Said[]) => absorb(run, all, noon, never)

describe('a report of the attempt that is under way', () => {
  it('ends the run, adds its backups, and is committed', () => {
    const outcome = take(running, said(whole))
    expect(outcome.run?.state).toEqual(states.finished('success'))
    expect(outcome.backups.map(({ id }) => id)).toEqual([backupIdOf(running.id, 0)])
    expect(outcome.applied).toEqual(['committed'])
  })

  it('is committed again when it is delivered again, and changes nothing', () => {
    const { run } = take(running, said(whole))
    const again = take(run, said(whole, { delivered: 2 }))
    expect(again.run).toBe(run)
    expect(again.applied).toEqual(['committed'])
    expect(again.backups).toEqual([])
  })

  it('counts once when two copies are taken in one go', () => {
    const outcome = take(running, said(whole), said(whole, { delivered: 2 }))
    expect(outcome.applied).toEqual(['committed', 'committed'])
    expect(outcome.backups).toHaveLength(1)
  })
})

describe('a late report', () => {
  const lost = aRun({ state: states.finished('lost'), steps: [{ tries: 1, result: 'lost' }] })

  it('leaves the result as it is, yet what was saved is catalogued', () => {
    const outcome = take(lost, said(whole))
    expect(outcome.run).toBe(lost)
    expect(outcome.backups).toHaveLength(1)
    expect(outcome.applied).toEqual(['committed'])
  })

  it('does not touch a backup that is catalogued already: a newer attempt may have made it', () => {
    expect(absorb(lost, [said(whole)], noon, () => true).backups).toEqual([])
  })

  it('of an attempt that a later one has replaced is committed, too', () => {
    const second = aRun({ state: states.waiting({ attempt: 2 }) })
    expect(take(second, said(whole)).applied).toEqual(['committed'])
    expect(take(second, said(whole)).run).toBe(second)
  })
})

describe('a report that cannot be placed', () => {
  const early = aReport(running, { attempt: 2, steps: [aStepReport(0)] })

  it('of an attempt still to come is delivered again later: this server may read late', () => {
    expect(take(running, said(early)).applied).toEqual([undefined])
  })

  it('of an attempt that never comes is given up in the end', () => {
    expect(take(running, said(early, { delivered: 20 })).applied).toEqual([undefined])
    expect(take(running, said(early, { delivered: 21 })).applied).toEqual(['foreign'])
    expect(take(running, { event: { type: 'reported', report: early } }).applied).toEqual([undefined])
  })

  it('of no run, or by a node that the run is not for, is foreign', () => {
    expect(take(undefined, said(whole))).toEqual({
      run: undefined,
      backups: [],
      engineIds: new Map(),
      applied: ['foreign'],
    })
    const outcome = take(running, said(whole, { client: 'node2' }))
    expect(outcome).toEqual({ run: running, backups: [], engineIds: new Map(), applied: ['foreign'] })
  })
})

describe('several things said of a run', () => {
  it('are taken in order, as one change', () => {
    const offered = aRun({ state: states.offered(), tasks: [aTask()] })
    const outcome = take(
      offered,
      { event: { type: 'accepted', attempt: 1, armed: false } },
      { event: { type: 'started', attempt: 1, started: aStart() } },
      { event: { type: 'cancel', why } },
      said(aReport(offered, { end: 'aborted' })),
    )
    expect(outcome.run).toMatchObject({ state: { result: 'aborted' }, started: aStart() })
    expect(outcome.applied).toEqual(['committed', 'committed', 'committed', 'committed'])
  })
})

describe('an attempt', () => {
  it('is settled when its run is over or goes on with a later one', () => {
    expect(isSettled(running, 1)).toBe(false)
    expect(isSettled(aRun({ state: states.running({ attempt: 2 }) }), 1)).toBe(true)
    expect(isSettled(aRun({ state: states.finished('success') }), 1)).toBe(true)
  })
})

describe('what an engine tells of a repository', () => {
  it('is learned from a report that saved something there', () => {
    const tells = { ...saved, repositoryId: 'engine-id' }
    const report = aReport(running, { steps: [aStepReport(0, 'success', { saved: tells })] })
    expect([...take(running, said(report)).engineIds]).toEqual([['r1', 'engine-id']])
  })
})
