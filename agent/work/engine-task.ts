import { unreachable } from '../../core/fault.ts'
import type { Order } from '../../core/link.ts'
import type { Reason, Task } from '../../core/run.ts'
import type { EngineTask } from '../ports/engine.ts'
import type { Capacity } from '../ports/policy.ts'
import { effectiveLimits } from './limits.ts'
import { repositoryOf } from './policy.ts'

type Made = { readonly ok: true; readonly task: EngineTask } | { readonly ok: false; readonly reason: Reason }

/** What the engine is asked to do for a task of an order; why it cannot be asked, when something that it needs is missing. */
export function engineTaskOf(order: Order, index: number, task: Task, capacity: Capacity): Made {
  if (task.refusal) return { ok: false, reason: task.refusal }
  const limits = effectiveLimits(task.action.limits, capacity)
  const { action } = task
  if (action.do === 'exec')
    return made({ do: 'exec', action: { ...action, limits }, env: environmentOf(order, index) })
  const repository = repositoryOf(order, task)
  if (!repository) return missing('no_repository', 'the order names no repository')
  switch (action.do) {
    case 'backup': {
      const parent = task.parent ? { parent: task.parent } : {}
      return made({
        do: 'backup',
        action: { ...action, limits },
        repository,
        level: task.level ?? 0,
        ...parent,
      })
    }
    case 'restore': {
      const [source, ...more] = task.sources ?? []
      if (!source || more.length > 0) return missing('no_source', 'a restore takes exactly one backup')
      return made({ do: 'restore', action: { ...action, limits }, repository, source })
    }
    case 'verify':
      return made({ do: 'verify', action: { ...action, limits }, repository })
    case 'forget':
      return made({
        do: 'forget',
        action: { ...action, limits },
        repository,
        sources: task.sources ?? [],
      })
    default:
      return unreachable(action)
  }
}

/** What a command is told of the run that it is part of. */
const environmentOf = (order: Order, index: number): Record<string, string> => ({
  FIRN_RUN_ID: order.run,
  FIRN_RUN_ATTEMPT: String(order.attempt),
  FIRN_STEP: String(index),
  FIRN_JOB_ID: order.job,
  FIRN_CLIENT_ID: order.client,
  FIRN_SLOT: order.slot,
  ...(order.session
    ? { FIRN_SESSION_ID: order.session.id, FIRN_SESSION_TAG: String(order.session.tag) }
    : {}),
})

const made = (task: EngineTask): Made => ({ ok: true, task })
const missing = (code: string, text: string): Made => ({ ok: false, reason: { code, text } })
