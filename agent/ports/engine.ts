import type { Action } from '../../core/action.ts'
import type { Clock } from '../../core/clock.ts'
import type { EngineProbe, Phase, Progress, RepositoryAccess, TreeEntry } from '../../core/link.ts'
import type { ItemError, Parent, Reason, Result, Saved, Stats } from '../../core/run.ts'

/** What a tool needs to be run at all; looking into a repository and cleaning it up take no more. */
export interface ToolContext {
  /** `<run>.<attempt>`; goes into the environment of every child, so that orphans are found after a crash. */
  readonly attemptId: string
  /** For caches and temporary files of this engine; survives. 0700. */
  readonly stateDir: string
  /** Abort asks the engine to stop: by its own ladder, then harder. The result is then `aborted`. */
  readonly signal: AbortSignal
  readonly clock: Clock
  /** Told of each child right after it was started, before anything is read from it, and again when it has ended. */
  readonly children: ChildLedger
  log(line: LogLine): void
}

/** What an engine is given for one step of one attempt. */
export interface EngineContext extends ToolContext {
  /**
   * Put on what is saved: run, step, job, client … Values hold no comma. `run` and `step` (its index) let an engine take
   * over what an earlier attempt at the step has saved; without them it never does.
   */
  readonly tags: Readonly<Record<string, string>>
  /** The stable name of the node, for engines that keep one. */
  readonly host: string
  /** Without a new progress value for this long the step is stopped as `stalled`. Milliseconds. */
  readonly stallMs: number
}

/** Where the agent writes down which children it has, so that a later process finds those that outlived it. */
export interface ChildLedger {
  started(child: { readonly pid: number; readonly startTime: string; readonly command: string }): void
  ended(pid: number): void
}

/** A line for the log of a run. `agent`: not the tool's, but said about it. */
export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly stream: 'stdout' | 'stderr' | 'agent'
  readonly text: string
}

/** Of each kind of action what an engine needs beyond it. */
export type EngineTask =
  | {
      readonly do: 'backup'
      readonly action: Extract<Action, { do: 'backup' }>
      readonly repository: RepositoryAccess
      readonly level: number
      readonly parent?: Parent
    }
  | {
      readonly do: 'restore'
      readonly action: Extract<Action, { do: 'restore' }>
      readonly repository: RepositoryAccess
      readonly source: Parent
    }
  | {
      readonly do: 'verify'
      readonly action: Extract<Action, { do: 'verify' }>
      readonly repository: RepositoryAccess
    }
  | {
      readonly do: 'forget'
      readonly action: Extract<Action, { do: 'forget' }>
      readonly repository: RepositoryAccess
      readonly sources: readonly Parent[]
    }
  | {
      readonly do: 'exec'
      readonly action: Extract<Action, { do: 'exec' }>
      readonly env: Readonly<Record<string, string>>
    }

/** Progress as an engine knows it; the agent adds which run and step, smooths rates and holds the fraction. */
export type EngineProgress = Omit<
  Progress,
  'run' | 'attempt' | 'step' | 'fraction' | 'bytesPerSecond' | 'secondsLeft'
> & {
  readonly fraction?: number
}

/** What an engine tells while it works. */
export type EngineEvent =
  | { readonly type: 'phase'; readonly phase: Phase }
  | { readonly type: 'progress'; readonly progress: EngineProgress }
  | { readonly type: 'item_error'; readonly error: ItemError }
  /** Exactly one, last. */
  | EngineEnd

/** How a step ended. A `failed` one that saved something all the same says what. */
export interface EngineEnd {
  readonly type: 'end'
  readonly result: Result
  readonly reason?: Reason
  /** Whether trying again can help. */
  readonly retryable: boolean
  readonly stats?: Stats
  readonly saved?: Saved
  /** The engine's own id of the repository it worked in: `RepositoryAccess.expectedId` from then on. */
  readonly repositoryId?: string
}

/**
 * A proven tool behind one shape. `run` never throws: whatever the tool, its output or the disk does comes out as the one
 * `end` event; leaving the iteration early stops the tool.
 */
export interface Engine {
  readonly name: string
  /** Binary, version, capabilities. Never writes; never throws. */
  probe(signal: AbortSignal): Promise<EngineProbe>
  /** Which actions it can do at all. */
  readonly does: readonly Action['do'][]
  run(task: EngineTask, context: EngineContext): AsyncIterable<EngineEvent>
  /** What lies under `path` of a backup. Throws Fault('tool_failed' | 'not_found' | 'unsupported' | 'timeout' | 'cancelled'). */
  browse(
    repository: RepositoryAccess,
    engineRef: string,
    path: string,
    limit: number,
    context: ToolContext,
  ): Promise<{ readonly entries: readonly TreeEntry[]; readonly more: boolean }>
  /** Removes what a dead attempt left: stale locks. Never throws; says what it did through `log`. */
  cleanUp(repository: RepositoryAccess, context: ToolContext): Promise<void>
  /**
   * Removes what an earlier process of this agent left on the node outside repositories. Called before the first order,
   * when no child of that process runs any more. Never throws.
   */
  settle?(stateDir: string): Promise<void>
}
