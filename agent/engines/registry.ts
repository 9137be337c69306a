import type { Engine } from '../ports/engine.ts'
import { execEngine } from './exec/engine.ts'
import { resticEngine } from './restic/engine.ts'

export interface EnginesConfig {
  /** An absolute path; absent: the first `restic` in PATH. */
  readonly resticPath?: string
  /**
   * Tells this agent's children from those of another agent on the node, e.g. the path of its state directory. Stays the
   * same over restarts; `findOrphans` takes the same text.
   */
  readonly stateMark: string
}

/** All engines of an agent, by name. Builds only: what the node has is told by each engine's `probe`. */
export function createEngines({ resticPath, stateMark }: EnginesConfig): ReadonlyMap<string, Engine> {
  const engines = [resticEngine({ program: resticPath ?? 'restic', stateMark }), execEngine({ stateMark })]
  return new Map(engines.map((engine) => [engine.name, engine]))
}
