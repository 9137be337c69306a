import { describe, expect, it } from 'vitest'
import {
  aReport,
  aRun,
  aStart,
  aStepReport,
  aTask,
  hourMs,
  noon,
  saved,
  states,
  trouble,
  why,
} from '../test/support/builders.ts'
import { later } from './clock.ts'
import type { ClientId } from './ids.ts'
import { armedMs, busyMs, cancelMs, unknownMs } from './limits.ts'
import type { Held } from './link.ts'
import { advance, type RunEvent } from './run-machine.ts'
import { attemptOf, isFinished, type HeldState, type Report, type Run, type RunState } from './run.ts'

/** The run after these events, all at noon. */
const play = (run: Run, ...events: RunEvent[]): Run =>
  events.reduce((before, event) => advance(before, event, noon), run)

const inState = (state: RunState, over: Partial<Run> = {}): Run => aRun({ state, ...over })
const held = (state: Held['state'], attempt = 1): Held => ({ run: aRun().id, attempt, state })
const reported = (run: Run, over: Partial<Report> = {}): RunEvent => ({
  type: 'reported',
  report: aReport(run, over),
})
const succeeded = (run: Run): RunEvent => reported(run, { steps: [aStepReport(0)] })

const accepted: RunEvent = { type: 'accepted', attempt: 1, armed: false }
const armed: RunEvent = { type: 'accepted', attempt: 1, armed: true }
const started: RunEvent = { type: 'started', attempt: 1, started: aStart() }
const busy: RunEvent = { type: 'refused', attempt: 1, reason: { code: 'busy', text: 'full' }, final: false }
const refused: RunEvent = { type: 'refused', attempt: 1, reason: trouble, final: true }
const absent: RunEvent = { type: 'absent', attempt: 1 }
const offered: RunEvent = { type: 'offered' }
const silent: RunEvent = { type: 'silent' }
const cancel: RunEvent = { type: 'cancel', why }
const expired: RunEvent = { type: 'expired' }
const removed: RunEvent = { type: 'removed' }
const back = (what?: Held): RunEvent => ({ type: 'back', held: what })

describe('a waiting run', () => {
  const run = inState(states.waiting())

  it('is offered under its attempt, until its start deadline', () => {
    expect(play(run, offered).state).toEqual(states.offered())
  })

  it('is aborted at once by a cancel: no agent has it', () => {
    const after = play(run, cancel)
    expect(after.state).toEqual(states.finished('aborted', why))
    expect(after.steps).toEqual([{ tries: 0, result: 'aborted', reason: why }])
  })

  it('fails at its start deadline', () => {
    expect(play(run, expired).state).toMatchObject({ result: 'failed', reason: { code: 'start_deadline' } })
    const lost = { ...expired, why: { code: 'leader_lost', text: 'nobody led' } }
    expect(play(run, lost).state).toMatchObject({ result: 'failed', reason: { code: 'leader_lost' } })
  })

  it('fails when its node is removed', () => {
    expect(play(run, removed).state).toMatchObject({ result: 'failed', reason: { code: 'node_removed' } })
  })

  it('runs when its agent took an order that was thought to be taken back', () => {
    expect(play(run, accepted).state).toMatchObject({ is: 'running', attempt: 1 })
    expect(play(run, started).state).toMatchObject({ is: 'running', attempt: 1 })
  })

  it('takes the report of its attempt: the work is done, whatever was thought of the order', () => {
    expect(play(run, succeeded(run)).state).toEqual(states.finished('success'))
  })

  it('is not touched by what concerns other attempts, or no work at all', () => {
    const second = inState(states.waiting({ attempt: 2 }))
    for (const event of [accepted, started, reported(run, { attempt: 1 })])
      expect(play(second, event), event.type).toBe(second)
    for (const event of [busy, refused, absent, silent, back(), back(held('running'))])
      expect(play(run, event), event.type).toBe(run)
  })
})

