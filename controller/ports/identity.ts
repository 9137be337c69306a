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
  /**
   * Answers at once when it still knows the token, else after asking. Throws Fault 'unauthenticated' (unknown, expired,
   * revoked, without a project), 'forbidden' (no role that means anything here), or 'store_down' when the service does not
   * answer within its deadline and the token is not known.
   */
  identify(token: string): Identity | Promise<Identity>
  /** Where callers get tokens: for the challenge of a 401. */
  readonly uri: string
}
