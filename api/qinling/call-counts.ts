import type { Context } from '../../controller/use-cases/context.ts'
import type { Run } from '../../core/run.ts'

type State = Context['state']

/** How many runs there are of each action, kept up to date by every change, so that no request counts them. */
class CallCounts {
  readonly #counts = new Map<string, number>()

  constructor(state: State) {
    for (const { value } of state.all('run')) this.#count(value, 1)
    state.onLook(({ kind, before, after }) => {
      if (kind !== 'run' || (before && after)) return
      if (after) this.#count(after.value, 1)
      if (before) this.#count(before.value, -1)
    })
  }

  of(project: string, action: string): number {
    return this.#counts.get(`${project}/${action}`) ?? 0
  }

  #count({ project, purpose, function: call, tasks }: Run, by: number): void {
    if (purpose !== 'job') return
    const actions = call ? [call.action] : tasks.map(({ actionId }) => actionId)
    for (const action of new Set(actions)) {
      if (action === undefined) continue
      const key = `${project}/${action}`
      const count = (this.#counts.get(key) ?? 0) + by
      if (count > 0) this.#counts.set(key, count)
      else this.#counts.delete(key)
    }
  }
}

const known = new WeakMap<State, CallCounts>()

/** The counts of a state, begun when they are first asked for. */
export function callCountsOf(state: State): CallCounts {
  let counts = known.get(state)
  if (!counts) known.set(state, (counts = new CallCounts(state)))
  return counts
}