describe('an offered run', () => {
  const run = inState(states.offered())

  it('runs once its agent has accepted it, for as long as it may', () => {
    expect(play(run, accepted).state).toEqual(states.running())
  })

  it('is armed when its agent waits for the go of a session', () => {
    expect(play(run, armed).state).toEqual(states.armed({ by: later(noon, armedMs) }))
  })

  it('waits a moment and keeps its attempt and deadline when the node is busy', () => {
    expect(play(run, busy).state).toEqual(states.waiting({ from: later(noon, busyMs) }))
  })

  it('fails with the reason of the node that will never do it', () => {
    expect(play(run, refused).state).toEqual(states.finished('failed', trouble))
  })

  it('gets another number when the journal closed this one, without a try used up', () => {
    const after = play(run, absent)
    expect(after.state).toEqual(states.waiting({ attempt: 2 }))
    expect(after.steps).toEqual(run.steps)
  })

  it('stays offered, under the same number, when the agent is back without it: the order was lost', () => {
    expect(play(run, back())).toBe(run)
  })

  it('runs or is armed when the agent is back with it', () => {
    expect(play(run, back(held('running'))).state).toEqual(states.running())
    expect(play(run, back(held('ended'))).state).toEqual(states.running())
    expect(play(run, back(held('armed'))).state).toMatchObject({ is: 'armed' })
  })

  it('is cancelled on the node when nobody answers until its deadline: the order may still arrive', () => {
    expect(play(run, expired).state).toMatchObject({ is: 'cancelling', why: { code: 'start_deadline' } })
  })

  it('stays as it is when the order is sent once more', () => {
    expect(play(run, offered)).toBe(run)
  })
})

describe('an armed run', () => {
  const run = inState(states.armed())

  it('runs from its measured start', () => {
    const after = play(run, started)
    expect(after.state).toEqual(states.running())
    expect(after).toMatchObject({ started: aStart(), startedAt: noon })
  })

  it('is cancelled when its go does not come', () => {
    expect(play(run, expired).state).toMatchObject({ is: 'cancelling', why: { code: 'no_go' } })
  })

  it('stays armed when the agent is back with it, and runs when it started meanwhile', () => {
    expect(play(run, back(held('armed')))).toBe(run)
    expect(play(run, back(held('running'))).state).toMatchObject({ is: 'running' })
  })

  it('is not touched by the refusal of a second copy of its order, nor by a second acceptance', () => {
    for (const event of [busy, refused, armed, accepted]) expect(play(run, event), event.type).toBe(run)
  })
})

describe('a running run', () => {
  const run = inState(states.running())

  it('ends with its report', () => {
    const after = play(run, reported(run, { steps: [aStepReport(0, 'success', { saved })] }))
    expect(after.state).toEqual(states.finished('success'))
    expect(after.steps[0]).toMatchObject({ tries: 1, result: 'success', backup: expect.any(String) })
  })

  it('ends as partial, never as success, when something could not be read', () => {
    expect(play(run, reported(run, { steps: [aStepReport(0, 'partial')] })).state).toEqual(
      states.finished('partial', trouble),
    )
  })

  it('keeps the first measured start as its start, the last one as the measurement', () => {
    const after = play(run, started, { ...started, started: aStart(5_000_000) })
    expect(after).toMatchObject({ startedAt: noon, started: aStart(5_000_000) })
  })

  it('stays the same object when its start is told twice', () => {
    const once = play(run, started)
    expect(play(once, started)).toBe(once)
  })

  it('remembers that it has begun, unlike one that was cancelled before', () => {
    const cancel: RunEvent = { type: 'cancel', why: trouble }
    const offered = inState(states.offered())
    expect(play(offered, accepted, cancel)).toMatchObject({ state: { is: 'cancelling' }, begunAt: noon })
    expect(play(offered, cancel, accepted)).not.toHaveProperty('begunAt')
  })

  it('is cancelled when it takes longer than it may', () => {
    expect(play(run, expired).state).toMatchObject({ is: 'cancelling', why: { code: 'over_time' } })
  })

  it('is lost when the agent is back and its journal does not have it', () => {
    const after = play(run, back())
    expect(after.state).toMatchObject({ result: 'lost', reason: { code: 'interrupted' } })
    expect(after.steps[0]).toMatchObject({ tries: 1, result: 'lost' })
  })

  it('is tried again after such a loss when its action has tries left, under the next number', () => {
    const more = inState(states.running(), { tasks: [aTask({ maxRetries: 1 })] })
    expect(play(more, back()).state).toMatchObject({ is: 'waiting', attempt: 2, from: later(noon, 60_000) })
    expect(play(more, absent).state).toMatchObject({ is: 'waiting', attempt: 2 })
  })

  it('stays as it is when the agent is back and still has it', () => {
    for (const state of ['armed', 'running', 'ended'] as const)
      expect(play(run, back(held(state))), state).toBe(run)
  })

  it('is lost when all that the agent has of it is an older attempt', () => {
    const second = inState(states.running({ attempt: 2 }))
    expect(play(second, back(held('ended', 1))).state).toMatchObject({ result: 'lost' })
  })

  it('stays as it is when the agent has a newer attempt: this server reads late', () => {
    expect(play(run, back(held('running', 2)))).toBe(run)
  })

  it('is lost when its node is removed', () => {
    const after = play(run, removed)
    expect(after.state).toMatchObject({ result: 'lost', reason: { code: 'node_removed' } })
    expect(after.steps[0]).toMatchObject({ result: 'lost' })
  })

  it('is not touched by the refusal of a second copy of its order', () => {
    for (const event of [busy, refused, accepted, offered]) expect(play(run, event), event.type).toBe(run)
  })
})

