import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { aMember, aRun, aSet, aStart, hourMs, noon, states, trouble, why } from '../test/support/builders.ts'
import { later } from './clock.ts'
import type { Run, RunState } from './run.ts'
import { advanceSet, cancelSetRecord, goAtOf, outcomeOf, toCancel, type MemberRuns } from './set-machine.ts'
import { setIdOf, type SetRecord } from './set.ts'

/** How far ahead of now the common start is set. Milliseconds. */
const leadMs = 500

const [a, b] = [aMember('a'), aMember('b')]

/** The members' runs, by the names of the members; those left out were not made yet. */
const runsOf =
  (
    states_: Partial<Record<string, RunState>>,
    over: Partial<Record<string, Partial<Run>>> = {},
  ): MemberRuns =>
  (id) => {
    const name = id.replace('run-', '')
    const state = states_[name]
    return state && aRun({ state, ...over[name] })
  }

const look = (set: SetRecord, runs: MemberRuns, now = noon) => advanceSet(set, runs, now, leadMs)
const inTime = later(noon, 59_999)
const tooLate = later(noon, 60_000)
const armedA = { a: states.armed() }
const bothArmed = { ...armedA, b: states.armed() }
const started = (left = [] as (typeof a.run)[]): SetRecord =>
  aSet({ phase: { is: 'started', goAtUs: noon * 1_000, left } })
const cancelling = aSet({ phase: { is: 'cancelling', why } })

describe('a set that is preparing', () => {
  it('waits while a member is not ready and time is left', () => {
    for (const state of [undefined, states.waiting(), states.offered(), states.unknown(states.offered())]) {
      const set = aSet()
      expect(look(set, runsOf({ ...armedA, ...(state ? { b: state } : {}) }), inTime)).toBe(set)
    }
  })

  it('sets the common start ahead of now as soon as all members are armed', () => {
    const after = look(aSet(), runsOf(bothArmed))
    expect(after.phase).toEqual({ is: 'started', goAtUs: (noon + leadMs) * 1_000, left: [] })
    expect(goAtOf(after)).toBe(noon + leadMs)
    expect(goAtOf(aSet())).toBeUndefined()
  })

  it('is cancelled at its deadline when all or nothing was asked for, and names who was missing', () => {
    const after = look(aSet(), runsOf(armedA), tooLate)
    expect(after.phase).toMatchObject({
      is: 'cancelling',
      why: { code: 'member_missing', text: '1 of 2 members were not ready (b)' },
    })
  })

  it('is cancelled at once when a member can never be ready, with the reason of that member', () => {
    const after = look(aSet(), runsOf({ a: states.waiting(), b: states.finished('failed', trouble) }), inTime)
    expect(after.phase).toMatchObject({
      is: 'cancelling',
      why: { text: expect.stringContaining(trouble.text) },
    })
    for (const state of [states.cancelling(), states.running(), states.finished('success')])
      expect(look(aSet(), runsOf({ ...armedA, b: state }), inTime).phase, state.is).toMatchObject({
        is: 'cancelling',
      })
  })

  it('starts without the missing ones when that was asked for, and leaves them behind', () => {
    const set = aSet({ missing: 'degrade' })
    expect(look(set, runsOf(armedA), inTime)).toBe(set)
    expect(look(set, runsOf(armedA), tooLate).phase).toMatchObject({ is: 'started', left: [b.run] })
    expect(look(set, runsOf({ ...armedA, b: states.finished('failed') }), inTime).phase).toMatchObject({
      is: 'started',
      left: [b.run],
    })
  })

  it('is cancelled rather than started without any member', () => {
    const set = aSet({ missing: 'degrade' })
    expect(look(set, runsOf({}), tooLate).phase).toMatchObject({ is: 'cancelling' })
  })

  it('names five of many missing members, and counts the rest', () => {
    const members = Array.from({ length: 8 }, (_, n) => aMember(`n${n}`))
    const after = look(aSet({ members }), runsOf({}), tooLate)
    expect(after.phase).toMatchObject({
      why: { text: '8 of 8 members were not ready (n0, n1, n2, n3, n4 and 3 more)' },
    })
  })
})

describe('a set that has started', () => {
  it('goes on until its last member has ended', () => {
    const set = started()
    expect(look(set, runsOf({ a: states.finished('success'), b: states.running() }))).toBe(set)
    const ended = look(set, runsOf({ a: states.finished('success'), b: states.finished('success') }))
    expect(ended.phase).toEqual({ is: 'ended', at: noon, outcome: { result: 'success', grade: 'G0' } })
  })

  it('does not wait for ever for a member whose run was never made', () => {
    const set = started([b.run])
    const runs = runsOf({ a: states.finished('success') })
    expect(look(set, runs, tooLate)).toBe(set)
    expect(look(set, runs, later(noon, 60_001)).phase).toMatchObject({
      is: 'ended',
      outcome: { result: 'aborted' },
    })
  })

  it('has the runs cancelled that it left behind, and no others', () => {
    expect(toCancel(started([b.run]))).toMatchObject({ members: [b], why: { code: 'not_ready' } })
  })

  it('is cancelled as a whole when somebody asks for it', () => {
    const after = cancelSetRecord(started(), why)
    expect(after.phase).toEqual({ is: 'cancelling', why })
    expect(toCancel(after)).toEqual({ members: [a, b], why })
  })
})

