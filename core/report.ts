import type { Backup } from './catalogue.ts'
import { backupIdOf } from './ids.ts'
import type { Reason, Report, Run, Step, StepReport } from './run.ts'
import { mayRetry, nextStep } from './steps.ts'

/** The run's steps after a report of the attempt, and why the attempt did not end well. */
export function foldReport(run: Run, report: Report): { run: Run; why: Reason | undefined } {
  let steps = [...run.steps]
  let why: Reason | undefined
  const last = report.steps.at(-1)
  for (const part of report.steps) {
    const task = run.tasks[part.step]
    const before = steps[part.step]
    if (!task || !before) continue // a step that the run does not have: nothing of ours
    const tries = before.tries + 1
    const open = part === last && isOpen(report, part) && mayRetry(task, tries)
    steps[part.step] = stepOf(run, part, tries, open)
    why = part.reason ?? why
  }
  if (report.end === 'ended') steps = settled(run, steps)
  return { run: { ...run, steps }, why }
}

/** Whether the step of an unfinished attempt is to be done again, tries allowing. */
const isOpen = (report: Report, part: StepReport): boolean =>
  (report.end === 'retry' && part.result === 'failed') ||
  (report.end === 'interrupted' && part.result === 'lost')

function stepOf(run: Run, part: StepReport, tries: number, open: boolean): Step {
  return {
    tries,
    ...(open ? {} : { result: part.result }),
    ...(part.reason ? { reason: part.reason } : {}),
    ...(part.stats ? { stats: part.stats } : {}),
    ...(part.saved ? { backup: backupIdOf(run.id, part.step) } : {}),
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

/** The catalogue entries that a report adds. The same report always gives the same ones. */
export function backupsOf(run: Run, report: Report): Backup[] {
  return report.steps.flatMap((part) => {
    const task = run.tasks[part.step]
    if (!part.saved || task?.action.do !== 'backup' || !task.repository) return []
    if (part.result !== 'success' && part.result !== 'partial' && part.result !== 'failed') return []
    return [
      {
        id: backupIdOf(run.id, part.step),
        project: run.project,
        user: run.user,
        job: run.job,
        client: run.client,
        run: run.id,
        step: part.step,
        backupName: task.action.backupName,
        engine: task.action.engine,
        engineRef: part.saved.engineRef,
        engineVersion: part.saved.engineVersion,
        repository: task.repository,
        paths: part.saved.paths,
        level: task.level ?? 0,
        ...(task.parent ? { parent: task.parent.backup } : {}),
        result: part.result,
        startedAt: part.startedAt,
        endedAt: part.endedAt,
        ...(part.stats ? { stats: part.stats } : {}),
        itemErrorCount: part.itemErrorCount,
        ...(run.session ? { session: run.session } : {}),
      },
    ]
  })
}
