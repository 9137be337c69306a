import type { JsonObject } from './action.ts'
import type { Instant } from './clock.ts'
import type { InstanceTemplate } from './instance.ts'
import type { EngineProbe } from './link.ts'
import type {
  BackupId,
  ClientId,
  JobId,
  ProjectId,
  RepositoryId,
  RunId,
  ServerId,
  SessionId,
  UserId,
} from './ids.ts'
import type { Stats } from './run.ts'

/** What was saved, by which run, with which engine, in which repository, on which parent. */
export interface Backup {
  readonly id: BackupId
  readonly project: ProjectId
  readonly user: UserId
  readonly job: JobId
  readonly client: ClientId
  readonly run: RunId
  readonly step: number
  readonly backupName: string
  readonly engine: string
  /** The engine's own name for it. */
  readonly engineRef: string
  readonly engineVersion: string
  readonly repository: RepositoryId
  readonly paths: readonly string[]
  readonly level: number
  readonly parent?: BackupId
  /** Of the step that saved it. `failed`: it is there, but no restore of a series takes it and no level builds on it. */
  readonly result: 'success' | 'partial' | 'failed'
  readonly startedAt: Instant
  readonly endedAt: Instant
  readonly stats?: Stats
  readonly itemErrorCount: number
  readonly session?: { readonly id: SessionId; readonly tag: number }
  /** The run that removes its data: nothing is restored from it or built on it any more. */
  readonly forgetting?: RunId
}

/** A backup that an agent of another kind registered: its metadata as sent. */
export interface ForeignBackup {
  readonly id: BackupId
  readonly project: ProjectId
  readonly user: UserId
  readonly userName: string
  readonly metadata: JsonObject
  readonly createdAt: Instant
}

/** Where an engine keeps data, and the secret that opens it. */
export interface Repository {
  readonly id: RepositoryId
  readonly project: ProjectId
  /** The node whose own it is; absent: shared. */
  readonly client?: ClientId
  readonly engine: string
  readonly location: string
  /** Sealed with the servers' key; opened only to be sent to an agent. */
  readonly sealedPassword: string
  /** The repository's own id, once an agent has told it. */
  readonly engineId?: string
  readonly createdAt: Instant
}

/** Where a client's stream ends. Written when it opens and when it is lost, never in between. */
export type Line =
  | { readonly is: 'never' }
  /**
   * `alone`: its agent goes on with its jobs by itself when it has lost every server. `settling`: it did, and has not told all of
   * it yet; so of changes since `behind` it has not heard.
   */
  | {
      readonly is: 'up'
      readonly server: ServerId
      readonly since: Instant
      readonly alone?: true
      readonly settling?: true
      readonly behind?: Instant
    }
  | { readonly is: 'down'; readonly since: Instant; readonly alone?: true; readonly behind?: Instant }

/** An agent's admission, by the SHA-256 of its certificate. */
export interface Enrolled {
  readonly at: Instant
  readonly fingerprint: string
  /** The certificate before the last renewal: still admitted, for the agent may have died before it kept the new one. */
  readonly previous?: string
  readonly revokedAt?: Instant
}

/** A node with an agent, or one that an old scheduler registered. */
export interface Client {
  readonly id: ClientId
  readonly project: ProjectId
  readonly user: UserId
  readonly hostname: string
  readonly description: string
  readonly uuid: string
  readonly extra?: JsonObject
  /** Present once an agent has enrolled: then its jobs are planned and run by the servers. */
  readonly enrolled?: Enrolled
  readonly agent?: {
    readonly version: string
    readonly os: string
    readonly hostname: string
    readonly incarnation: string
    readonly engines: readonly EngineProbe[]
    /** What it may create databases from. */
    readonly templates?: readonly InstanceTemplate[]
  }
  readonly labels: Readonly<Record<string, string>>
  readonly line: Line
  readonly createdAt: Instant
}

/** What a token allows, the most first: `viewer` looks, `operator` also changes and starts, `admin` also lets in and shuts out. */
export const roles = ['admin', 'operator', 'viewer'] as const

/** One of them. */
export type Role = (typeof roles)[number]

/** A REST credential. Only the hash of its secret is kept. */
export interface Token {
  readonly id: string
  readonly project: ProjectId
  readonly user: UserId
  readonly userName: string
  readonly role: Role
  /** SHA-256 of the secret, hex. The secret has 256 random bits, so no slow hash is needed. */
  readonly hash: string
  readonly createdAt: Instant
  readonly expiresAt?: Instant
  readonly revokedAt?: Instant
}

/** A single-use permission for one node to enrol. */
export interface JoinToken {
  readonly id: string
  readonly project: ProjectId
  readonly user: UserId
  /** Only this client may use it; absent: any new name. */
  readonly client?: ClientId
  readonly hash: string
  readonly createdAt: Instant
  readonly expiresAt: Instant
  readonly used?: { readonly at: Instant; readonly by: ClientId }
}

/** A live server: its key in etcd goes when its lease does. */
export interface Server {
  readonly id: ServerId
  /** host:port for agents. */
  readonly agents: string
  readonly http: string
  readonly version: string
  readonly startedAt: Instant
  /** The newest format that it reads of each kind of document; absent: the first. */
  readonly reads?: Readonly<Record<string, number>>
  /** It is about to end: agents are to go to the others. */
  readonly draining?: true
}
