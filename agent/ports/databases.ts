import type { DatastoreType } from '../../core/datastores.ts'

/** A database that the agent looks after. */
export interface Database {
  /** Unique on the node; the form of `isInstanceKey`. */
  readonly key: string
  /** For people. */
  readonly name: string
  readonly datastore: DatastoreType
  /** Absolute: its file. */
  readonly path: string
  /** Its template's data root, below which it has to lie; absent for one that the configuration names itself. */
  readonly within?: string
  /** The step that made it; absent for one that the configuration names. */
  readonly madeBy?: MadeBy
}

/** `<run>` and the step's index, so that a later attempt at the step knows what an earlier one made. */
export interface MadeBy {
  readonly run: string
  readonly step: string
}

/** What databases may be made from. */
export interface Template {
  readonly name: string
  readonly datastore: DatastoreType
  /** Absolute: the folder that its databases lie in. */
  readonly root: string
}

/** Which databases and templates there are: those of the node's configuration, and what was made from the latter. */
export interface Databases {
  all(): readonly Database[]
  find(key: string): Database | undefined
  readonly templates: readonly Template[]
  /** Where a database that is made from a template lies. */
  pathOf(template: Template, key: string): string
  /** Durable when it resolves. Throws Fault('conflict') when the key is taken, and what the file system throws. */
  add(database: {
    readonly key: string
    readonly name: string
    readonly template: Template
    readonly madeBy: MadeBy
  }): Promise<void>
  /** Takes back an `add`. Throws what the file system throws. */
  remove(key: string): Promise<void>
  /**
   * Whether the file of one that was made here is not there, while the folder that it was made in is: the same one, and not
   * where its file system is mounted otherwise. Never throws; a file system that hangs may keep it for ever.
   */
  isMissing(key: string): Promise<boolean>
}

/** What can be said of a database without opening it. */
export interface Looked {
  readonly up: boolean
  /** Why no backup could be made of it: a sentence for people. */
  readonly problem?: string
  readonly bytes?: number
}

/** A kind of database as this agent's tools know it. */
export interface DatastoreTool {
  readonly type: DatastoreType
  /** Two numbers: `3.50`. */
  readonly version: string
  /** Never opens the database, never writes; never throws. A file system that hangs may keep it for ever. */
  look(path: string): Promise<Looked>
}
