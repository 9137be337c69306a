import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { aReport, aRun, aStepReport, aTask, noon, states } from '../test/support/builders.ts'
import { advance } from './run-machine.ts'
import { attemptOf, type Result, type Run, type Step, type Task } from './run.ts'
import { mayRetry, nextStep, overall, skipRest } from './steps.ts'

const optional = { mandatory: false }
const mandatory = { mandatory: true }
const steps = (...results: Step['result'][]) => results.map((result) => (result ? { result } : {}))

describe('the next step', () => {
  it('is the first one that is not done', () => {
    expect(nextStep([optional, optional], steps(undefined, undefined))).toEqual({ do: 'step', step: 0 })
    expect(nextStep([optional, optional], steps('success', undefined))).toEqual({ do: 'step', step: 1 })
  })

  it('goes on after a partial backup: it was kept', () => {
    expect(nextStep([optional, optional], steps('partial', undefined))).toEqual({ do: 'step', step: 1 })
  })

  it('passes over those that are not mandatory once one ended badly', () => {
    for (const bad of ['failed', 'aborted', 'lost'] as const) {
      const next = nextStep([optional, optional, mandatory], steps(bad, undefined, undefined))
      expect(next, bad).toEqual({ do: 'step', step: 2 })
    }
  })

  it('goes on after one that was skipped', () => {
    expect(nextStep([optional, optional], steps('skipped', undefined))).toEqual({ do: 'step', step: 1 })
  })

  it('is the end when nothing is left, with the worst result', () => {
    expect(nextStep([optional, optional], steps('success', 'success'))).toEqual({
      do: 'end',
      result: 'success',
    })
    expect(nextStep([optional, optional], steps('failed', undefined))).toEqual({
      do: 'end',
      result: 'failed',
    })
    expect(nextStep([], [])).toEqual({ do: 'end', result: 'success' })
  })
})

describe('the result of a whole', () => {
  it('is the worst of its parts: lost, failed, aborted, partial, success', () => {
    expect(overall(['success', 'partial', 'aborted', 'failed', 'lost'])).toBe('lost')
    expect(overall(['success', 'partial', 'aborted', 'failed'])).toBe('failed')
    expect(overall(['success', 'partial', 'aborted'])).toBe('aborted')
    expect(overall(['success', 'partial'])).toBe('partial')
    expect(overall(['success', 'skipped'])).toBe('success')
    expect(overall([])).toBe('success')
  })
})

describe('steps that will never be done', () => {
  it('are skipped; the others keep what they were', () => {
    expect(skipRest([{ tries: 1, result: 'failed' }, { tries: 1 }])).toEqual([
      { tries: 1, result: 'failed' },
      { tries: 1, result: 'skipped' },
    ])
  })
})

describe('a step that went wrong', () => {
  it('is tried max_retries times more', () => {
    expect([1, 2, 3].map((tries) => mayRetry({ maxRetries: 2 }, tries))).toEqual([true, true, false])
    expect(mayRetry({ maxRetries: 0 }, 1)).toBe(false)
  })
})

/** What each try of each step would come to: `fates[step][try]`. */
type Fates = readonly (readonly Result[])[]

/** Freezer's rules, written down the plain way: each step in turn, tried until it is good or its tries are used up. */
function model(tasks: readonly Task[], fates: Fates): { done: (Result | 'skipped')[]; result: Result } {
  let broken = false
  const done = tasks.map((task, index) => {
    if (broken && !task.mandatory) return 'skipped' as const
    const tries = fates[index]!.slice(0, task.maxRetries + 1)
    const last = tries.find((result) => result !== 'failed') ?? 'failed'
    if (last === 'failed') broken = true
    return last
  })
  const worst = (['failed', 'partial'] as const).find((result) => done.includes(result))
  return { done, result: worst ?? 'success' }
}

/** An agent that does one attempt as it is told to: on until a step has to wait for its next try. */
function attemptOn(run: Run, fates: Fates): Run {
  const reports = []
  const known = run.steps.map(({ result, tries }) => ({ tries, ...(result ? { result } : {}) }))
  for (let next = nextStep(run.tasks, known); next.do === 'step'; next = nextStep(run.tasks, known)) {
    const { step } = next
    const result = fates[step]![known[step]!.tries]!
    reports.push(aStepReport(step, result))
    const tries = known[step]!.tries + 1
    if (result === 'failed' && mayRetry(run.tasks[step]!, tries)) {
      const report = aReport(run, { end: 'retry', steps: reports })
      return advance(run, { type: 'reported', report }, noon)
    }
    known[step] = { tries, result }
  }
  return advance(run, { type: 'reported', report: aReport(run, { end: 'ended', steps: reports }) }, noon)
}

describe('a run with retries and mandatory actions', () => {
  const plans = fc.array(
    fc.record({
      task: fc
        .record({ maxRetries: fc.integer({ min: 0, max: 3 }), mandatory: fc.boolean() })
        .map((over) => aTask(over)),
      fates: fc.array(fc.constantFrom<Result>('success', 'partial', 'failed'), {
        minLength: 4,
        maxLength: 4,
      }),
    }),
    { minLength: 1, maxLength: 4 },
  )

  it('ends as if each action had been tried in turn, whatever each try comes to', () => {
    fc.assert(
      fc.property(plans, (plan) => {
        const tasks = plan.map(({ task }) => task)
        const fates = plan.map((one) => one.fates)
        let run = aRun({ tasks, state: states.running() })
        while (attemptOf(run) !== undefined) {
          const attempt = attemptOf(run)!
          run = attemptOn({ ...run, state: states.running({ attempt }) }, fates)
        }
        const expected = model(tasks, fates)
        expect(run.steps.map((step) => step.result)).toEqual(expected.done)
        expect(run.state).toMatchObject({ result: expected.result })
      }),
      { numRuns: 1_000 },
    )
  })
})
