import type { JobAction } from '../../core/action.ts'
import { meaningOf } from '../../core/freezer-action.ts'
import type { Job } from '../../core/job.ts'
import { isServerRun } from '../../controller/use-cases/job-planning.ts'
import type { Seen } from './shown.ts'

/**
 * Why an action of a job that the servers run will fail, as far as that is known beforehand: it means nothing, or the node has said
 * that it lacks the engine. What else its policy forbids the node says when it is asked. Undefined: nothing is known against it.
 */
export function problemOf(seen: Seen, job: Job, action: JobAction): string | undefined {
  if (!isServerRun(seen, job)) return undefined
  const meaning = meaningOf(action.freezer)
  if ('refusal' in meaning) return meaning.refusal.text
  const { engine } = meaning.action
  const agent = job.client && seen.state.get('client', job.project, job.client)?.value.agent
  if (!agent) return undefined
  const probe = agent.engines.find((one) => one.engine === engine)
  if (probe?.available) return undefined
  const why = probe?.problems.length ? `: ${probe.problems.join('; ')}` : ''
  return `${job.client} cannot use the engine ${engine}${why}`
}