describe('a report', () => {
  const twice = [aTask({ maxRetries: 1 }), aTask()]

  it('of a step with tries left leads to the next attempt, after the pause of that step', () => {
    const run = inState(states.running(), { tasks: twice })
    const after = play(run, reported(run, { end: 'retry', steps: [aStepReport(0, 'failed')] }))
    const from = later(noon, 60_000)
    expect(after.state).toEqual({ is: 'waiting', attempt: 2, from, by: later(from, hourMs) })
    expect(after.steps[0]).toMatchObject({ tries: 1, reason: trouble })
    expect(after.steps[0]).not.toHaveProperty('result')
  })

  it.each([
    ['doubles', 60_000, [1, 2, 4, 8, 16, 32, 60, 60]],
    ['never falls below what was asked for', 7_200_000, [120, 120, 120]],
    ['stays none', 0, [0, 0, 0]],
  ])('after which another try is made puts it off: %s', (_what, retryAfterMs, minutes) => {
    const tasks = [aTask({ maxRetries: minutes.length, retryAfterMs })]
    let run = inState(states.running(), { tasks })
    const pauses: number[] = []
    for (let attempt = 1; attempt <= minutes.length; attempt++) {
      run = play(run, reported(run, { end: 'retry', steps: [aStepReport(0, 'failed')] }))
      if (run.state.is === 'waiting') pauses.push((run.state.from - noon) / 60_000)
      run = { ...run, state: states.running({ attempt: attempt + 1 }) }
    }
    expect(pauses).toEqual(minutes)
    const last = play(run, reported(run, { steps: [aStepReport(0, 'failed')] }))
    expect(last.state).toMatchObject({ is: 'finished', result: 'failed' })
  })

  it('that the agent was stopped between two steps goes on with the next one at once', () => {
    const run = inState(states.running(), { tasks: [aTask(), aTask()] })
    const after = play(run, reported(run, { end: 'interrupted', steps: [aStepReport(0)] }))
    expect(after.state).toMatchObject({ is: 'waiting', attempt: 2, from: noon })
    expect(after.steps).toMatchObject([{ tries: 1, result: 'success' }, { tries: 0 }])
  })

  it('that the agent was stopped leaves the step its tries, also when it had just failed', () => {
    const run = inState(states.running(), { tasks: twice })
    for (const result of ['lost', 'failed'] as const)
      expect(
        play(run, reported(run, { end: 'interrupted', steps: [aStepReport(0, result)] })).state,
      ).toMatchObject({
        is: 'waiting',
        attempt: 2,
      })
  })

  it('that asks for another try of nothing uses up a try all the same: asking for more has an end', () => {
    let run = inState(states.running(), { tasks: [aTask({ maxRetries: 2 })] })
    for (const attempt of [1, 2, 3]) {
      expect(attemptOf(run)).toBe(attempt)
      run = play(run, reported(run, { end: 'retry' }))
    }
    expect(run.state).toMatchObject({ result: 'lost', attempt: 3 })
  })

  it('of an attempt interrupted before it began costs no try: an agent was restarted with a full queue', () => {
    const run = inState(states.running())
    const after = play(run, reported(run, { end: 'interrupted' }))
    expect(after.state).toMatchObject({ is: 'waiting', attempt: 2, from: noon })
    expect(after.steps).toEqual([{ tries: 0 }])
  })

  it('of one interruption after the other, and nothing ever begun, has an end, too', () => {
    let run = inState(states.running())
    for (let attempts = 0; !isFinished(run); attempts++) {
      expect(attempts).toBeLessThan(25)
      run = play(run, reported(run, { end: 'interrupted' }))
    }
    expect(run.state).toMatchObject({ result: 'lost' })
  })

  it('of an older attempt, another run or another node changes nothing', () => {
    const run = inState(states.running({ attempt: 2 }))
    const steps = [aStepReport(0)]
    expect(play(run, reported(run, { attempt: 1, steps }))).toBe(run)
    expect(play(run, reported(run, { attempt: 3, steps }))).toBe(run)
    expect(play(run, reported(run, { client: 'node2' as ClientId, steps }))).toBe(run)
    expect(play(run, reported(run, { run: aRun({ client: 'node2' as ClientId }).id, steps }))).toBe(run)
  })

  it('of a step that the run does not have changes nothing of the others', () => {
    const run = inState(states.running())
    const after = play(run, reported(run, { steps: [aStepReport(7, 'failed'), aStepReport(0)] }))
    expect(after.state).toEqual(states.finished('success'))
  })

  it('that all is done with steps left out makes those failed: they were not done', () => {
    const run = inState(states.running(), { tasks: [aTask(), aTask()] })
    const after = play(run, reported(run, { steps: [aStepReport(0)] }))
    expect(after.state).toMatchObject({ result: 'failed', reason: { code: 'not_reported' } })
    expect(after.steps).toMatchObject([{ result: 'success' }, { result: 'failed' }])
  })

  it('that the node stopped it by itself ends it as aborted, with what the node said', () => {
    const run = inState(states.running(), { tasks: [aTask(), aTask({ mandatory: true })] })
    const after = play(run, reported(run, { end: 'aborted', steps: [aStepReport(0, 'aborted')] }))
    expect(after.state).toEqual(states.finished('aborted', trouble))
    const wordless = play(run, reported(run, { end: 'aborted' }))
    expect(wordless.state).toMatchObject({ result: 'aborted', reason: { code: 'cancelled' } })
  })

  it('ends the run as its worst step, and passes over steps after a failure unless they are mandatory', () => {
    const tasks = [aTask(), aTask(), aTask({ mandatory: true })]
    const run = inState(states.running(), { tasks })
    const after = play(run, reported(run, { steps: [aStepReport(0, 'failed'), aStepReport(2)] }))
    expect(after.state).toEqual(states.finished('failed', trouble))
    expect(after.steps.map((step) => step.result)).toEqual(['failed', 'skipped', 'success'])
  })
})

