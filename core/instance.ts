import type { Instant } from './clock.ts'
import type {
  BackupId,
  ClientId,
  InstanceBackupId,
  InstanceId,
  ProjectId,
  RepositoryId,
  RunId,
  UserId,
} from './ids.ts'
import type { Reason } from './run.ts'

/** A kind of database and its version: `sqlite`, `3.50`. */
export interface Datastore {
  readonly type: string
  readonly version: string
}

/** What an agent says of a database that it looks after. */
export interface InstanceProbe {
  /** The agent's own name for it: 1 to 64 letters, digits, ".", "_" or "-", unique on its node. */
  readonly key: string
  /** For people. */
  readonly name: string
  readonly datastore: Datastore
  /** Whether a backup could be made of it now. */
  readonly up: boolean
  /** Why not: a sentence for people. */
  readonly problem?: string
  /** Its data, when known. */
  readonly bytes?: number
}

/** What an agent can create instances from, as its node's configuration says. */
export interface InstanceTemplate {
  /** Unique on its node; the same form as an instance's key. */
  readonly name: string
  readonly datastore: Datastore
}

/**
 * Where an instance stands. `building`: a restore into it is under way. `error`: that restore failed. `down`: its
 * agent says that no backup can be made of it, or (`gone`) does not announce it any more, or was shut out.
 */
export type InstanceState =
  | { readonly is: 'building'; readonly run: RunId }
  | { readonly is: 'active' }
  | { readonly is: 'down'; readonly why: string; readonly gone?: true }
  | { readonly is: 'error'; readonly why: string }

/** A database that an agent looks after. */
export interface Instance {
  readonly id: InstanceId
  readonly project: ProjectId
  readonly client: ClientId
  readonly key: string
  readonly name: string
  readonly datastore: Datastore
  readonly state: InstanceState
  readonly bytes?: number
  /** The backup that it was made from when somebody asked for it; absent for one that its agent had. */
  readonly madeFrom?: InstanceBackupId
  /** When the restore into it ended: what its agent said before cannot speak of it. */
  readonly builtAt?: Instant
  /** The backup that is being made of it: never more than one. */
  readonly busy?: InstanceBackupId
  /** The last thing that went wrong with it. */
  readonly fault?: { readonly at: Instant; readonly text: string; readonly details?: string }
  readonly createdAt: Instant
  readonly updatedAt: Instant
}

/** How far a backup of an instance is. `open`: its run tells. `restored`: a record of data that another record owns. */
export type InstanceBackupState =
  | { readonly is: 'open' }
  | { readonly is: 'completed' }
  | { readonly is: 'failed'; readonly reason: Reason }
  | { readonly is: 'restored' }

/** A backup of an instance, as those who asked for it know it; what was saved is in the catalogue. */
export interface InstanceBackup {
  readonly id: InstanceBackupId
  readonly project: ProjectId
  readonly user: UserId
  readonly name: string
  readonly description?: string
  /** Absent only for a `restored` one. */
  readonly instance?: InstanceId
  readonly client: ClientId
  readonly parent?: InstanceBackupId
  readonly datastore: Datastore
  /** Where its data goes, in the words of those who asked: a container is a repository of its own. */
  readonly container: string
  readonly repository?: RepositoryId
  readonly run?: RunId
  /** Its entry in the catalogue, once completed. */
  readonly backup?: BackupId
  readonly state: InstanceBackupState
  /** Bytes of the data that was saved, once the work has begun. */
  readonly bytes?: number
  /** Where the data lies; once completed. */
  readonly location?: string
  /** The run that removes its data. It keeps its state until that has ended. */
  readonly deleting?: RunId
  /** The last attempt to remove its data failed: it may be tried again. */
  readonly deleteFailed?: Reason
  readonly createdAt: Instant
  readonly updatedAt: Instant
}

/** Which container backups go to: of a project, or (`instance` not empty) of one instance. */
export interface BackupStrategy {
  readonly project: ProjectId
  readonly instance: string
  readonly container: string
}

/** Whether a text can be an agent's name for an instance or for a template. */
export const isInstanceKey = (text: string): boolean => /^[\w.-]{1,64}$/.test(text)
