import type { Instant } from '../../core/clock.ts'
import type { ClientId, ProjectId } from '../../core/ids.ts'
import type { EngineProbe, Order } from '../../core/link.ts'
import type { Reason } from '../../core/run.ts'
import type { Action } from '../../core/action.ts'
import type { Databases } from '../ports/databases.ts'
import type { Policy } from '../ports/policy.ts'
import { attemptKey, type JournalState, type Mark } from './journal-state.ts'
import { forbidden, repositoryOf, undone, type RealPaths } from './policy.ts'

/** What an engine of this node can do now. */
export interface Ability {
  readonly does: readonly Action['do'][]
  readonly probe: EngineProbe
}

/** All that the answer to an order depends on. */
export interface Situation {
  readonly project: ProjectId
  readonly client: ClientId
  readonly state: JournalState
  readonly policy: Policy
  readonly databases: Databases
  readonly abilities: ReadonlyMap<string, Ability>
  readonly real: RealPaths
  /** Accepted and not yet begun, and how many may be. */
  readonly queued: number
  readonly queueMax: number
  readonly stopping: boolean
  /** The wall clock of this node: good to some minutes at best. */
  readonly now: Instant
}

export type Verdict =
  | { readonly do: 'accept' }
  /** It was taken before: say again what became of it. */
  | { readonly do: 'repeat' }
  /** `mark`: remember it, so that a late copy gets the same answer. */
  | { readonly do: 'refuse'; readonly reason: Reason; readonly final: boolean; readonly mark: boolean }

/**
 * How far this node's wall clock may be from the server's before an order is taken for late. Generous, since a wrong clock
 * must not keep a node from working: what an order is late for is decided by the server, and the epoch and the journal fence
 * the rest. Milliseconds.
 */
export const lateMs = 10 * 60_000

/** Whether to take an order. Total: every order has an answer. */
export function admit(order: Order, situation: Situation): Verdict {
  const { state } = situation
  if (order.project !== situation.project || order.client !== situation.client)
    return never('not_mine', `this agent is ${situation.project}/${situation.client}`)
  if (state.attempts.has(attemptKey(order.run, order.attempt))) return { do: 'repeat' }
  const mark = state.marks.get(order.run)
  if (mark && mark.attempt >= order.attempt) return forMark(order, mark)
  const others = [...state.attempts.values()].filter(({ run }) => run === order.run)
  if (others.some(({ attempt }) => attempt > order.attempt))
    return never('older_attempt', 'a later attempt of this run was taken')
  const overlaps = others.some(({ outcome }) => outcome === undefined)
  return notNow(order, situation, overlaps) ?? unable(order, situation) ?? { do: 'accept' }
}

function forMark(order: Order, mark: Mark): Verdict {
  if (mark.attempt > order.attempt || mark.why === 'committed')
    return never('older_attempt', 'this attempt, or a later one of its run, is over')
  if (mark.why === 'absent') return never('cancelled', 'it was cancelled before it came')
  return never(
    mark.reason?.code ?? 'refused',
    mark.reason?.text ?? 'this attempt was refused before, or may have been taken: the journal was damaged',
  )
}

function notNow(order: Order, situation: Situation, overlaps: boolean): Verdict | undefined {
  if (order.epoch < situation.state.epoch) return later('stale_epoch', 'a later leader has been heard of')
  if (situation.stopping) return later('stopping', 'the agent is stopping')
  if (situation.now > order.answerBy + lateMs) return later('late', 'the order came too late')
  if (overlaps) return later('attempt_open', 'an earlier attempt of this run is not over')
  if (situation.queued >= situation.queueMax) return later('queue_full', 'the queue of this node is full')
  return undefined
}

/** What this node cannot or may not do, now and for ever. */
function unable(order: Order, situation: Situation): Verdict | undefined {
  for (const task of undone(order)) {
    if (task.refusal) continue // the step's own end will say so
    const { action } = task
    const ability = situation.abilities.get(action.engine)
    if (!ability?.does.includes(action.do))
      return forEver('engine_unknown', `this node has no engine ${action.engine} that can ${action.do}`)
    if (!ability.probe.available)
      return forEver(
        'engine_unavailable',
        [`${action.engine} does not work on this node`, ...ability.probe.problems].join(': '),
      )
    if (action.do !== 'exec' && !repositoryOf(order, task))
      return forEver('no_repository', 'the order names no repository')
  }
  const reason = forbidden(order, situation.policy, situation.databases, situation.real)
  return reason ? { do: 'refuse', reason, final: true, mark: true } : undefined
}

const never = (code: string, text: string): Verdict => refuse({ code, text }, true, false)
const forEver = (code: string, text: string): Verdict => refuse({ code, text }, true, true)
const later = (code: string, text: string): Verdict => refuse({ code, text }, false, false)
const refuse = (reason: Reason, final: boolean, mark: boolean): Verdict => ({
  do: 'refuse',
  reason,
  final,
  mark,
})
