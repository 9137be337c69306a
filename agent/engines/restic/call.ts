import type { Limits } from '../../../core/action.ts'
import type { RepositoryAccess } from '../../../core/link.ts'

/** One command of restic. */
export interface Call {
  readonly args: readonly string[]
  readonly access: RepositoryAccess
  readonly limits?: Limits
  /** Without movement for this long it is stopped. Milliseconds. */
  readonly stallMs: number
  /** What counts as movement: values that the caller shows the session, or bytes that restic reads. */
  readonly movement: 'values' | 'reading'
}
