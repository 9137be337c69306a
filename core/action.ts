import { datastores, isDatastore } from './datastores.ts'
import type { ActionId, BackupId, RepositoryId } from './ids.ts'

/** What a value of a published JSON document may be. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
/** An object of such a document. */
export type JsonObject = { [key: string]: Json }

/** Whether a value of a JSON document is an object. */
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** One entry of a job's `job_actions`, as users wrote it. */
export interface JobAction {
  readonly actionId: ActionId
  /** Tries after the first. */
  readonly maxRetries: number
  readonly maxRetriesIntervalS: number
  /** Run it even when an action before it failed. */
  readonly mandatory: boolean
  /** The open `freezer_action` object, kept as sent. What it means is decided by `meaningOf`. */
  readonly freezer: JsonObject
  /** Other keys of the entry, kept as sent. */
  readonly extra?: JsonObject
}

/** A saved action to be looked up at each start, and what it is called with: what Qinling's jobs and executions run. */
export interface FunctionCall {
  /** Named by itself, or what the alias pointed to when it was looked up. */
  readonly action?: ActionId
  readonly alias?: string
  /** 0: whatever it is by then. */
  readonly version: number
  /** Opaque text. Where it holds a JSON object, its `client_id` names the client and its other keys override arguments. */
  readonly input?: string
}

/** Where an action's data lies: resolved to a repository when the run is created. */
export type RepositoryChoice =
  | { readonly is: 'default' }
  | { readonly is: 'named'; readonly id: RepositoryId }
  | { readonly is: 'place'; readonly storage: 'local'; readonly container: string }

/** What a step may take of its node. Absent: no limit; the node's own configuration may set a lower one. */
export interface Limits {
  readonly uploadKiBs?: number
  readonly downloadKiBs?: number
  /** Niceness 0 to 19. */
  readonly nice?: number
  readonly ioClass?: 'idle' | 'best-effort'
  /** 0 (first) to 7 (last), for best-effort. */
  readonly ioLevel?: number
}

/** What a step does, with all that was said about how. `engine` names who does it. */
export type Action =
  | {
      readonly do: 'backup'
      readonly engine: string
      readonly backupName: string
      /** Absolute paths on the node; none for an instance. */
      readonly paths: readonly string[]
      /** A database that the agent looks after, by its key, in place of paths. */
      readonly instance?: string
      readonly excludes: readonly string[]
      readonly oneFileSystem: boolean
      /** A file that cannot be read makes the result `partial` (kept) or `failed` (kept, too). */
      readonly onUnreadable: 'partial' | 'fail'
      readonly levels: LevelRule
      readonly repository: RepositoryChoice
      readonly limits: Limits
    }
  | {
      readonly do: 'restore'
      readonly engine: string
      readonly from: RestoreChoice
      /** Only these paths of the backup; empty: all. */
      readonly include: readonly string[]
      /** Absolute; empty when an instance is created. */
      readonly target: string
      /** Create a database from a template of the node's configuration, under this key. */
      readonly create?: { readonly template: string; readonly instance: string; readonly name: string }
      /** Without it a target that is not empty is refused. */
      readonly overwrite: boolean
      readonly repository: RepositoryChoice
      readonly limits: Limits
    }
  | {
      readonly do: 'verify'
      readonly engine: string
      /** `structure`: indexes and trees; `data`: every byte, or part `n` of `of`. */
      readonly scope: 'structure' | 'data'
      readonly part?: { readonly n: number; readonly of: number }
      readonly repository: RepositoryChoice
      readonly limits: Limits
    }
  | {
      readonly do: 'forget'
      readonly engine: string
      readonly backups: readonly BackupId[]
      /** Give the space back now; otherwise a later clean-up of the repository does. */
      readonly free?: boolean
      readonly repository: RepositoryChoice
      readonly limits: Limits
    }
  | {
      readonly do: 'exec'
      readonly engine: 'exec'
      /** Argument vectors; several are joined as a pipe. Never a shell. */
      readonly commands: readonly (readonly string[])[]
      readonly timeLimitMs: number
      readonly limits: Limits
    }

/** Freezer's level options; none set: an endless chain. */
export interface LevelRule {
  readonly noIncremental: boolean
  readonly maxLevel?: number
  readonly alwaysLevel?: number
  readonly restartAlwaysLevelDays?: number
}

/** Which backup a restore takes: one by id, or the newest of a series not later than an instant. */
export type RestoreChoice =
  | { readonly is: 'backup'; readonly id: BackupId }
  | {
      readonly is: 'series'
      readonly backupName: string
      readonly hostname?: string
      readonly notAfter?: number
    }

/** The engine whose repositories hold what `engine` saves: itself, but for databases. */
export const keeperOf = (engine: string): string => (isDatastore(engine) ? datastores[engine].keeper : engine)
