import type {
  Backup,
  Client,
  ForeignBackup,
  JoinToken,
  Repository,
  Server,
  Token,
} from '../../core/catalogue.ts'
import type { JobAction } from '../../core/action.ts'
import type { ActionId, ProjectId, UserId } from '../../core/ids.ts'
import type { BackupStrategy, Instance, InstanceBackup } from '../../core/instance.ts'
import type { Instant } from '../../core/clock.ts'
import type { Job, Session } from '../../core/job.ts'
import type { Run } from '../../core/run.ts'
import type { SetRecord } from '../../core/set.ts'
import type { Kind, Ref, Requirement } from '../ports/backend.ts'
import type { Epoch } from '../../core/link.ts'

/** An action stored by itself, to be used by jobs. */
export interface ActionDocument extends JobAction {
  readonly project: ProjectId
  readonly user: UserId
  readonly createdAt: Instant
  readonly version: number
}

/** A name for a saved action that jobs may follow: where it points is looked up at each start. */
export interface Alias {
  readonly project: ProjectId
  readonly user: UserId
  readonly name: string
  readonly action: ActionId
  readonly version: number
  readonly description: string
  readonly createdAt: Instant
  readonly updatedAt?: Instant
}

/** The answer to a request that came with an idempotency key, so that the same request gets the same answer. */
export interface KeptAnswer {
  /** SHA-256 of the user and the key, hex. */
  readonly id: string
  readonly project: ProjectId
  /** SHA-256 of method, path and body, hex: another request with the same key is refused. */
  readonly request: string
  /** The server process that works on it, while it does. */
  readonly server?: string
  /** Absent while the request is being worked on. `body` is sealed. */
  readonly answer?: { readonly status: number; readonly body: string; readonly etag?: string }
  readonly createdAt: Instant
}

/**
 * Written with every backup of an instance that a project makes, and another with every instance: two that would share the
 * last place of its quota meet in it, on whichever servers they are asked for.
 */
export interface QuotaMark {
  readonly project: ProjectId
  /** Ever made. */
  readonly made: number
}

/** What is stored under each kind. */
export interface Documents {
  job: Job
  session: Session
  set: SetRecord
  run: Run
  client: Client
  backup: Backup
  foreign: ForeignBackup
  action: ActionDocument
  repository: Repository
  token: Token
  join: JoinToken
  server: Server
  instance: Instance
  instance_backup: InstanceBackup
  strategy: BackupStrategy
  quota: QuotaMark
  alias: Alias
  answer: KeptAnswer
}

/** A document as it was read. */
export interface Stored<T> {
  readonly value: T
  /** Of its last write: what a later write must name. */
  readonly revision: number
}

/** One write of a typed transaction. */
export type Put = {
  [K in Kind]: {
    readonly kind: K
    readonly project: string
    readonly id: string
    readonly value: Documents[K]
  }
}[Kind]

/** Typed writes that happen together or not at all. */
export interface Transaction {
  /** Revision 0: must not exist. */
  readonly requires: readonly Requirement[]
  readonly puts: readonly Put[]
  readonly deletes?: readonly Ref[]
  /** Only while this epoch's leader leads. */
  readonly epoch?: Epoch
}

/** A write of a whole document. */
export const put = <K extends Kind>(kind: K, project: string, id: string, value: Documents[K]): Put =>
  ({ kind, project, id, value }) as Put

/** The name of a document. */
export const ref = (kind: Kind, project: string, id: string): Ref => ({ kind, project, id })

/** "It must still be as I read it" (absent: it must not exist). */
export const unchanged = (
  kind: Kind,
  project: string,
  id: string,
  read: Stored<unknown> | undefined,
): Requirement => ({
  kind,
  project,
  id,
  revision: read?.revision ?? 0,
})
