import type { Decided, JobPlan } from '../core/autonomy.ts'
import { instant } from '../core/clock.ts'
import { isFault } from '../core/fault.ts'
import { jobId, runId } from '../core/ids.ts'
import type { ToAgent } from '../core/link.ts'
import { skipReasons, type Skip } from '../core/skip.ts'
import type * as wire from './gen/firn/v1/agent.ts'
import { count, id, present, refuse } from './strict.ts'
import { scheduleFromJson, scheduleToJson, tasksFromJson, tasksToJson } from './tasks.ts'
import { accessFromWire, wireFromAccess } from './wire-order.ts'

/** More of them in one message than any agent sends. */
const toldMax = 1_000

export const wireFromPlan = (plan: JobPlan): wire.Plan => ({
  sequence: plan.sequence,
  jobId: plan.job,
  generation: plan.generation,
  nowMs: plan.now,
  scheduleJson: scheduleToJson(plan.schedule),
  tasksJson: tasksToJson(plan.tasks),
  repositories: plan.repositories.map(wireFromAccess),
  runMs: plan.runMs,
  ticket: plan.ticket,
})

/** A plan that this version cannot follow is none: its job waits for the servers. */
export function planFromWire(plan: wire.Plan): ToAgent {
  const sequence = count('plan.sequence', plan.sequence)
  const job = id(jobId, plan.jobId)
  const rest = {
    generation: count('plan.generation', plan.generation),
    now: instant(count('plan.now_ms', plan.nowMs)),
    repositories: plan.repositories.map(accessFromWire),
    runMs: count('plan.run_ms', plan.runMs),
    ticket: plan.ticket,
  }
  try {
    const schedule = scheduleFromJson(plan.scheduleJson)
    return { type: 'plan', plan: { sequence, job, ...rest, schedule, tasks: tasksFromJson(plan.tasksJson) } }
  } catch (error) {
    if (isFault(error, 'unsupported')) return { type: 'unplan', sequence, job }
    throw error
  }
}

export const wireFromDecided = (decided: Decided): wire.Decided => ({
  sequence: decided.sequence,
  jobId: decided.job,
  generation: decided.generation,
  ticket: decided.ticket,
  upToMs: decided.upTo,
  runs: decided.runs.map(({ run, slot, at }) => ({ runId: run, slotMs: slot, atMs: at })),
  skips: decided.skips.map(({ from, to, count: many, more, reason }) => ({
    ...{ fromMs: from, toMs: to, count: many, more: more ?? false, reason },
  })),
})

export function decidedFromWire(decided: wire.Decided): Decided {
  const { runs, skips } = decided
  if (runs.length > toldMax || skips.length > toldMax) refuse(`more than ${toldMax} slots are told of`)
  return {
    sequence: count('decided.sequence', decided.sequence),
    job: id(jobId, decided.jobId),
    generation: count('decided.generation', decided.generation),
    ticket: decided.ticket,
    upTo: instant(count('decided.up_to_ms', decided.upToMs)),
    runs: runs.map((own) => ({
      run: id(runId, own.runId),
      slot: instant(count('runs.slot_ms', own.slotMs)),
      at: instant(count('runs.at_ms', own.atMs)),
    })),
    skips: skips.map(skipFromWire),
  }
}

const skipFromWire = (skip: wire.SkippedSlots): Skip => ({
  from: instant(count('skips.from_ms', skip.fromMs)),
  to: instant(count('skips.to_ms', skip.toMs)),
  count: count('skips.count', skip.count),
  ...(skip.more ? { more: true as const } : {}),
  reason: present(
    'skips.reason',
    skipReasons.find((known) => known === skip.reason),
  ),
})
