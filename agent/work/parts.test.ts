import { describe, expect, it } from 'vitest'
import { instant } from '../../core/clock.ts'
import { clientId, jobId, repositoryId, runId, slotAt } from '../../core/ids.ts'
import { epoch } from '../../core/link.ts'
import type { StepReport } from '../../core/run.ts'
import { manualClock } from '../../test/support/manual-clock.ts'
import type { EngineProgress } from '../ports/engine.ts'
import { outcomeAfterCrash } from './endings.ts'
import { ItemErrors } from './item-errors.ts'
import { waitUntil } from './instant-start.ts'
import type { HeldAttempt } from './journal-state.ts'
import { whoMayBegin, type Seat } from './lanes.ts'
import { effectiveLimits } from './limits.ts'
import { inPhase, newMeter, observe, shown, withError, type Meter } from './progress.ts'

describe('who may begin', () => {
  const capacity = { parallel: 2, light: 3, queue: 10, limits: {} }
  const seat = (is: Seat['is'], more: Partial<Seat> = {}): Seat => ({
    ...{ is, light: false, writes: [], locks: [], uses: [] },
    ...more,
  })
  const begin = (...seats: Seat[]): number[] => whoMayBegin(seats, capacity).map((it) => seats.indexOf(it))

  it('as many as there are places, the oldest first', () => {
    expect(begin(seat('waiting'), seat('waiting'), seat('waiting'))).toEqual([0, 1])
    expect(begin(seat('running'), seat('waiting'), seat('waiting'))).toEqual([1])
  })
  it('commands have places of their own', () => {
    const light = { light: true }
    expect(begin(seat('running'), seat('running'), seat('waiting', light))).toEqual([2])
    expect(begin(...Array.from({ length: 5 }, () => seat('waiting', light)))).toEqual([0, 1, 2])
  })
  it('one at a time writes to a repository', () => {
    const writes = { writes: [repositoryId('repo')] }
    expect(begin(seat('running', writes), seat('waiting', writes), seat('waiting'))).toEqual([2])
    expect(begin(seat('waiting', writes), seat('waiting', writes))).toEqual([0])
  })
  it('checks and removals have a repository for themselves, while others share it', () => {
    const uses = [repositoryId('repo')]
    const [reads, saves, removes] = [{ uses }, { uses, writes: uses }, { uses, locks: uses }]
    expect(begin(seat('running', saves), seat('waiting', reads))).toEqual([1])
    expect(begin(seat('running', reads), seat('waiting', removes), seat('waiting', reads))).toEqual([2])
    for (const other of [reads, saves, removes])
      expect(begin(seat('running', removes), seat('waiting', other), seat('waiting'))).toEqual([2])
  })
  it('armed ones keep their places, and begin before those that wait once they have their go', () => {
    expect(begin(seat('armed'), seat('waiting'), seat('waiting'))).toEqual([1])
    expect(begin(seat('armed'), seat('armed'), seat('armed'), seat('waiting'))).toEqual([])
    expect(begin(seat('waiting'), seat('going'), seat('going'))).toEqual([1, 2])
  })
})

describe('the limits of an action', () => {
  const node = { parallel: 4, light: 1, queue: 1 }
  it("are the stricter of its own and the node's, whose bandwidth all its places share", () => {
    const limits = {
      uploadKiBs: 1_000,
      downloadKiBs: 2,
      nice: 10,
      ioClass: 'best-effort',
      ioLevel: 5,
    } as const
    expect(effectiveLimits({ uploadKiBs: 900, nice: 15, ioLevel: 1 }, { ...node, limits })).toEqual({
      ...{ uploadKiBs: 250, downloadKiBs: 1, nice: 15, ioClass: 'best-effort', ioLevel: 5 },
    })
    expect(effectiveLimits({ uploadKiBs: 10, ioClass: 'idle' }, { ...node, limits })).toMatchObject({
      ...{ uploadKiBs: 10, ioClass: 'idle' },
    })
    expect(effectiveLimits({}, { ...node, limits: {} })).toEqual({})
  })
})