describe('a cancelling run', () => {
  const run = inState(states.cancelling())

  it('comes of a cancel in every state with an agent, and has time to stop', () => {
    for (const state of [states.offered(), states.armed(), states.running()])
      expect(play(inState(state), cancel).state, state.is).toEqual(
        states.cancelling({ by: later(noon, cancelMs) }),
      )
  })

  it('keeps its first reason and deadline when it is cancelled again', () => {
    expect(play(run, { type: 'cancel', why: trouble })).toBe(run)
  })

  it('ends as aborted when the journal does not have it', () => {
    expect(play(run, absent).state).toEqual(states.finished('aborted', why))
    expect(play(run, back()).state).toEqual(states.finished('aborted', why))
  })

  it('is not called aborted because a copy of its order was refused: the node may have taken another', () => {
    expect(play(run, refused)).toBe(run)
    expect(play(run, busy)).toBe(run)
  })

  it('ends as aborted by the report of a stop, and by one of an unfinished attempt', () => {
    const more = inState(states.cancelling(), { tasks: [aTask({ maxRetries: 5 })] })
    for (const end of ['aborted', 'retry', 'interrupted'] as const)
      expect(play(more, reported(more, { end, steps: [aStepReport(0, 'failed')] })).state, end).toEqual(
        states.finished('aborted', why),
      )
  })

  it('ends as a success when the report says that the work had ended before', () => {
    expect(play(run, succeeded(run)).state).toEqual(states.finished('success'))
  })

  it('goes on being cancelled when the agent says that it has it, or has begun it', () => {
    for (const event of [accepted, armed, back(held('running')), back(held('ended'))])
      expect(play(run, event), event.type).toBe(run)
    expect(play(run, started)).toMatchObject({ state: run.state, startedAt: noon })
  })

  it('ends as lost when nobody answers the cancel', () => {
    const after = play(run, expired)
    expect(after.state).toMatchObject({ result: 'lost', reason: { code: 'cancel_unanswered' } })
    expect(after.steps[0]).toMatchObject({ result: 'lost' })
  })
})

