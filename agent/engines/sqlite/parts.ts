import type { Databases } from '../../ports/databases.ts'
import type { Engine } from '../../ports/engine.ts'
import type { Turns } from './turns.ts'

/** What every step of this engine works with. */
export interface Parts {
  readonly databases: Databases
  /** Stores what was copied, and gives it back. */
  readonly keeper: Engine
  /** One step at a time for each database. */
  readonly turns: Turns
  /** As in the environment of every child. */
  readonly stateMark: string
}
