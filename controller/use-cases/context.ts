import type { Clock } from '../../core/clock.ts'
import type { ClientId, ProjectId, UserId } from '../../core/ids.ts'
import type { Role } from '../../core/catalogue.ts'
import type { State } from '../state/state.ts'

/** Who asks, as the token says. */
export interface Caller {
  readonly project: ProjectId
  readonly user: UserId
  readonly userName: string
  readonly role: Role
}

/** Seals secrets before they are stored. `where` binds a sealed text to its place. */
export interface Sealer {
  seal(secret: string, where: string): string
  /** Throws Fault('forbidden') when the key is another or the text was altered or moved. */
  open(sealed: string, where: string): string
}

/** Chance that must not be guessed, from outside the use cases. */
export interface Secrets {
  /** UUIDv4 without dashes. */
  uuid(): string
  /** URL-safe text of `bytes` random bytes. */
  random(bytes: number): string
}

/** What every use case is given. */
export interface Context {
  readonly state: State
  readonly clock: Clock
  readonly sealer: Sealer
  readonly secrets: Secrets
  readonly settings: Settings
  /** Whether the client's line ends at this server now. */
  holdsLine(project: ProjectId, client: ClientId): boolean
}

/** What the server's configuration says to use cases. */
export interface Settings {
  /** Where a client's default repository lies on its node; `{project}`, `{client}` and `{engine}` are filled in. */
  readonly defaultRepository: string
  /** How long a run may wait for its start, unless its schedule says otherwise. Milliseconds. */
  readonly startMs: number
  /** How long an attempt may take. Milliseconds. */
  readonly runMs: number
  /** How long the members of a session may take to be ready. Milliseconds. */
  readonly prepareMs: number
  /** Backups of instances that a project may have; those being deleted do not count. */
  readonly backupsPerProject: number
}
