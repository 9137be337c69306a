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
}

/** An accepted attempt as far as it matters for who may begin. */
export interface Seat extends Needs {
  /** `going`: it was armed and has its go, so it comes before those that wait. */
  readonly is: 'waiting' | 'armed' | 'going' | 'running'
}

export function needsOf(order: Order): Needs {
  const tasks = undone(order)
  const writing = tasks.filter(({ action }) => action.do === 'backup' || action.do === 'forget')
  return {
    light: tasks.every(({ action }) => action.do === 'exec'),
    writes: [...new Set(writing.flatMap(({ repository }) => (repository ? [repository] : [])))],
  }
}

/**
 * Which of the accepted attempts, oldest first, may begin now. Armed ones keep their places free, so that they begin at
 * their instant; more of them than there are places begin one after the other.
 */
export function whoMayBegin<S extends Seat>(seats: readonly S[], capacity: Capacity): S[] {
  const busy = { light: 0, heavy: 0 }
  const reserved = { light: 0, heavy: 0 }
  const written = new Set<RepositoryId>()
  for (const seat of seats) {
    if (seat.is === 'running') {
      busy[laneOf(seat)]++
      for (const id of seat.writes) written.add(id)
    } else if (seat.is === 'armed') reserved[laneOf(seat)]++
  }
  const begin: S[] = []
  const ordered = [...seats.filter(({ is }) => is === 'going'), ...seats.filter(({ is }) => is === 'waiting')]
  for (const seat of ordered) {
    const lane = laneOf(seat)
    const places = (lane === 'light' ? capacity.light : capacity.parallel) - busy[lane]
    const free = seat.is === 'going' ? places : places - reserved[lane]
    if (free <= 0 || seat.writes.some((id) => written.has(id))) continue
    busy[lane]++
    for (const id of seat.writes) written.add(id)
    begin.push(seat)
  }
  return begin
}

const laneOf = (seat: Needs): 'light' | 'heavy' => (seat.light ? 'light' : 'heavy')
