import { toldAtOnce, type Decided, type JobPlan } from '../core/autonomy.ts'
import { instant, type Instant } from '../core/clock.ts'
import { isFault } from '../core/fault.ts'
import { jobId, runId } from '../core/ids.ts'
import type { ToAgent } from '../core/link.ts'
import { skipReasons, skipsMax, type Skip } from '../core/skip.ts'
import type * as wire from './gen/firn/v1/agent.ts'
import { count, id, present, refuse } from './strict.ts'
import { scheduleFromJson, scheduleToJson, tasksFromJson, tasksToJson } from './tasks.ts'
import { accessFromWire, wireFromAccess } from './wire-order.ts'

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
  if (runs.length > toldAtOnce || skips.length > skipsMax)
    refuse('more slots are told of than any agent does at once')
  return {
    sequence: count('decided.sequence', decided.sequence),
    job: id(jobId, decided.jobId),
    generation: count('decided.generation', decided.generation),
    ticket: decided.ticket,
    upTo: moment('decided.up_to_ms', decided.upToMs),
    runs: runs.map((own) => ({
      run: id(runId, own.runId),
      slot: moment('runs.slot_ms', own.slotMs),
      at: moment('runs.at_ms', own.atMs),
    })),
    skips: skips.map(skipFromWire),
  }
}

/** The last one that has a date. */
const lastMs = 8_640_000_000_000_000

const moment = (field: string, ms: number): Instant =>
  ms <= lastMs ? instant(count(field, ms)) : refuse(`${field} is no instant`)

const skipFromWire = (skip: wire.SkippedSlots): Skip => ({
  from: moment('skips.from_ms', skip.fromMs),
  to: moment('skips.to_ms', skip.toMs),
  count: count('skips.count', skip.count),
  ...(skip.more ? { more: true as const } : {}),
  reason: present(
    'skips.reason',
    skipReasons.find((known) => known === skip.reason),
  ),
})
