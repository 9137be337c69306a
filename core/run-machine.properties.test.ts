// What holds for every sequence of events, likely or not.
import fc from 'fast-check'
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
  trouble,
  why,
} from '../test/support/builders.ts'
import { later, type Instant } from './clock.ts'
import type { ClientId } from './ids.ts'
import { advance, type RunEvent } from './run-machine.ts'
import { attemptOf, isFinished, type HeldState, type Run, type RunState, type Task } from './run.ts'

const results = ['success', 'partial', 'failed', 'aborted', 'lost'] as const
const ends = ['ended', 'retry', 'interrupted', 'aborted'] as const
const attempts = fc.integer({ min: 1, max: 4 })

const tasks = fc.array(
  fc
    .record({ maxRetries: fc.integer({ min: 0, max: 2 }), mandatory: fc.boolean() })
    .map((over): Task => aTask(over)),
  { minLength: 1, maxLength: 3 },
)

const heldState: fc.Arbitrary<HeldState> = fc
  .tuple(fc.constantFrom('offered', 'armed', 'running', 'cancelling'), attempts)
  .map(([name, attempt]) => states[name]({ attempt }))

const anyState: fc.Arbitrary<RunState> = fc.oneof(
  attempts.map((attempt) => states.waiting({ attempt })),
  heldState,
  heldState.map(states.unknown),
  fc.constantFrom(...results).map((result) => states.finished(result)),
)

const anyRun: fc.Arbitrary<Run> = fc
  .tuple(tasks, anyState)
  .map(([list, state]) => aRun({ tasks: list, state }))

const stepReport = fc
  .record({ step: fc.integer({ min: -1, max: 4 }), result: fc.constantFrom(...results), saved: fc.boolean() })
  .map((part) => aStepReport(part.step, part.result, part.saved ? { saved } : {}))

const report = fc
  .record({
    attempt: attempts,
    end: fc.constantFrom(...ends),
    steps: fc.array(stepReport, { maxLength: 4 }),
    stranger: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  })
  .map(({ stranger, ...over }) => aReport(aRun(), stranger ? { ...over, client: 'node2' as ClientId } : over))

const held = fc.option(
  fc
    .record({ attempt: attempts, state: fc.constantFrom('armed', 'running', 'ended') })
    .map((over) => ({ run: aRun().id, ...over })),
  { nil: undefined },
)

const anyEvent: fc.Arbitrary<RunEvent> = fc.oneof(
  fc.constantFrom<RunEvent>(
    { type: 'offered' },
    { type: 'silent' },
    { type: 'cancel', why },
    { type: 'expired' },
    { type: 'removed' },
  ),
  fc.record({ type: fc.constant('accepted'), attempt: attempts, armed: fc.boolean() }),
  fc.record({
    type: fc.constant('refused'),
    attempt: attempts,
    reason: fc.constant(trouble),
    final: fc.boolean(),
  }),
  attempts.map((attempt): RunEvent => ({ type: 'started', attempt, started: aStart(attempt) })),
  attempts.map((attempt): RunEvent => ({ type: 'absent', attempt })),
  held.map((what): RunEvent => ({ type: 'back', held: what })),
  report.map((what): RunEvent => ({ type: 'reported', report: what })),
)

/** The clock may step back between two events. */
const moment: fc.Arbitrary<Instant> = fc
  .integer({ min: -60_000, max: 90_000_000 })
  .map((ms) => later(noon, ms))
const history = fc.array(fc.tuple(anyEvent, moment), { maxLength: 25 })

interface Played {
  readonly before: Run
  readonly event: RunEvent
  readonly after: Run
  readonly now: Instant
}

/** Plays a history on a run and checks each step. */
function always(check: (step: Played) => void): void {
  fc.assert(
    fc.property(anyRun, history, (start, events) => {
      let before = start
      for (const [event, now] of events) {
        const after = advance(before, event, now)
        check({ before, event, after, now })
        before = after
      }
    }),
    { numRuns: 1_500 },
  )
}

