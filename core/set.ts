import type { Instant } from './clock.ts'
import type { ClientId, JobId, ProjectId, RunId, SessionId, Slot, UserId } from './ids.ts'
import type { Reason, Result } from './run.ts'

/**
 * How consistent a set is, computed from evidence. G0: copied while it changed. G1: each member one instant of its own.
 * G2: within a measured window. G3: a consistent cut, proved by the barrier. G4: G3 with every quiesce done.
 */
export type Grade = 'G0' | 'G1' | 'G2' | 'G3' | 'G4'

/** One job on one client, pinned when the session was started. */
export interface Member {
  readonly job: JobId
  readonly client: ClientId
  readonly run: RunId
}

/** `abort`: a member that is not ready in time ends the start. `degrade`: the others go on without it. */
export type MissingPolicy = 'abort' | 'degrade'

/** Where a set stands. A field lives in the phases that have it. */
export type SetPhase =
  /** Runs are made and sent; each member says when it is armed. Ends at `by`. */
  | { readonly is: 'preparing'; readonly by: Instant }
  /** All armed members were, or will be, told to start at `goAtUs`: microseconds of the wall clock since the epoch. */
  | { readonly is: 'started'; readonly goAtUs: number; readonly left: readonly RunId[] }
  | { readonly is: 'cancelling'; readonly why: Reason }
  | { readonly is: 'ended'; readonly at: Instant; readonly outcome: SetOutcome }

/** What became of a set, from what its members reported. */
export interface SetOutcome {
  /** The worst of the members'. */
  readonly result: Result
  readonly grade: Grade
  /** Why it is not a better grade, or why it failed. */
  readonly reason?: Reason
  /** Latest minus earliest measured start, and the largest error of the measurement. Microseconds. */
  readonly startSkewUs?: number
  readonly startErrorUs?: number
}

/** Everything made under one `session_tag`. */
export interface SetRecord {
  readonly session: SessionId
  readonly tag: number
  readonly project: ProjectId
  readonly user: UserId
  readonly slot: Slot
  readonly admittedAt: Instant
  readonly members: readonly Member[]
  readonly missing: MissingPolicy
  readonly phase: SetPhase
}

/** The id of a set: unique in its project. */
export const setIdOf = (session: SessionId, tag: number): string => `${session}.${tag}`
