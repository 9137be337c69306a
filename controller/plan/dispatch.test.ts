import { describe, expect, it } from 'vitest'
import { aMember, aRun, aSet, hourMs, noon, states, why } from '../../test/support/builders.ts'
import { later, type Instant } from '../../core/clock.ts'
import type { Held } from '../../core/link.ts'
import { advance } from '../../core/run-machine.ts'
import type { Run, RunState } from '../../core/run.ts'
import type { SetRecord } from '../../core/set.ts'
import { dispatch, resendMs, silentMs, type LineView, type Sent } from './dispatch.ts'

const sent = (what: Sent['what'], at: Instant = noon, attempt = 1): Sent => ({
  run: aRun().id,
  what,
  attempt,
  at,
})
const here = (over: Partial<Extract<LineView, { is: 'here' }>> = {}): LineView => ({
  is: 'here',
  since: noon,
  held: undefined,
  played: true,
  sent: undefined,
  ...over,
})
const held: Held = { run: aRun().id, attempt: 1, state: 'running' }

const decide = (
  state: RunState,
  line: LineView = here(),
  { set, leads = true, now = noon }: { set?: SetRecord; leads?: boolean; now?: Instant } = {},
) => dispatch(aRun({ state }), set, line, leads ? noon : undefined, now)

const own = { ...aMember('node1'), run: aRun().id }
const setIn = (phase: SetRecord['phase']): SetRecord => aSet({ members: [own], phase })
const preparing = setIn(aSet().phase)
const started = setIn({ is: 'started', goAtUs: 7, left: [] })
const leftBehind = setIn({ is: 'started', goAtUs: 7, left: [own.run] })
const ended = setIn({ is: 'ended', at: noon, outcome: { result: 'success', grade: 'G0' } })
const cancelling = setIn({ is: 'cancelling', why })

describe('a run that nobody took in time', () => {
  const over = later(noon, 2 * hourMs)
  const whyOf = (line: LineView, leadsSince = noon) =>
    dispatch(aRun({ state: states.waiting() }), undefined, line, leadsSince, over)
  const because = (code: string) => ({ do: 'play', event: { type: 'expired', why: { code } } })

  it('had a node that was away', () => {
    expect(whyOf({ is: 'none', since: later(noon, -1) })).toMatchObject(because('agent_offline'))
    expect(whyOf({ is: 'none', since: later(noon, 1) })).toMatchObject(because('agent_offline'))
    expect(whyOf({ is: 'none', since: noon }, over)).toMatchObject(because('agent_offline'))
  })

  it('had no server that would have sent it', () => {
    expect(whyOf({ is: 'none', since: later(noon, 1) }, over)).toMatchObject(because('leader_lost'))
    expect(whyOf(here({ since: over }))).toMatchObject(because('leader_lost'))
  })

  it('had a node that did not want it', () => {
    expect(whyOf(here())).toEqual({ do: 'play', event: { type: 'expired' } })
  })
})

describe('a run whose agent has its line here', () => {
  it('is told of the hello before anything else: the journal may know better', () => {
    for (const state of [
      states.waiting(),
      states.offered(),
      states.running(),
      states.unknown(states.running()),
    ])
      expect(
        decide(state, here({ played: false, held }), { now: later(noon, 24 * hourMs) }),
        state.is,
      ).toEqual({
        do: 'play',
        event: { type: 'back', held },
      })
  })

  it('is offered when it waits for nothing any more, and not before', () => {
    expect(decide(states.waiting())).toEqual({ do: 'play', event: { type: 'offered' } })
    const pause = states.waiting({ from: later(noon, 5_000) })
    expect(decide(pause)).toEqual({ do: 'sleep', until: later(noon, 5_000) })
    const short = states.waiting({ from: later(noon, 5_000), by: later(noon, 1_000) })
    expect(decide(short)).toEqual({ do: 'sleep', until: later(noon, 1_000) })
  })

  it('is ordered once it is stored as offered', () => {
    expect(decide(states.offered())).toEqual({ do: 'order', attempt: 1, hold: false })
  })

  it('is ordered again when nobody answers, under the same number, and not too often', () => {
    expect(decide(states.offered(), here({ sent: sent('order') }))).toEqual({
      do: 'sleep',
      until: later(noon, resendMs),
    })
    const now = later(noon, resendMs)
    expect(decide(states.offered(), here({ sent: sent('order') }), { now })).toMatchObject({ do: 'order' })
    const former = here({ sent: sent('order', noon, 1) })
    expect(decide(states.offered({ attempt: 2 }), former)).toMatchObject({ do: 'order', attempt: 2 })
  })

  it('is left alone while it runs', () => {
    expect(decide(states.running())).toEqual({ do: 'sleep', until: later(noon, 2 * hourMs) })
  })

  it('is told to stop while it is being cancelled, again and again', () => {
    expect(decide(states.cancelling())).toEqual({ do: 'cancel', attempt: 1 })
    expect(decide(states.cancelling(), here({ sent: sent('order') }))).toMatchObject({ do: 'cancel' })
    expect(decide(states.cancelling(), here({ sent: sent('cancel') }))).toMatchObject({ do: 'sleep' })
  })

  it('is played its deadline in every state', () => {
    for (const state of [
      states.waiting(),
      states.offered(),
      states.armed(),
      states.running(),
      states.cancelling(),
    ])
      expect(decide(state, here(), { now: later(noon, 24 * hourMs) }), state.is).toEqual({
        do: 'play',
        event: { type: 'expired' },
      })
  })

  it('is unknown no longer: the agent is here', () => {
    const unknown = states.unknown(states.running())
    expect(decide(unknown, here({ held }))).toEqual({ do: 'play', event: { type: 'back', held } })
    expect(decide(unknown)).toEqual({ do: 'play', event: { type: 'back', held: undefined } })
  })

  it('is not called aborted while an order for it may have been taken', () => {
    const unknown = states.unknown(states.cancelling())
    expect(decide(unknown, here({ sent: sent('order') }))).toMatchObject({
      event: { held: { state: 'running' } },
    })
    expect(decide(unknown, here({ sent: sent('order', noon, 2) }))).toMatchObject({
      event: { held: undefined },
    })
    expect(decide(unknown, here({ sent: sent('cancel') }))).toMatchObject({ event: { held: undefined } })
  })
})

