import { datastores, type DatastoreType } from '../../core/datastores.ts'
import type { Databases, DatastoreTool } from '../ports/databases.ts'
import type { Engine } from '../ports/engine.ts'
import { execEngine } from './exec/engine.ts'
import type { KeptSettings } from './kept/kind.ts'
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

interface Kind {
  readonly engine: (settings: KeptSettings) => Engine
  readonly tool: DatastoreTool
}

/** What copies databases of each kind, and what looks at them. */
const kinds: Readonly<Record<DatastoreType, Kind>> = { sqlite: { engine: sqliteEngine, tool: sqliteTool } }
const types = Object.keys(datastores) as DatastoreType[]

/** For each kind of database how it is looked at. */
export const datastoreTools: readonly DatastoreTool[] = types.map((type) => kinds[type].tool)

/** All engines of an agent, by name. Builds only: what the node has is told by each engine's `probe`. */
export function createEngines(config: EnginesConfig): ReadonlyMap<string, Engine> {
  const { resticPath, stateMark, databases } = config
  const keepers = { restic: resticEngine({ program: resticPath ?? 'restic', stateMark }) }
  const copiers = types.map((type) => {
    const keeper = keepers[datastores[type].keeper]
    return kinds[type].engine({ keeper, databases, stateMark })
  })
  const engines = [keepers.restic, ...copiers, execEngine({ stateMark })]
  return new Map(engines.map((engine) => [engine.name, engine]))
}
