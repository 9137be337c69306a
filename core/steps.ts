import type { Result, Step, Task } from './run.ts'

/** Where a run's steps stand: which is next, or how the whole ended. */
export type Next =
  { readonly do: 'step'; readonly step: number } | { readonly do: 'end'; readonly result: Result }

/** Whether the steps after one with this result go on as if nothing had happened. */
const isGood = (result: Step['result']): boolean => result === 'success' || result === 'partial'

/**
 * The first step that is still to be done. After one that ended badly only mandatory steps are done. Server and agent ask
 * the same function, so they never disagree about what is left.
 */
export function nextStep(
  tasks: readonly Pick<Task, 'mandatory'>[],
  steps: readonly Pick<Step, 'result'>[],
): Next {
  let broken = false
  for (const [index, task] of tasks.entries()) {
    const result = steps[index]?.result
    if (result === undefined) {
      if (broken && !task.mandatory) continue
      return { do: 'step', step: index }
    }
    if (result !== 'skipped' && !isGood(result)) broken = true
  }
  return { do: 'end', result: overall(steps.map((step) => step.result)) }
}

/** Worst first: how a whole ended, by its parts. */
const badness = ['lost', 'failed', 'aborted', 'partial', 'success'] as const satisfies readonly Result[]

/** The result of a whole: the worst of its parts'. Nothing to do is a success. */
export function overall(results: readonly Step['result'][]): Result {
  return badness.find((result) => results.includes(result)) ?? 'success'
}

/** Steps that will never be done are `skipped`. */
export function skipRest(steps: readonly Step[]): Step[] {
  return steps.map((step) => (step.result === undefined ? { ...step, result: 'skipped' as const } : step))
}

/** Whether a step that went wrong may be tried once more. `tries` counts the one that just ended. */
export const mayRetry = (task: Pick<Task, 'maxRetries'>, tries: number): boolean => tries <= task.maxRetries
