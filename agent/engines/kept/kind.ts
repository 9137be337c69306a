import type { Limits } from '../../../core/action.ts'
import type { DatastoreType } from '../../../core/datastores.ts'
import type { Databases } from '../../ports/databases.ts'
import type { Engine, EngineContext, EngineEvent } from '../../ports/engine.ts'
import type { Failure } from './ends.ts'
import type { Share } from './share.ts'
import type { Turns } from './turns.ts'

/** What a kind of database has of its own: how one that is in use is copied, and how a copy is checked. */
export interface Kind {
  readonly type: DatastoreType
  /** For people: `SQLite`. */
  readonly title: string
  readonly version: string
  readonly capabilities: readonly string[]
  /** What it appends to a database's file name for files that it would take as parts of it. */
  readonly besides: readonly string[]
  /** Makes `target`, a copy of `source` as of one instant, and checks it: the phases `scan` and `verify`. Never throws. */
  copy(files: { readonly source: string; readonly target: string }, work: Work): Worked
  /** Checks a file that nobody uses, thoroughly: the phase `verify`. Never throws. */
  check(file: string, work: Work): Worked
}

/** What a copy or a check is done with. */
export interface Work {
  readonly limits: Limits
  /** As in the environment of every child. */
  readonly stateMark: string
  /** Which parts of the whole step its phases are. */
  readonly shares: { readonly scan?: Share; readonly verify: Share }
  /** Its signal stops the work, and so does no progress for `stallMs`. */
  readonly context: EngineContext
}

/** Bytes of the file that was made or checked, or why there is none. */
export type Outcome =
  { readonly ok: true; readonly bytes: number } | { readonly ok: false; readonly failure: Failure }

/** Events but the end, and at last what came of it. */
export type Worked = AsyncGenerator<EngineEvent, Outcome, undefined>

/** What such an engine is made with. */
export interface KeptSettings {
  readonly databases: Databases
  /** Stores what was copied, and gives it back. */
  readonly keeper: Engine
  /** As in the environment of every child. */
  readonly stateMark: string
}

/** What every step of such an engine works with. */
export interface Parts extends KeptSettings {
  readonly kind: Kind
  /** One step at a time for each database. */
  readonly turns: Turns
}
