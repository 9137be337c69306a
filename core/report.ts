import type { Backup } from './catalogue.ts'
import { backupIdOf } from './ids.ts'
import type { Reason, Report, Run, Step, StepReport } from './run.ts'
import { mayRetry, nextStep } from './steps.ts'

/**
 * How many attempts of a run may be interrupted before they began, without a try used up: an agent that is restarted does
 * that to all that it had queued. One that is restarted more often than this under the same run does not get to it.
 */
const unbegunMax = 20

/**
 * The run's steps after a report of the attempt, and why the attempt did not end well. Of each step the first report that
 * settles it counts. An agent that does nothing and only asks for more uses up the tries of the next step: else it would
 * never end.
 */
export function foldReport(run: Run, report: Report): { run: Run; why: Reason | undefined } {
  let steps = [...run.steps]
  let why: Reason | undefined
  const last = report.steps.at(-1)
  for (const part of report.steps) {
    const task = run.tasks[part.step]
    const before = steps[part.step]
    // A step that the run does not have, or that an earlier attempt has done: nothing of this attempt's.
    if (!task || !before || before.result !== undefined) continue
    const tries = before.tries + 1
    const open = part === last && isOpen(report, part) && mayRetry(task, tries)
    steps[part.step] = stepOf(run, part, tries, open)
    why = part.reason ?? why
  }
  if (report.end === 'ended') steps = settled(run, steps)
  const folded = { ...run, steps }
  const idle = steps.every((step, at) => step === run.steps[at]) && asksForMore(report)
  return { run: idle && !mayBeUnbegun(run, report) ? foldLost(folded) : folded, why }
}

const asksForMore = (report: Report): boolean => report.end === 'retry' || report.end === 'interrupted'

/** Every attempt that did something used up a try at least. */
function mayBeUnbegun(run: Run, report: Report): boolean {
  const begun = run.steps.reduce((sum, { tries }) => sum + tries, 0)
  return report.end === 'interrupted' && report.attempt - begun <= unbegunMax
}

/** Whether the last step of an attempt that ended early is to be done again, tries allowing. */
const isOpen = (report: Report, part: StepReport): boolean =>
  asksForMore(report) && (part.result === 'failed' || part.result === 'lost')

function stepOf(run: Run, part: StepReport, tries: number, open: boolean): Step {
  return {
    tries,
    ...(open ? {} : { result: part.result }),
    ...(part.reason ? { reason: part.reason } : {}),
    ...(part.stats ? { stats: part.stats } : {}),
    ...(keptOf(run, part) ? { backup: backupIdOf(run.id, part.step) } : {}),
    itemErrorCount: part.itemErrorCount,
    startedAt: part.startedAt,
    endedAt: part.endedAt,
  }
}

/** An agent that says it is done, with steps left, has not done them: they failed. */
function settled(run: Run, steps: Step[]): Step[] {
  const reason: Reason = {
    code: 'not_reported',
    text: 'the node said that it was done, and did not report this',
  }
  for (let next = nextStep(run.tasks, steps); next.do === 'step'; next = nextStep(run.tasks, steps))
    steps[next.step] = { ...(steps[next.step] ?? { tries: 0 }), result: 'failed', reason }
  return steps
}

/** The run after an attempt of which no report will come: the step that was next is lost, or to be done again. */
export function foldLost(run: Run): Run {
  const next = nextStep(run.tasks, run.steps)
  if (next.do === 'end') return run
  const task = run.tasks[next.step]
  const tries = (run.steps[next.step]?.tries ?? 0) + 1
  const reason: Reason = { code: 'interrupted', text: 'the agent was restarted under it' }
  const again = task !== undefined && mayRetry(task, tries)
  return replaceStep(run, next.step, { tries, reason, ...(again ? {} : { result: 'lost' as const }) })
}

/** The run with its next step marked as lost, for good: nobody will say how it went. */
export function foldGone(run: Run, reason: Reason): Run {
  const next = nextStep(run.tasks, run.steps)
  if (next.do === 'end') return run
  const step = run.steps[next.step] ?? { tries: 0 }
  return replaceStep(run, next.step, { ...step, result: 'lost', reason })
}

/** The run with its next step marked as aborted. */
export function foldAborted(run: Run, reason: Reason): Run {
  const next = nextStep(run.tasks, run.steps)
  if (next.do === 'end') return run
  const step = run.steps[next.step] ?? { tries: 0 }
  return replaceStep(run, next.step, { ...step, result: 'aborted', reason })
}

const replaceStep = (run: Run, index: number, step: Step): Run => ({
  ...run,
  steps: run.steps.map((before, at) => (at === index ? step : before)),
})

/**
 * What of a step's report is a backup to keep: made by a backup action, in a known repository, not broken off, and of a step
 * that no earlier report has settled.
 */
function keptOf(run: Run, part: StepReport) {
  const known = run.steps[part.step]?.result
  if (known === 'success' || known === 'partial' || known === 'failed') return undefined
  const task = run.tasks[part.step]
  if (!part.saved || task?.action.do !== 'backup' || !task.repository) return undefined
  if (part.result !== 'success' && part.result !== 'partial' && part.result !== 'failed') return undefined
  const { saved, result } = part
  return { saved, result, task, action: task.action, repository: task.repository }
}

/** The catalogue entries that a report adds to what is known of the run. The same report always gives the same ones. */
export function backupsOf(run: Run, report: Report): Backup[] {
  return report.steps.flatMap((part) => {
    const kept = keptOf(run, part)
    if (!kept) return []
    const { task, action, saved } = kept
    return [
      {
        id: backupIdOf(run.id, part.step),
        project: run.project,
        user: run.user,
        job: run.job,
        client: run.client,
        run: run.id,
        step: part.step,
        backupName: action.backupName,
        engine: action.engine,
        engineRef: saved.engineRef,
        engineVersion: saved.engineVersion,
        repository: kept.repository,
        paths: saved.paths,
        level: task.level ?? 0,
        ...(task.parent ? { parent: task.parent.backup } : {}),
        result: kept.result,
        startedAt: part.startedAt,
        endedAt: part.endedAt,
        ...(part.stats ? { stats: part.stats } : {}),
        itemErrorCount: part.itemErrorCount,
        ...(run.session ? { session: run.session } : {}),
      },
    ]
  })
}