describe('a run whose agent is silent', () => {
  const heldStates: HeldState[] = [states.offered(), states.armed(), states.running(), states.cancelling()]

  it('is unknown, whatever it was, and remembers that: silence proves nothing', () => {
    for (const was of heldStates) expect(play(inState(was), silent).state).toEqual(states.unknown(was))
  })

  it('ends as lost only when the silence lasts', () => {
    for (const was of heldStates)
      expect(play(inState(states.unknown(was)), expired).state, was.is).toMatchObject({
        result: 'lost',
        reason: { code: 'silent' },
      })
    expect(states.unknown(states.running())).toMatchObject({ by: later(noon, unknownMs) })
  })

  it('is what it was when the agent is back with it', () => {
    for (const was of [states.armed(), states.running()])
      expect(play(inState(states.unknown(was)), back(held(was.is as 'armed' | 'running'))).state).toBe(was)
  })

  it('is offered again when the agent is back without an order that it was sent', () => {
    expect(play(inState(states.unknown(states.offered())), back()).state).toEqual(states.offered())
  })

  it('has the full time for its cancel from the moment the agent is back: it could not be told before', () => {
    const stale = states.cancelling({ by: later(noon, -hourMs) })
    expect(play(inState(states.unknown(stale)), back(held('running'))).state).toEqual(
      states.cancelling({ by: later(noon, cancelMs) }),
    )
  })

  it('stays unknown and is cancelled on return when a cancel comes meanwhile', () => {
    const run = inState(states.unknown(states.running()))
    const asked = play(run, cancel)
    expect(asked.state).toMatchObject({ is: 'unknown', was: { is: 'cancelling', why } })
    expect(play(asked, cancel)).toBe(asked)
    expect(play(asked, back(held('running'))).state).toMatchObject({ is: 'cancelling' })
    expect(play(asked, back()).state).toEqual(states.finished('aborted', why))
  })

  it('ends with a report that comes by another way than the line', () => {
    const run = inState(states.unknown(states.running()))
    expect(play(run, succeeded(run)).state).toEqual(states.finished('success'))
  })

  it('goes on when the agent answers the order after all', () => {
    const run = inState(states.unknown(states.offered()))
    expect(play(run, accepted).state).toEqual(states.running())
    expect(play(run, busy).state).toMatchObject({ is: 'waiting', attempt: 1 })
    expect(play(run, absent).state).toMatchObject({ is: 'waiting', attempt: 2 })
    expect(play(run, removed).state).toMatchObject({ result: 'lost' })
  })

  it('stays unknown by what says nothing new, yet keeps a measured start', () => {
    const run = inState(states.unknown(states.running()))
    for (const event of [silent, offered, accepted, busy, refused])
      expect(play(run, event), event.type).toBe(run)
    const marked = play(run, started)
    expect(marked).toEqual({ ...run, startedAt: noon, started: aStart() })
    expect(play(marked, started)).toBe(marked)
  })
})

describe('a finished run', () => {
  it('never changes again, whatever comes', () => {
    const run = inState(states.finished('partial', trouble))
    expect(isFinished(run)).toBe(true)
    expect(attemptOf(run)).toBeUndefined()
    const events = [
      offered,
      accepted,
      refused,
      started,
      succeeded(run),
      absent,
      silent,
      back(),
      cancel,
      expired,
      removed,
    ]
    for (const event of events) expect(play(run, event), event.type).toBe(run)
  })
})