describe('a run, whatever happens to it', () => {
  it('has an answer to every event, and the same one each time', () => {
    always(({ before, event, after, now }) => expect(advance(before, event, now)).toEqual(after))
  })

  it('never leaves the end', () => {
    always(({ before, after }) => {
      if (isFinished(before)) expect(after).toBe(before)
    })
  })

  it('has a deadline in every state but the end', () => {
    always(({ after: { state } }) => {
      if (state.is !== 'finished') expect(Number.isSafeInteger(state.by)).toBe(true)
    })
  })

  it('never goes back to an earlier attempt, nor leaves one out', () => {
    always(({ before, after }) => {
      const [was, is] = [attemptOf(before), attemptOf(after)]
      if (was !== undefined && is !== undefined) expect([was, was + 1]).toContain(is)
    })
  })

  it('gets its next attempt only by the word of its agent on the last one', () => {
    const words = ['reported', 'absent', 'back']
    always(({ before, event, after }) => {
      const [was, is] = [attemptOf(before), attemptOf(after)]
      if (was === undefined || is !== was + 1) return
      expect(words).toContain(event.type)
      if (event.type === 'reported') expect(event.report.attempt).toBe(was)
      if (event.type === 'absent') expect(event.attempt).toBe(was)
      // The hello lists all that the journal has: this attempt, or a later one, is not in it.
      if (event.type === 'back') expect(event.held?.attempt ?? 0).toBeLessThan(was)
    })
  })

  it('is called lost only by its agent, at a deadline, or with its node', () => {
    always(({ before, event, after }) => {
      if (isFinished(before) || after.state.is !== 'finished' || after.state.result !== 'lost') return
      expect(['reported', 'absent', 'back', 'expired', 'removed']).toContain(event.type)
    })
  })

  it('becomes a success or partial only by a report that says so', () => {
    always(({ before, event, after }) => {
      if (isFinished(before) || after.state.is !== 'finished') return
      const { result } = after.state
      if (result !== 'success' && result !== 'partial') return
      expect(event.type).toBe('reported')
      if (event.type === 'reported') expect(event.report.end).not.toBe('aborted')
      const done = after.steps.map((step) => step.result)
      if (result === 'success') expect(done).toEqual(done.map(() => 'success'))
      else expect(done).toContain('partial')
    })
  })

  it('that is being cancelled is whole only when the report says that nothing was left to do', () => {
    always(({ before, event, after }) => {
      const was = before.state.is === 'unknown' ? before.state.was : before.state
      if (was.is !== 'cancelling' || after.state.is !== 'finished') return
      if (after.state.result === 'success' || after.state.result === 'partial')
        expect(event).toMatchObject({ type: 'reported', report: { end: 'ended' } })
    })
  })

  it('never leaves a cancel but for the end, or for silence that remembers it', () => {
    always(({ before, event, after }) => {
      const was = before.state.is === 'unknown' ? before.state.was : before.state
      if (was.is !== 'cancelling') return
      const now = after.state.is === 'unknown' ? after.state.was : after.state
      expect(['cancelling', 'finished'], event.type).toContain(now.is)
    })
  })

  it('is changed by a report once: the same one again, at any later time, changes nothing', () => {
    fc.assert(
      fc.property(anyRun, history, report, moment, (start, events, what, now) => {
        const told = advance(start, { type: 'reported', report: what }, now)
        if (told === start) return
        let run = told
        for (const [event, when] of events) {
          run = advance(run, event, when)
          expect(advance(run, { type: 'reported', report: what }, when)).toBe(run)
        }
      }),
      { numRuns: 1_000 },
    )
  })

  it('ends when nothing but deadlines comes any more', () => {
    fc.assert(
      fc.property(anyRun, history, (start, events) => {
        let run = events.reduce((before, [event, now]) => advance(before, event, now), start)
        for (let looks = 0; run.state.is !== 'finished'; looks++) {
          expect(looks).toBeLessThan(3)
          run = advance(run, { type: 'expired' }, run.state.by)
        }
        if (!isFinished(start)) for (const step of run.steps) expect(step.result).toBeDefined()
      }),
      { numRuns: 1_000 },
    )
  })

  it('ends although its agent only ever asks for one more attempt', () => {
    fc.assert(
      fc.property(tasks, fc.array(report, { minLength: 40, maxLength: 40 }), (list, reports) => {
        let run = aRun({ tasks: list, state: states.running() })
        for (const what of reports) {
          const attempt = attemptOf(run)
          if (attempt === undefined) break
          run = advance(run, { type: 'reported', report: { ...what, client: run.client, attempt } }, noon)
        }
        // Three actions of at most three tries each, and a score of attempts that never began.
        expect(isFinished(run)).toBe(true)
      }),
    )
  })
})
