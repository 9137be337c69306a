import type { Instant } from '../../core/clock.ts'
import { unreachable } from '../../core/fault.ts'
import type { RepositoryId, RunId } from '../../core/ids.ts'
import { epoch, type Epoch } from '../../core/link.ts'
import type { JobId } from '../../core/ids.ts'
import type { Reason, Report, StepReport } from '../../core/run.ts'
import type { ChildRecord, JournalEntry, JournalRead, KeptOrder, MarkWhy } from '../ports/journal.ts'

/** An attempt that was accepted and is not committed. */
export interface HeldAttempt {
  readonly run: RunId
  readonly attempt: number
  readonly job: JobId
  /** Absent when the line that held it is damaged and only its outcome is left. */
  readonly order?: KeptOrder
  /** When its first step may have been begun. */
  begunAt?: Instant
  readonly children: Map<number, ChildRecord>
  readonly steps: StepReport[]
  /** The last step ended so that the attempt is to be tried again. */
  retry: boolean
  outcome?: Report
}

/** What remains of an attempt that no order may start any more. */
export interface Mark {
  readonly attempt: number
  readonly why: MarkWhy
  readonly reason?: Reason
}

/** What the journal says, derived from its entries and from nothing else. */
export interface JournalState {
  /** By `attemptKey`, in the order of acceptance. */
  readonly attempts: Map<string, HeldAttempt>
  /** The highest marked attempt of a run, oldest first. Lower ones count as marked, too. */
  readonly marks: Map<RunId, Mark>
  /** The highest seen. */
  epoch: Epoch
  /** Repositories that may hold a stale lock of ours. */
  readonly dirty: Set<RepositoryId>
}

/**
 * How many runs leave a mark. The oldest are dropped: a message that is 100,000 runs late would have to have outlived
 * every line it could have been on.
 */
export const marksMax = 100_000

/** How many marks go on one line of a compacted journal, so that a damaged line costs few of them. */
const marksPerLine = 1_000

export const attemptKey = (run: RunId, attempt: number): string => `${run}.${attempt}`

export const emptyState = (): JournalState => ({
  attempts: new Map(),
  marks: new Map(),
  epoch: epoch(0),
  dirty: new Set(),
})

/** The state after these entries. The same entries always give the same state; any prefix gives a consistent one. */
export function foldEntries(entries: Iterable<JournalEntry>): JournalState {
  const state = emptyState()
  for (const entry of entries) apply(state, entry)
  return state
}

/** The state that a journal as read stands for: what damaged lines seem to be about is refused from now on. */
export function stateOf(read: JournalRead): JournalState {
  const state = foldEntries(read.entries)
  for (const { run, attempt } of read.doubtful)
    if (!state.attempts.has(attemptKey(run, attempt))) mark(state, run, { attempt, why: 'refused' })
  return state
}

/** Applies one entry in place: copying 100,000 marks for each would be the fold's whole cost. */
export function apply(state: JournalState, entry: JournalEntry): void {
  switch (entry.type) {
    case 'accepted':
      return accept(state, entry)
    case 'begun': {
      const held = under(state, entry)
      if (held) held.begunAt ??= entry.at
      return
    }
    case 'child':
      under(state, entry)?.children.set(entry.child.pid, entry.child)
      return
    case 'child_ended':
      under(state, entry)?.children.delete(entry.pid)
      return
    case 'step':
      return endStep(state, entry)
    case 'outcome':
      return endAttempt(state, entry)
    case 'mark':
      return mark(state, entry.run, entry)
    case 'marks':
      for (const [run, attempt, why] of entry.marks) mark(state, run, { attempt, why })
      return
    case 'epoch':
      return raise(state, entry.epoch)
    case 'dirty':
      state.dirty.add(entry.repository)
      return
    case 'clean':
      state.dirty.delete(entry.repository)
      return
    default:
      return unreachable(entry)
  }
}

