import type { Clock } from '../../core/clock.ts'
import type { Order, Progress } from '../../core/link.ts'
import type { Reason, Report, Saved, StepReport, Task } from '../../core/run.ts'
import { mayRetry } from '../../core/steps.ts'
import type { ChildLedger, Engine, EngineContext, LogLine } from '../ports/engine.ts'
import type { Capacity } from '../ports/policy.ts'
import { lostStep, nextOf, standing } from './endings.ts'
import { ItemErrors } from './item-errors.ts'
import { engineTaskOf } from './engine-task.ts'
import { follow, type StepEnd } from './step.ts'

/** Why an attempt is being stopped; `signal.reason` is a Fault that says the same. */
export interface Stop {
  readonly end: 'aborted' | 'interrupted'
  readonly reason: Reason
}

/** What an attempt is given to work with. */
export interface AttemptTools {
  readonly engines: ReadonlyMap<string, Engine>
  readonly capacity: Capacity
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly stallMs: number
  /** Set before `signal` aborts. */
  stop(): Stop | undefined
  /** 0700, for this engine. */
  engineDir(engine: string): string
  readonly children: ChildLedger
  log(line: LogLine): void
  progress(progress: Progress): void
  /** Resolves when the journal has it, or cannot; at once for the last step of the attempt. */
  ended(report: StepReport, retry: boolean, last: boolean): Promise<void>
}

/**
 * Does what is left of a run, step by step, until nothing is left, a step is to be tried again or the attempt is stopped. Never
 * throws: a bug in an engine is a failed step.
 */
export async function runAttempt(order: Order, tools: AttemptTools): Promise<Report> {
  const steps: StepReport[] = []
  const errors = new ItemErrors()
  const report = (end: Report['end']): Report => ({
    ...{ run: order.run, attempt: order.attempt, client: order.client, steps, end },
    at: tools.clock.now(),
  })
  for (;;) {
    const next = nextOf(order, steps)
    if (next.do === 'end') return report('ended')
    const stop = tools.stop()
    if (stop) return report(stop.end)
    const { done, retryable } = await runStep(order, next.step, errors, tools)
    steps.push(done)
    const tries = standing(order, steps)[next.step]?.tries ?? 1
    const task = order.tasks[next.step]
    const retry = done.result === 'failed' && retryable && task !== undefined && mayRetry(task, tries)
    // The attempt's outcome holds its last step, and is synced with it.
    const last = retry || nextOf(order, steps).do === 'end'
    await tools.ended(done, retry, last)
    const stopped = tools.stop()
    // What ended well in spite of the stop has ended well.
    if (stopped && (done.result === 'aborted' || done.result === 'lost')) return report(stopped.end)
    if (retry) return report('retry')
  }
}

async function runStep(
  order: Order,
  index: number,
  errors: ItemErrors,
  tools: AttemptTools,
): Promise<{ readonly done: StepReport; readonly retryable: boolean }> {
  const task = order.tasks[index]
  const startedAt = tools.clock.now()
  const made = task ? engineTaskOf(order, index, task, tools.capacity) : undefined
  const engine = task ? tools.engines.get(task.action.engine) : undefined
  const end: StepEnd =
    task && made?.ok && engine
      ? await follow(
          engine.run(made.task, contextOf(order, index, task, tools)),
          { run: order.run, attempt: order.attempt, step: index },
          errors,
          tools,
        )
      : failedAtOnce(made?.ok === false ? made.reason : { code: 'engine_unknown', text: 'no such engine' })
  const endedAt = tools.clock.now()
  const stop = tools.stop()
  if (stop?.end === 'interrupted' && end.result === 'aborted')
    return { done: { ...lostStep(index, startedAt, endedAt), ...itemsOf(end) }, retryable: false }
  return { done: reportOf(index, end, stop, startedAt, endedAt), retryable: end.retryable }
}

function reportOf(
  step: number,
  end: StepEnd,
  stop: Stop | undefined,
  startedAt: StepReport['startedAt'],
  endedAt: StepReport['endedAt'],
): StepReport {
  // `aborted` is what was asked for: a tool that somebody else stopped has failed.
  const result = end.result === 'aborted' && !stop ? 'failed' : end.result
  const reason = end.result === 'aborted' && stop ? stop.reason : end.reason
  return {
    step,
    result,
    ...(reason ? { reason } : {}),
    ...(end.stats ? { stats: end.stats } : {}),
    ...(end.saved ? { saved: savedOf(end.saved, end.repositoryId) } : {}),
    ...itemsOf(end),
    startedAt,
    endedAt,
  }
}

const itemsOf = ({
  itemErrors,
  itemErrorCount,
}: StepEnd): Pick<StepReport, 'itemErrors' | 'itemErrorCount'> => ({
  itemErrors,
  itemErrorCount,
})

const failedAtOnce = (reason: Reason): StepEnd => ({
  ...{ result: 'failed', reason, retryable: false, itemErrors: [], itemErrorCount: 0 },
})

const savedOf = (saved: Saved, repositoryId: string | undefined): Saved =>
  repositoryId === undefined ? saved : { ...saved, repositoryId }

/** Who started what: on the saved data, in the words of the API. Values hold no comma. */
function tagsOf(order: Order, step: number, task: Task): Record<string, string> {
  return {
    run: order.run,
    step: String(step),
    job: order.job,
    client: order.client,
    action: task.actionId,
    ...(order.session ? { session: order.session.id, tag: String(order.session.tag) } : {}),
  }
}

const contextOf = (order: Order, step: number, task: Task, tools: AttemptTools): EngineContext => ({
  attemptId: `${order.run}.${order.attempt}`,
  tags: tagsOf(order, step, task),
  host: order.client,
  stateDir: tools.engineDir(task.action.engine),
  signal: tools.signal,
  stallMs: tools.stallMs,
  clock: tools.clock,
  children: tools.children,
  log: (line) => tools.log(line),
})