describe('a set that is being cancelled', () => {
  it('ends with its last run, and says why', () => {
    const ended = look(cancelling, runsOf({ a: states.finished('aborted'), b: states.finished('aborted') }))
    expect(ended.phase).toMatchObject({ is: 'ended', outcome: { result: 'aborted', reason: why } })
  })

  it('waits for runs that may still be made, and for runs that have not ended', () => {
    expect(look(cancelling, runsOf({ a: states.finished('aborted') }))).toBe(cancelling)
    expect(look(cancelling, runsOf({ a: states.cancelling() }), later(noon, hourMs))).toBe(cancelling)
    expect(look(cancelling, runsOf({}), later(noon, hourMs)).phase).toMatchObject({ is: 'ended' })
  })

  it('keeps its first reason', () => {
    expect(cancelSetRecord(cancelling, trouble)).toBe(cancelling)
  })
})

describe('a set that has ended', () => {
  it('stays as it is, and has nothing to cancel', () => {
    const ended = look(started(), runsOf({ a: states.finished('success'), b: states.finished('lost') }))
    expect(look(ended, runsOf({}))).toBe(ended)
    expect(cancelSetRecord(ended, why)).toBe(ended)
    expect(toCancel(ended).members).toEqual([])
    expect(toCancel(aSet()).members).toEqual([])
  })

  it('is called by its session and tag', () => {
    expect(setIdOf(aSet().session, 4)).toBe('s1.4')
  })
})

describe('what a set is worth', () => {
  const done = { a: states.finished('success'), b: states.finished('success') }

  it('is its worst member, with the reason of that one', () => {
    const runs = runsOf({ a: states.finished('success'), b: states.finished('partial', trouble) })
    expect(outcomeOf(aSet(), runs)).toMatchObject({ result: 'partial', reason: trouble })
  })

  it('has no reason when the worst member gave none', () => {
    expect(outcomeOf(aSet(), runsOf({ ...done, b: states.finished('failed') }))).toEqual({
      result: 'failed',
      grade: 'G0',
    })
  })

  it('counts a member without a run as aborted', () => {
    expect(outcomeOf(aSet(), runsOf({ a: states.finished('success') })).result).toBe('aborted')
  })

  it('has the skew of the measured starts, and the largest error of the measurements', () => {
    const runs = runsOf(done, { a: { started: aStart(-700, 40) }, b: { started: aStart(1_300, 90) } })
    expect(outcomeOf(aSet(), runs)).toMatchObject({ startSkewUs: 2_000, startErrorUs: 90 })
  })

  it('has no skew when no start was measured, and none to speak of with one', () => {
    expect(outcomeOf(aSet(), runsOf(done))).not.toHaveProperty('startSkewUs')
    expect(outcomeOf(aSet(), runsOf(done, { a: { started: aStart() } }))).toMatchObject({ startSkewUs: 0 })
  })
})

describe('a set, whatever its runs do', () => {
  const names = ['a', 'b', 'c']
  const memberState = fc.constantFrom<RunState | undefined>(
    undefined,
    states.waiting(),
    states.offered(),
    states.armed(),
    states.running(),
    states.cancelling(),
    states.unknown(states.armed()),
    states.finished('success'),
    states.finished('failed', trouble),
  )
  const members = names.map(aMember)
  const anySet = fc
    .tuple(
      fc.constantFrom('abort' as const, 'degrade' as const),
      fc.constantFrom<SetRecord['phase']>(
        aSet().phase,
        started().phase,
        started([a.run]).phase,
        cancelling.phase,
      ),
    )
    .map(([missing, phase]) => aSet({ members, missing, phase }))
  const anyRuns = fc
    .array(memberState, { minLength: 3, maxLength: 3 })
    .map((list) => runsOf(Object.fromEntries(names.map((name, n) => [name, list[n]]))))
  const moment = fc.integer({ min: -hourMs, max: hourMs }).map((ms) => later(noon, ms))
  const order = ['preparing', 'started', 'cancelling', 'ended']

  it('finds nothing to do at a second look at the same moment', () => {
    fc.assert(
      fc.property(anySet, anyRuns, moment, (set, runs, now) => {
        const after = look(set, runs, now)
        expect(look(after, runs, now)).toBe(after)
      }),
    )
  })

  it('never goes back to an earlier phase, and never starts twice', () => {
    fc.assert(
      fc.property(anySet, fc.array(fc.tuple(anyRuns, moment)), (first, looks) => {
        let set = first
        for (const [runs, now] of looks) {
          const after = look(set, runs, now)
          expect(order.indexOf(after.phase.is)).toBeGreaterThanOrEqual(order.indexOf(set.phase.is))
          if (set.phase.is === 'started' && after.phase.is === 'started') expect(after).toBe(set)
          if (set.phase.is === 'ended') expect(after).toBe(set)
          set = after
        }
      }),
    )
  })

  it('starts with every member that is not left behind armed', () => {
    fc.assert(
      fc.property(
        anyRuns,
        moment,
        fc.constantFrom('abort' as const, 'degrade' as const),
        (runs, now, missing) => {
          const { phase } = look(aSet({ members, missing }), runs, now)
          if (phase.is !== 'started') return
          for (const { run } of members)
            expect(runs(run)?.state.is === 'armed').toBe(!phase.left.includes(run))
          expect(phase.left.length).toBeLessThan(missing === 'abort' ? 1 : members.length)
        },
      ),
    )
  })

  it('ends, once nothing of it is under way and its time is over', () => {
    fc.assert(
      fc.property(anySet, anyRuns, (set, runs) => {
        const over: MemberRuns = (id) => {
          const run = runs(id)
          return run && { ...run, state: states.finished('aborted') }
        }
        expect(look(set, over, later(noon, hourMs)).phase.is).toBe('ended')
      }),
    )
  })
})
