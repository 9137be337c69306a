import type { Instant } from '../../core/clock.ts'
import type { Result, Run } from '../../core/run.ts'

/** How a slot went, once it is over. */
export interface Outcome {
  readonly slot: Instant
  readonly result: Result
}

/** What counts as a failure: not what users ended, and not a backup with gaps. */
const isFailure = (result: Result): boolean => result === 'failed' || result === 'lost'

/** Failures one after the other, from the newest slot backwards, of the slots after `since`. */
export function failuresIn(outcomes: readonly Outcome[], since: Instant | undefined): number {
  const newest = outcomes.filter(({ slot }) => slot > (since ?? 0)).toSorted((a, b) => b.slot - a.slot)
  const good = newest.findIndex(({ result }) => !isFailure(result))
  return good < 0 ? newest.length : good
}

/** The slots of a schedule among runs, each with its worst result; those of which a run is open are left out. */
export function outcomesOf(runs: Iterable<Run>): Outcome[] {
  const worst = new Map<Instant, Result>()
  const open = new Set<Instant>()
  for (const { slot: text, state, purpose } of runs) {
    const slot = instantOfSlot(text)
    if (slot === undefined || purpose !== 'job') continue
    if (state.is !== 'finished') open.add(slot)
    else if (!worst.has(slot) || isFailure(state.result)) worst.set(slot, state.result)
  }
  return [...worst].flatMap(([slot, result]) => (open.has(slot) ? [] : [{ slot, result }]))
}

/** When a slot of a schedule was due; undefined for a start by hand or of a session. */
export function instantOfSlot(slot: string): Instant | undefined {
  const [, at] = /^at:(\d{1,16})$/.exec(slot) ?? []
  return at === undefined ? undefined : (Number(at) as Instant)
}
