import type { RepositoryId } from './ids.ts'

/** What opens a repository. The password is a secret: it lives in memory and on the mTLS stream only. */
export interface RepositoryAccess {
  readonly id: RepositoryId
  readonly engine: string
  /** For the engine: a directory on the node, or a URL. */
  readonly location: string
  readonly password: string
  /** The repository's own id, when known: a swapped repository is refused. */
  readonly expectedId?: string
}