/** The attempt that an entry is about, while it is not over: its outcome settles the rest. */
function under(
  state: JournalState,
  { run, attempt }: { readonly run: RunId; readonly attempt: number },
): HeldAttempt | undefined {
  const held = state.attempts.get(attemptKey(run, attempt))
  return held?.outcome ? undefined : held
}

function accept(state: JournalState, entry: Extract<JournalEntry, { type: 'accepted' }>): void {
  const { order } = entry
  raise(state, order.epoch)
  const key = attemptKey(order.run, order.attempt)
  if (state.attempts.has(key) || isMarked(state, order.run, order.attempt)) return
  state.attempts.set(key, {
    run: order.run,
    attempt: order.attempt,
    job: order.job,
    order,
    ...(entry.begun ? { begunAt: entry.at } : {}),
    children: new Map(),
    steps: [],
    retry: false,
  })
}

function endStep(state: JournalState, entry: Extract<JournalEntry, { type: 'step' }>): void {
  const held = under(state, entry)
  if (!held || held.steps.some((step) => step.step === entry.report.step)) return
  held.steps.push(entry.report)
  held.retry = entry.retry
}

function endAttempt(state: JournalState, entry: Extract<JournalEntry, { type: 'outcome' }>): void {
  const { report, job } = entry
  const key = attemptKey(report.run, report.attempt)
  if (isMarked(state, report.run, report.attempt)) return
  const held = state.attempts.get(key)
  if (!held)
    // Its acceptance stood on a damaged line. The report still has to reach a server.
    state.attempts.set(key, {
      run: report.run,
      attempt: report.attempt,
      job,
      children: new Map(),
      steps: [],
      retry: false,
      outcome: report,
    })
  else if (!held.outcome) {
    held.outcome = report
    held.children.clear()
  }
}

function mark(state: JournalState, run: RunId, { attempt, why, reason }: Mark): void {
  state.attempts.delete(attemptKey(run, attempt))
  const before = state.marks.get(run)
  if (before && before.attempt >= attempt) return
  state.marks.delete(run)
  state.marks.set(run, { attempt, why, ...(reason ? { reason } : {}) })
  if (state.marks.size <= marksMax) return
  const [oldest] = state.marks.keys()
  if (oldest !== undefined) state.marks.delete(oldest)
}

function raise(state: JournalState, seen: Epoch): void {
  if (seen > state.epoch) state.epoch = seen
}

/** Whether no order for this attempt may be taken because of a mark. */
export const isMarked = (state: JournalState, run: RunId, attempt: number): boolean =>
  (state.marks.get(run)?.attempt ?? -1) >= attempt

/** Entries that fold to the same state: what compaction keeps. */
export function snapshotOf(state: JournalState): JournalEntry[] {
  const entries: JournalEntry[] = [{ type: 'epoch', epoch: state.epoch }]
  for (const repository of state.dirty) entries.push({ type: 'dirty', repository })
  // Before the marks: a later attempt of the same run may have one, which would keep these from being read.
  for (const held of state.attempts.values()) entries.push(...entriesOf(held))
  const marks = [...state.marks]
  for (let at = 0; at < marks.length; at += marksPerLine) {
    const some = marks.slice(at, at + marksPerLine)
    entries.push({ type: 'marks', marks: some.map(([run, it]) => [run, it.attempt, it.why]) })
  }
  return entries
}

function entriesOf(held: HeldAttempt): JournalEntry[] {
  const { run, attempt, order, begunAt } = held
  const entries: JournalEntry[] = []
  if (order) entries.push({ type: 'accepted', order, begun: false, at: begunAt ?? (0 as Instant) })
  if (begunAt !== undefined) entries.push({ type: 'begun', run, attempt, at: begunAt })
  for (const child of held.children.values()) entries.push({ type: 'child', run, attempt, child })
  for (const [index, report] of held.steps.entries()) {
    const retry = held.retry && index === held.steps.length - 1
    entries.push({ type: 'step', run, attempt, report, retry })
  }
  if (held.outcome) entries.push({ type: 'outcome', job: held.job, report: held.outcome })
  return entries
}
