import type { Role } from '../../core/catalogue.ts'
import type { ProjectId, UserId } from '../../core/ids.ts'

/** Who presents a token, as whoever issued it says. */
export interface Identity {
  readonly project: ProjectId
  readonly user: UserId
  readonly userName: string
  readonly role: Role
}

/** A service that issues tokens of its own and tells whose they are: Keystone. */
export interface IdentityService {
  /** Who presents this token, when that was asked a moment ago: the same object each time. */
  known(token: string): Identity | undefined
  /**
   * Asks unless it is known. Throws Fault 'unauthenticated' (unknown, expired, revoked, without a project), 'forbidden' (no role
   * that means anything here), or 'identity_down' when the service does not answer in time.
   */
  identify(token: string): Promise<Identity>
  /** Where callers get tokens: for the challenge of a 401. */
  readonly uri: string
}
