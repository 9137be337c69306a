import type { Databases, DatastoreTool } from '../ports/databases.ts'
import type { Engine } from '../ports/engine.ts'
import { execEngine } from './exec/engine.ts'
import { resticEngine } from './restic/engine.ts'
import { sqliteEngine } from './sqlite/engine.ts'
import { sqliteTool } from './sqlite/look.ts'

export interface EnginesConfig {
  /** An absolute path; absent: the first `restic` in PATH. */
  readonly resticPath?: string
  /**
   * Tells this agent's children from those of another agent on the node, e.g. the path of its state directory. Stays the
   * same over restarts; `findOrphans` takes the same text.
   */
  readonly stateMark: string
  readonly databases: Databases
}

/** All engines of an agent, by name. Builds only: what the node has is told by each engine's `probe`. */
export function createEngines(config: EnginesConfig): ReadonlyMap<string, Engine> {
  const { resticPath, stateMark, databases } = config
  const restic = resticEngine({ program: resticPath ?? 'restic', stateMark })
  const engines = [restic, sqliteEngine({ keeper: restic, databases, stateMark }), execEngine({ stateMark })]
  return new Map(engines.map((engine) => [engine.name, engine]))
}

/** The kinds of databases that the engines know. */
export const datastores: readonly DatastoreTool[] = [sqliteTool]
