import type { Clock } from '../../core/clock.ts'
import type { Recorder } from '../ports/events.ts'
import type { Orphans, Survivor } from '../ports/orphans.ts'
import type { Book } from './book.ts'
import { noteDirty } from './cleaning.ts'
import { outcomeAfterCrash } from './endings.ts'
import { attemptKey, type HeldAttempt } from './journal-state.ts'

/** Between two attempts at processes that hang in the kernel. Milliseconds. */
const againMs = 5_000

interface Tools {
  readonly book: Book
  readonly orphans: Orphans
  readonly clock: Clock
  readonly record: Recorder
}

/**
 * Settles what an earlier process left: ends its children, waits until they are gone, and gives every accepted attempt an
 * outcome. Attempts whose children cannot be ended (they hang in the kernel) keep running in the eyes of the servers, since
 * another attempt must not overlap them; `recoverRest` goes on with those.
 */
export async function recover(tools: Tools): Promise<readonly Survivor[]> {
  const { book, orphans, record } = tools
  const open = openAttempts(book)
  if (open.length > 0)
    record('orphans.found', { attempts: open.map(({ run, attempt }) => attemptKey(run, attempt)) })
  const survivors = await orphans.end(open.flatMap(({ children }) => [...children.values()]))
  if (survivors.length > 0) record('orphans.stuck', { pids: survivors.map(({ pid }) => pid) })
  for (const held of open) if (!survives(held, survivors)) await settle(held, tools)
  return survivors
}

/** Keeps trying until all are settled; tells of each that is. */
export async function recoverRest(
  tools: Tools,
  settled: (held: HeldAttempt) => void,
  signal: AbortSignal,
): Promise<void> {
  let left = openAttempts(tools.book)
  while (left.length > 0) {
    await tools.clock.sleep(againMs, signal)
    const survivors = await tools.orphans.end(left.flatMap(({ children }) => [...children.values()]))
    for (const held of left)
      if (!survives(held, survivors)) {
        await settle(held, tools)
        settled(held)
      }
    left = left.filter(({ outcome }) => outcome === undefined)
  }
}

const openAttempts = (book: Book): HeldAttempt[] =>
  [...book.state.attempts.values()].filter(({ outcome }) => outcome === undefined)

/** A survivor that names no attempt could be anyone's. */
const survives = (held: HeldAttempt, survivors: readonly Survivor[]): boolean =>
  survivors.some(
    ({ pid, attemptId }) =>
      attemptId === undefined || attemptId === attemptKey(held.run, held.attempt) || held.children.has(pid),
  )

async function settle(held: HeldAttempt, { book, clock }: Tools): Promise<void> {
  const report = outcomeAfterCrash(held, clock.now())
  await noteDirty(held.order?.tasks ?? [], report, book)
  await book.save({ type: 'outcome', job: held.job, report })
}