describe('a run of a session', () => {
  it('is ordered to hold until its set has started', () => {
    expect(decide(states.offered(), here(), { set: preparing })).toMatchObject({ do: 'order', hold: true })
  })

  it('is not held in a later attempt: its set has started already', () => {
    expect(decide(states.offered({ attempt: 2 }), here(), { set: started })).toMatchObject({ hold: false })
  })

  it('is not ordered any more when its set does without it', () => {
    for (const set of [leftBehind, cancelling, ended])
      expect(decide(states.offered(), here(), { set }), set.phase.is).toEqual({
        do: 'sleep',
        until: later(noon, hourMs),
      })
  })

  it('gets its go when its set has started, and again when it does not answer', () => {
    const go = { do: 'go', attempt: 1, goAtUs: 7 }
    expect(decide(states.armed(), here(), { set: started })).toEqual(go)
    expect(decide(states.armed(), here({ sent: sent('go') }), { set: started })).toMatchObject({
      do: 'sleep',
    })
    const late = { set: started, now: later(noon, resendMs) }
    expect(decide(states.armed(), here({ sent: sent('go') }), late)).toEqual(go)
  })

  it('gets no go when its set starts without it', () => {
    expect(decide(states.armed(), here(), { set: leftBehind })).toMatchObject({ do: 'sleep' })
  })

  it('stays armed while its set is preparing or being cancelled, and no longer than its set is there', () => {
    for (const set of [preparing, cancelling])
      expect(decide(states.armed(), here(), { set }), set.phase.is).toMatchObject({ do: 'sleep' })
    expect(decide(states.armed(), here(), { set: ended })).toEqual({ do: 'play', event: { type: 'expired' } })
    expect(decide(states.armed())).toEqual({ do: 'play', event: { type: 'expired' } })
  })
})

describe('a run whose agent has no line', () => {
  const gone: LineView = { is: 'none', since: noon }

  it('is called silent after a moment, by the server that leads', () => {
    for (const state of [states.offered(), states.armed(), states.running(), states.cancelling()]) {
      expect(decide(state, gone), state.is).toEqual({ do: 'sleep', until: later(noon, silentMs) })
      const now = later(noon, silentMs)
      expect(decide(state, gone, { now }), state.is).toEqual({ do: 'play', event: { type: 'silent' } })
      expect(decide(state, gone, { now, leads: false }), state.is).toEqual({ do: 'nothing' })
    }
  })

  it('waits for its agent, or for its deadline', () => {
    expect(decide(states.waiting(), gone)).toEqual({ do: 'sleep', until: later(noon, hourMs) })
    expect(decide(states.unknown(states.running()), gone)).toEqual({
      do: 'sleep',
      until: later(noon, 24 * hourMs),
    })
    const now = later(noon, 24 * hourMs)
    for (const state of [states.waiting(), states.unknown(states.running()), states.running()])
      expect(decide(state, gone, { now }), state.is).toMatchObject({ do: 'play', event: { type: 'expired' } })
  })
})

describe('a run that is none of this server’s business', () => {
  it('is left to the server that has its line', () => {
    expect(decide(states.offered(), { is: 'elsewhere' })).toEqual({ do: 'nothing' })
  })

  it('is over', () => {
    expect(decide(states.finished('success'), here({ played: false }))).toEqual({ do: 'nothing' })
  })
})

describe('dispatch', () => {
  it('always gets on: what it plays changes the run, what it sends it remembers, and else it sleeps', () => {
    const heldStates = [states.offered(), states.armed(), states.running(), states.cancelling()]
    const starts: RunState[] = [states.waiting(), ...heldStates, ...heldStates.map(states.unknown)]
    const lines: LineView[] = [
      here(),
      here({ held }),
      here({ held, played: false }),
      { is: 'none', since: noon },
    ]
    for (const state of starts)
      for (const first of lines)
        for (const set of [undefined, preparing, started, leftBehind, cancelling]) {
          let run: Run = aRun({ state })
          let line = first
          for (let looks = 0; ; looks++) {
            expect(looks, `${state.is} ${line.is} ${set?.phase.is}`).toBeLessThan(8)
            const step = dispatch(run, set, line, noon, later(noon, silentMs))
            if (step.do === 'sleep' || step.do === 'nothing') break
            if (step.do === 'play') run = advance(run, step.event, later(noon, silentMs))
            if (line.is !== 'here') continue
            if (step.do === 'play') line = { ...line, played: true }
            else line = { ...line, sent: sent(step.do, later(noon, silentMs), step.attempt) }
          }
        }
  })
})

describe('a run of a client that was shut out or forgotten', () => {
  const running = aRun({ state: states.running() })

  it('ends, for nothing will ever be heard of it again', () => {
    expect(dispatch(running, undefined, { is: 'gone' }, noon, noon)).toEqual({
      do: 'play',
      event: { type: 'removed' },
    })
  })

  it('is ended by the leader only', () => {
    expect(dispatch(running, undefined, { is: 'gone' }, undefined, noon)).toEqual({ do: 'nothing' })
  })
})
