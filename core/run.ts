import type { Action, FunctionCall } from './action.ts'
import type { Instant } from './clock.ts'
import type {
  ActionId,
  BackupId,
  ClientId,
  JobId,
  ProjectId,
  RepositoryId,
  RunId,
  SessionId,
  Slot,
  UserId,
} from './ids.ts'

/** How a run ends. `partial`: kept, but some sources could not be read. `lost`: nobody can say what became of it. */
export type Result = 'success' | 'partial' | 'failed' | 'aborted' | 'lost'

/** Why a step, an attempt or a run ended as it did: a stable word for programs, a sentence for people. */
export interface Reason {
  /** E.g. `locked`, `no_space`, `policy`, `agent_offline`, `over_time`, `cancelled`; those of an agent are in docs/agent.md. */
  readonly code: string
  readonly text: string
}

/** The backup that a step builds on or reads, pinned when the run is created. */
export interface Parent {
  readonly backup: BackupId
  /** The engine's own name for it (restic: the full snapshot id). */
  readonly engineRef: string
}

/** An action with all that was decided when the run was created. */
export interface Task {
  readonly actionId: ActionId
  readonly action: Action
  readonly maxRetries: number
  readonly retryAfterMs: number
  readonly mandatory: boolean
  readonly repository?: RepositoryId
  /** Backups: Freezer's level, and the parent of an incremental. */
  readonly level?: number
  readonly parent?: Parent
  /** Restores: what to restore. Forgets: what to drop. */
  readonly sources?: readonly Parent[]
  /** Set when the server already knows that it cannot be done; the run then ends `failed` with it. */
  readonly refusal?: Reason
}

/** What a step has moved. Sizes in bytes; absent: the engine does not say. */
export interface Stats {
  readonly filesNew?: number
  readonly filesChanged?: number
  readonly filesUnmodified?: number
  readonly bytesProcessed?: number
  /** Bytes not in the repository before, uncompressed. */
  readonly bytesAdded?: number
  /** Bytes that the repository grew by. */
  readonly bytesStored?: number
  readonly durationMs: number
}

/** What an engine says of what it saved. */
export interface Saved {
  readonly engineRef: string
  /** The repository's own id: it is expected from then on, so that a swapped repository is noticed. */
  readonly repositoryId?: string
  readonly engineVersion: string
  readonly paths: readonly string[]
}

/** A file that could not be read or written, or something else that the step went on without. */
export interface ItemError {
  /** Shown form; bytes that are no UTF-8 are replaced in it. */
  readonly path?: string
  /** The exact bytes, set only when `path` cannot hold them. */
  readonly pathBase64?: string
  /** errno name when known: EACCES … */
  readonly code?: string
  readonly message: string
}

/** The end of one action in one attempt, as the agent reports it. */
export interface StepReport {
  /** Index into the run's tasks. */
  readonly step: number
  readonly result: Result
  readonly reason?: Reason
  readonly stats?: Stats
  readonly saved?: Saved
  /** The first of them, at most 256 kB in a report; the rest is in the run's log. */
  readonly itemErrors: readonly ItemError[]
  readonly itemErrorCount: number
  readonly startedAt: Instant
  readonly endedAt: Instant
}

/** What an agent says at the end of an attempt. Published until a server says `committed`. */
export interface Report {
  readonly run: RunId
  readonly attempt: number
  readonly client: ClientId
  readonly steps: readonly StepReport[]
  /** `ended`: nothing is left to do. `retry`: the last step failed and has tries left. `interrupted`: the agent died or was stopped under it. */
  readonly end: 'ended' | 'retry' | 'interrupted' | 'aborted'
  readonly at: Instant
}

/** What a run remembers of a step: the last report of it, and how often it was tried. */
export interface Step {
  readonly tries: number
  readonly result?: Result | 'skipped'
  readonly reason?: Reason
  readonly stats?: Stats
  readonly backup?: BackupId
  readonly itemErrorCount?: number
  readonly startedAt?: Instant
  readonly endedAt?: Instant
}

/** A state with an agent, or on its way to one. */
export type HeldState =
  /** An order for it may be on its way or with the agent. */
  | {
      readonly is: 'offered'
      readonly attempt: number
      readonly at: Instant
      readonly by: Instant
    }
  /** The agent has it, is ready, and waits for its go. */
  | { readonly is: 'armed'; readonly attempt: number; readonly at: Instant; readonly by: Instant }
  | { readonly is: 'running'; readonly attempt: number; readonly since: Instant; readonly by: Instant }
  /** The agent was, or will be, told to stop it. */
  | { readonly is: 'cancelling'; readonly attempt: number; readonly why: Reason; readonly by: Instant }

/**
 * A field lives in the states that have it. Every state but `finished` has a deadline `by`, at which the event `expired` is
 * played.
 */
export type RunState =
  /** Not with any agent. `from`: not before (retries). `by`: the start deadline. */
  | { readonly is: 'waiting'; readonly attempt: number; readonly from: Instant; readonly by: Instant }
  | HeldState
  /** Its agent is silent: it may well be working. `was`: what it was when it was last heard of, or is wanted to be since. */
  | {
      readonly is: 'unknown'
      readonly attempt: number
      readonly since: Instant
      readonly by: Instant
      readonly was: HeldState
    }
  /** `attempt`: the one that it ended in. */
  | {
      readonly is: 'finished'
      readonly attempt: number
      readonly result: Result
      readonly at: Instant
      readonly reason?: Reason
    }

/** Where the measured start lies, for the start skew of a set. */
export interface Started {
  readonly at: Instant
  /** Microseconds of the server's wall clock since the epoch, by the agent's measured offset. */
  readonly atUs: number
  /** Half the width of the interval that the true start lies in. Microseconds. */
  readonly errorUs: number
}

/** One job on one client for one slot. */
export interface Run {
  readonly id: RunId
  readonly project: ProjectId
  readonly user: UserId
  readonly job: JobId
  readonly client: ClientId
  readonly slot: Slot
  readonly session?: { readonly id: SessionId; readonly tag: number }
  /** `job`: what the job asks for; its last one is the job's status. `restore`, `forget`: asked for beside it. */
  readonly purpose: 'job' | 'restore' | 'forget'
  /** What was called; without `action` it was not there. */
  readonly function?: FunctionCall
  /** Runs of one restore request share it. */
  readonly restore?: string
  /** Its agent started it by itself, while it had lost every server. */
  readonly own?: true
  readonly createdAt: Instant
  readonly tasks: readonly Task[]
  readonly steps: readonly Step[]
  /** How long an attempt may take once started, and how long its start may take. Milliseconds. */
  readonly limits: { readonly runMs: number; readonly startMs: number }
  readonly startedAt?: Instant
  /** When it was first taken to be running, while nothing is known of its measured start. */
  readonly begunAt?: Instant
  /** The measured start of the last attempt. */
  readonly started?: Started
  readonly state: RunState
}

/** Whether its result stands. */
export const isFinished = (run: Run): boolean => run.state.is === 'finished'

/** The attempt that is on its way or under way; of a finished run there is none. */
export const attemptOf = (run: Run): number | undefined =>
  run.state.is === 'finished' ? undefined : run.state.attempt
