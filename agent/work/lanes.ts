import type { Action } from '../../core/action.ts'
import type { RepositoryId } from '../../core/ids.ts'
import type { Order } from '../../core/link.ts'
import type { Capacity } from '../ports/policy.ts'
import { undone } from './policy.ts'

/** What an accepted attempt needs to run beside others. */
export interface Needs {
  /** It only executes commands. */
  readonly light: boolean
  /** Repositories that it writes to: one run at a time for each. */
  readonly writes: readonly RepositoryId[]
  /** Those that it needs for itself alone: restic locks them for checks and for removals. */
  readonly locks: readonly RepositoryId[]
  /** All that it works with. */
  readonly uses: readonly RepositoryId[]
}

/** An accepted attempt as far as it matters for who may begin. */
export interface Seat extends Needs {
  /** `going`: it was armed and has its go, so it comes before those that wait. */
  readonly is: 'waiting' | 'armed' | 'going' | 'running'
}

export function needsOf(order: Order): Needs {
  const tasks = undone(order)
  const of = (...kinds: readonly Action['do'][]): RepositoryId[] => {
    const those = tasks.filter(({ action }) => kinds.includes(action.do))
    return [...new Set(those.flatMap(({ repository }) => (repository ? [repository] : [])))]
  }
  return {
    light: tasks.every(({ action }) => action.do === 'exec'),
    writes: of('backup', 'forget'),
    locks: of('verify', 'forget'),
    uses: of('backup', 'restore', 'verify', 'forget'),
  }
}

/**
 * Which of the accepted attempts, oldest first, may begin now. Armed ones keep their places free, so that they begin at
 * their instant; more of them than there are places begin one after the other.
 */
export function whoMayBegin<S extends Seat>(seats: readonly S[], capacity: Capacity): S[] {
  const busy = { light: 0, heavy: 0 }
  const reserved = { light: 0, heavy: 0 }
  const repositories = new InUse()
  for (const seat of seats) {
    if (seat.is === 'running') {
      busy[laneOf(seat)]++
      repositories.take(seat)
    } else if (seat.is === 'armed') reserved[laneOf(seat)]++
  }
  const begin: S[] = []
  const ordered = [...seats.filter(({ is }) => is === 'going'), ...seats.filter(({ is }) => is === 'waiting')]
  for (const seat of ordered) {
    const lane = laneOf(seat)
    const places = (lane === 'light' ? capacity.light : capacity.parallel) - busy[lane]
    const free = seat.is === 'going' ? places : places - reserved[lane]
    if (free <= 0 || !repositories.areFreeFor(seat)) continue
    busy[lane]++
    repositories.take(seat)
    begin.push(seat)
  }
  return begin
}

const laneOf = (seat: Needs): 'light' | 'heavy' => (seat.light ? 'light' : 'heavy')

/** The repositories of the attempts that run. */
class InUse {
  readonly #written = new Set<RepositoryId>()
  readonly #locked = new Set<RepositoryId>()
  readonly #used = new Set<RepositoryId>()

  areFreeFor({ writes, locks, uses }: Needs): boolean {
    return (
      !writes.some((id) => this.#written.has(id)) &&
      !locks.some((id) => this.#used.has(id)) &&
      !uses.some((id) => this.#locked.has(id))
    )
  }

  take({ writes, locks, uses }: Needs): void {
    for (const id of writes) this.#written.add(id)
    for (const id of locks) this.#locked.add(id)
    for (const id of uses) this.#used.add(id)
  }
}
