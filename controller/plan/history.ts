import type { Instant } from '../../core/clock.ts'
import type { Run } from '../../core/run.ts'

/**
 * How many finished runs of a job are kept, newest first, of each purpose. Their backups and the logs outlive them. With
 * it a job of every second keeps the last minutes, one of every night the last months.
 */
export const runsKept = 200

/** How long finished runs of a job that was deleted are kept. Milliseconds: a day, to look into what it did last. */
export const orphansKeptMs = 86_400_000

/** How long those of a function are, which have no job where they were asked for by hand. Milliseconds: a month. */
const callsKeptMs = 30 * 86_400_000

/** How long the answer to a request with an idempotency key is kept. Milliseconds. */
const answersKeptMs = 86_400_000

/** Whether nobody can expect the same answer any more. */
export const isAnswerForgotten = ({ createdAt }: { readonly createdAt: Instant }, now: Instant): boolean =>
  createdAt + answersKeptMs < now

/** Whether a run without a job may go. */
export const isForgotten = (run: Run, now: Instant): boolean =>
  run.state.is === 'finished' && run.state.at + (run.function ? callsKeptMs : orphansKeptMs) < now

/** Old runs are dropped only in lots, so that a busy job does not write a delete with every run. */
export const lot = 50

/**
 * The finished runs of one job that need not be kept any more; none until a lot has come together. `isNeeded`: by a set that
 * goes on, however many members of the job have ended before.
 */
export function surplusOf(runs: readonly Run[], isNeeded: (run: Run) => boolean): Run[] {
  const finished = runs
    .filter((run) => run.state.is === 'finished' && !isNeeded(run))
    .toSorted((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1))
  const surplus = [
    ...finished.filter((run) => run.purpose === 'job').slice(runsKept),
    ...finished.filter((run) => run.purpose !== 'job').slice(runsKept),
  ]
  return surplus.length < lot ? [] : surplus
}
