import type { Limits } from '../../core/action.ts'

/** What the node's own configuration allows, whatever a server asks for. */
export interface Policy {
  /** Folders (with all below them) that may be backed up. Absolute. */
  readonly paths: readonly string[]
  /** Folders below which may be restored. */
  readonly targets: readonly string[]
  /** Folders below which local repositories may lie, and the beginnings of the URLs of others. */
  readonly repositories: readonly string[]
  /** Absent: every engine that the agent has. */
  readonly engines?: readonly string[]
  /** Programs that exec may run, spelt as in the order: a name or an absolute path. */
  readonly commands: readonly string[] | 'any'
}

/** How much at once. */
export interface Capacity {
  /** Runs that move data. */
  readonly parallel: number
  /** Runs that only execute commands. */
  readonly light: number
  /** Accepted runs that wait for a place. */
  readonly queue: number
  /** For the whole node; bandwidth is divided among the parallel runs. */
  readonly limits: Limits
}

/** Whether the agent goes on with its jobs when it has lost every server, and after how long. Milliseconds. */
export interface Autonomy {
  readonly enabled: boolean
  readonly graceMs: number
}