describe('the progress of a step', () => {
  const of = { run: runId('r'), attempt: 1, step: 0 }
  const value = (done: number, total?: number, more: Partial<EngineProgress> = {}): EngineProgress => ({
    ...{ phase: 'transfer', done, errors: 0 },
    ...(total === undefined ? {} : { total }),
    ...more,
  })
  const play = (...values: [number, EngineProgress][]): Meter =>
    values.reduce((meter, [at, it]) => observe(meter, it, at), newMeter)

  it('never goes back, also when the total grows during the scan', () => {
    const meter = play([0, value(50, 100)], [1_000, value(60, 1_000)])
    expect(shown(meter, of).fraction).toBe(0.5)
    expect(shown(observe(meter, value(900, 1_000), 2_000), of).fraction).toBe(0.9)
  })
  it('has no fraction and no time left while the total is unknown', () => {
    const told = shown(play([0, value(5)], [5_000, value(50)]), of)
    expect(told).toEqual({ ...of, phase: 'transfer', done: 50, errors: 0, bytesPerSecond: 9 })
  })
  it('guesses the time left from a smoothed rate, once it has seen enough', () => {
    expect(shown(play([0, value(0, 1_000)], [1_000, value(100, 1_000)]), of).secondsLeft).toBeUndefined()
    const later = play([0, value(0, 1_000)], [2_000, value(200, 1_000)], [4_000, value(400, 1_000)])
    expect(shown(later, of)).toMatchObject({ bytesPerSecond: 100, secondsLeft: 6 })
    const burst = observe(later, value(900, 1_000), 4_100)
    expect(shown(burst, of).bytesPerSecond).toBeLessThan(200)
  })
  it('knows its phase before any value, and counts errors', () => {
    const told = shown(withError(inPhase(newMeter, 'scan')), of)
    expect(told).toEqual({ ...of, phase: 'scan', done: 0, errors: 1 })
  })
  it('sends only whole and finite numbers, whatever an engine says', () => {
    const told = shown(play([0, value(Number.NaN, -3, { errors: 1.5, fraction: 7, filesDone: -1 })]), of)
    expect(told).toMatchObject({ done: 0, total: 0, errors: 2, fraction: 1, filesDone: 0 })
  })
})

describe('the item errors of a report', () => {
  it('are the first ones, up to 256 kB in all', () => {
    const errors = new ItemErrors()
    const kept = Array.from({ length: 400 }, (_, n) =>
      errors.take({ path: `/f${n}`, message: 'x'.repeat(2_000) }),
    ).filter((error) => error !== undefined)
    expect(kept.length).toBeGreaterThan(100)
    expect(Buffer.byteLength(JSON.stringify(kept))).toBeLessThanOrEqual(256 * 1024)
    expect(errors.take({ message: 'short' })).toBeUndefined()
  })
  it('are cut when one alone is very long', () => {
    expect(new ItemErrors().take({ message: 'x'.repeat(1_000_000) })?.message).toHaveLength(4_096)
  })
})

describe('waiting for an instant', () => {
  it('ends at once for one that is over, and when it is stopped', async () => {
    const clock = manualClock()
    await waitUntil(-5, clock, new AbortController().signal)
    const stop = new AbortController()
    const waiting = waitUntil(1_000, clock, stop.signal)
    stop.abort(new Error('stopped'))
    await expect(waiting).rejects.toThrow('stopped')
  })
  it('ends when the clock has come there', async () => {
    const clock = manualClock()
    let over = false
    const waiting = waitUntil(1_000, clock, new AbortController().signal).then(() => (over = true))
    clock.advance(998)
    await new Promise((resolve) => setImmediate(resolve))
    expect(over).toBe(false)
    clock.advance(2)
    await waiting
  })
})

describe('an attempt that an earlier process left without an outcome', () => {
  const at = instant(9_000)
  const stepOf = (step: number, result: StepReport['result']): StepReport => ({
    ...{ step, result, itemErrors: [], itemErrorCount: 0, startedAt: instant(1), endedAt: instant(2) },
  })
  const held = (more: Partial<HeldAttempt> = {}): HeldAttempt => ({
    ...{ run: runId('r'), attempt: 2, job: jobId('j'), children: new Map(), steps: [], retry: false },
    order: {
      ...{
        run: runId('r'),
        attempt: 2,
        job: jobId('j'),
        client: clientId('c'),
        slot: slotAt(1),
        epoch: epoch(1),
      },
      before: [{ tries: 1, result: 'success' }, { tries: 1 }, { tries: 0 }],
      tasks: Array.from({ length: 3 }, () => ({ mandatory: false, maxRetries: 1 })),
    },
    ...more,
  })
  const ends = (more: Partial<HeldAttempt>) => {
    const { end, steps } = outcomeAfterCrash(held(more), at)
    return [end, ...steps.map(({ step, result }) => `${step} ${result}`)]
  }

  it('has lost the step that was next, if it had begun', () => {
    expect(ends({ begunAt: instant(1) })).toEqual(['interrupted', '1 lost'])
    expect(ends({ begunAt: instant(1), steps: [stepOf(1, 'success')] })).toEqual([
      'interrupted',
      '1 success',
      '2 lost',
    ])
  })
  it('has used up no try, if it had not: it was queued or armed', () => {
    expect(ends({})).toEqual(['interrupted'])
  })
  it('is to be tried again, or over, when its last step says so', () => {
    expect(ends({ begunAt: instant(1), steps: [stepOf(1, 'failed')], retry: true })).toEqual([
      'retry',
      '1 failed',
    ])
    expect(ends({ begunAt: instant(1), steps: [stepOf(1, 'failed')] })).toEqual(['ended', '1 failed'])
    expect(ends({ begunAt: instant(1), steps: [stepOf(1, 'success'), stepOf(2, 'success')] })[0]).toBe(
      'ended',
    )
    expect(ends({ begunAt: instant(1), steps: [stepOf(1, 'aborted')] })[0]).toBe('aborted')
    expect(ends({ begunAt: instant(1), steps: [stepOf(1, 'lost')] })).toEqual(['interrupted', '1 lost'])
  })
})
