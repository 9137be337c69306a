import { instant, type Instant } from './clock.ts'
import type { RunId } from './ids.ts'
import type { Reason, Result, Run } from './run.ts'
import type { Grade, Member, SetOutcome, SetRecord } from './set.ts'
import { overall } from './steps.ts'

/** The runs of a set's members, as far as they exist yet. */
export type MemberRuns = (run: RunId) => Run | undefined

/**
 * The set after a look at its runs. Level-triggered: it takes no event, so a lost wake-up or a new leader changes nothing.
 *
 *     preparing ──all armed──► started ──all finished──► ended
 *         └── one missing, policy abort ──► cancelling ───▲
 *
 * `leadMs`: how far ahead of now the common start instant is set. The barrier of a provable cut has its place between
 * `preparing` and `started`.
 */
export function advanceSet(set: SetRecord, runs: MemberRuns, now: Instant, leadMs: number): SetRecord {
  const next = step(set, runs, now, leadMs)
  // As far as it goes now, so that a second look at the same moment finds nothing left: a phase never comes back.
  return next === set ? set : advanceSet(next, runs, now, leadMs)
}

function step(set: SetRecord, runs: MemberRuns, now: Instant, leadMs: number): SetRecord {
  switch (set.phase.is) {
    case 'preparing':
      return whilePreparing(set, set.phase.by, runs, now, leadMs)
    case 'started':
      return isOver(set, runs, now)
        ? { ...set, phase: { is: 'ended', at: now, outcome: outcomeOf(set, runs) } }
        : set
    case 'cancelling':
      return isOver(set, runs, now)
        ? {
            ...set,
            phase: { is: 'ended', at: now, outcome: { ...outcomeOf(set, runs), reason: set.phase.why } },
          }
        : set
    case 'ended':
      return set
  }
}

/** Asked to stop by somebody. */
export function cancelSetRecord(set: SetRecord, why: Reason): SetRecord {
  return set.phase.is === 'ended' || set.phase.is === 'cancelling'
    ? set
    : { ...set, phase: { is: 'cancelling', why } }
}

/** Members whose runs are to be cancelled: all of a set that is cancelling, those left behind of one that started. */
export function toCancel(set: SetRecord): { readonly members: readonly Member[]; readonly why: Reason } {
  switch (set.phase.is) {
    case 'cancelling':
      return { members: set.members, why: set.phase.why }
    case 'started': {
      const left = new Set(set.phase.left)
      return {
        members: set.members.filter((member) => left.has(member.run)),
        why: { code: 'not_ready', text: 'it was not ready when its session started' },
      }
    }
    default:
      return { members: [], why: { code: 'none', text: '' } }
  }
}

type Readiness = 'pending' | 'armed' | 'out'

function readinessOf(run: Run | undefined): Readiness {
  if (!run) return 'pending'
  switch (run.state.is) {
    case 'armed':
      return 'armed'
    case 'finished':
    case 'cancelling':
    case 'running': // started by something else than this set's go: not in step with the others
      return 'out'
    case 'waiting':
    case 'offered':
    case 'unknown':
      return 'pending'
  }
}

function whilePreparing(
  set: SetRecord,
  by: Instant,
  runs: MemberRuns,
  now: Instant,
  leadMs: number,
): SetRecord {
  const byReadiness = (wanted: Readiness): Member[] =>
    set.members.filter((member) => readinessOf(runs(member.run)) === wanted)
  const out = byReadiness('out')
  const pending = byReadiness('pending')
  const late = now >= by
  if (set.missing === 'abort' && (out.length > 0 || (late && pending.length > 0)))
    return cancelSetRecord(set, missingReason(set, out.length > 0 ? out : pending, runs))
  if (pending.length > 0 && !late) return set
  if (out.length + pending.length === set.members.length && set.members.length > 0)
    return cancelSetRecord(set, missingReason(set, [...out, ...pending], runs))
  const left = [...out, ...pending].map((member) => member.run)
  return { ...set, phase: { is: 'started', goAtUs: (now + leadMs) * 1_000, left } }
}

function missingReason(set: SetRecord, missing: readonly Member[], runs: MemberRuns): Reason {
  const [first] = missing
  const state = first && runs(first.run)?.state
  const why = state?.is === 'finished' && state.reason ? `: ${state.reason.text}` : ''
  const names = missing.slice(0, 5).map((member) => member.client)
  const more = missing.length > names.length ? ` and ${missing.length - names.length} more` : ''
  return {
    code: 'member_missing',
    text: `${missing.length} of ${set.members.length} members were not ready (${names.join(', ')}${more})${why}`,
  }
}

/** How long after its start a set still waits for runs that were not made yet. Milliseconds. */
const neverMadeMs = 60_000

/** Every member has ended, or was never made (its job or node went first): a set does not wait for those for ever. */
const isOver = (set: SetRecord, runs: MemberRuns, now: Instant): boolean =>
  set.members.every((member) => {
    const run = runs(member.run)
    return run === undefined ? now > set.admittedAt + neverMadeMs : run.state.is === 'finished'
  })

/** What a set is worth, from what its members reported. */
export function outcomeOf(set: SetRecord, runs: MemberRuns): SetOutcome {
  const members = set.members.map((member) => runs(member.run))
  const results = members.map((run): Result => (run?.state.is === 'finished' ? run.state.result : 'aborted'))
  const starts = members.flatMap((run) => (run?.started ? [run.started] : []))
  const result = overall(results)
  const at = starts.map((start) => start.atUs)
  const why = members.find((run) => run?.state.is === 'finished' && run.state.result === result)
  return {
    result,
    ...gradeOf(),
    ...(result !== 'success' && why?.state.is === 'finished' && why.state.reason
      ? { reason: why.state.reason }
      : {}),
    ...(starts.length > 0
      ? {
          startSkewUs: Math.max(...at) - Math.min(...at),
          startErrorUs: Math.max(...starts.map((start) => start.errorUs)),
        }
      : {}),
  }
}

/** Without a freeze driver files are copied while they change; a common start instant proves nothing. */
const gradeOf = (): { grade: Grade } => ({ grade: 'G0' })

/** The start instant of a set in whole milliseconds, for people. */
export const goAtOf = (set: SetRecord): Instant | undefined =>
  set.phase.is === 'started' ? instant(set.phase.goAtUs / 1_000) : undefined
