import { instant, later, type Instant } from './clock.ts'
import type { JobId, RunId } from './ids.ts'
import type { RepositoryAccess } from './access.ts'
import type { StartPolicies } from './policy.ts'
import type { Task } from './run.ts'
import type { Skip } from './skip.ts'
import type { SlotRule, Ticks } from './slots.ts'

/** What an agent may do with its own jobs' slots while it can reach no server, and what is said of that. docs/scheduling.md tells it. */

/** The line's protocol from which on plans are sent. */
export const autonomyProtocol = 2

/** How long an agent goes on without a server, at most. Milliseconds. */
export const autonomyMs = 7 * 86_400_000

/** How long servers may take to notice that a line is dead, so that nobody can say what an agent was told. Milliseconds. */
export const unnoticedMs = 30_000

/** Plans of one agent; its other jobs wait for the servers. */
export const plansMax = 200

/** Runs in one message of an agent that tells what it did. */
export const toldAtOnce = 40

/** Instants from one up to another, which does not belong to it. */
export interface Span {
  readonly from: Instant
  readonly to: Instant
}

/** Slots in instants, as an agent is told them: its own time zones may be others. */
export type SlotList =
  | { readonly is: 'interval'; readonly everyMs: number; readonly from?: Instant; readonly until?: Instant }
  | { readonly is: 'continuous'; readonly from?: Instant; readonly until?: Instant }
  /** In order. */
  | { readonly is: 'listed'; readonly at: readonly Instant[] }

/** When a job's next slots are, and how they are to be treated. */
export interface PlannedSchedule {
  readonly next: Instant
  readonly claimed?: Instant
  readonly left?: number
  /** Slots that failed one after the other, up to now. */
  readonly failures: number
  readonly slots: SlotList
  readonly policies: StartPolicies
  /** Nothing starts in them. */
  readonly excluded: readonly Span[]
}

/** All that an agent needs to go on with a job by itself. */
export interface JobPlan {
  /** Grows on a line: an older one that comes late says nothing. */
  readonly sequence: number
  readonly job: JobId
  readonly generation: number
  /** The server's clock when it was sent. */
  readonly now: Instant
  readonly schedule: PlannedSchedule
  readonly tasks: readonly Task[]
  readonly repositories: readonly RepositoryAccess[]
  /** An attempt is stopped after this long. Milliseconds. */
  readonly runMs: number
  /** What servers need to know of the runs that come of it: sealed by them, and given back. */
  readonly ticket: string
}

/** A run that an agent has started by itself. */
export interface OwnRun {
  readonly run: RunId
  readonly slot: Instant
  /** When it was decided on, by the servers' clock as far as the agent knows it. */
  readonly at: Instant
}

/** What an agent has decided of a job's slots by itself, up to one of them. */
export interface Decided {
  /** Which message of this agent's process it is. */
  readonly sequence: number
  readonly job: JobId
  readonly generation: number
  readonly ticket: string
  /** The newest slot that this tells of. */
  readonly upTo: Instant
  /** In the order of their slots; at most `toldAtOnce`. */
  readonly runs: readonly OwnRun[]
  readonly skips: readonly Skip[]
}

/** The rule that a list stands for. */
export const ruleOfList = (list: SlotList): SlotRule =>
  list.is === 'listed' ? { is: 'ticks', ticks: ticksIn(list.at) } : list

function ticksIn(at: readonly Instant[]): Ticks {
  return {
    next: (after) => at.find((tick) => tick > after),
    latest: (known, now) => at.findLast((tick) => tick <= now && tick >= known) ?? known,
  }
}

/** The end of the span that a slot falls into, when it does. */
export const excludedIn = (spans: readonly Span[], slot: Instant): Instant | undefined =>
  spans.find(({ from, to }) => from <= slot && slot < to)?.to

/** Until when an agent that was last heard of at `since` may go on by itself. */
export const mayActUntil = (since: Instant): Instant => later(since, autonomyMs)

/** The newest of some instants. */
export const newestOf = (...some: readonly (Instant | undefined)[]): Instant | undefined => {
  const known = some.filter((at) => at !== undefined)
  return known.length === 0 ? undefined : instant(Math.max(...known))
}
