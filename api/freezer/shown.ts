import type { JsonObject } from '../../core/action.ts'
import type { Instant } from '../../core/clock.ts'
import type { Result } from '../../core/run.ts'
import type { Context } from '../../controller/use-cases/context.ts'
import type { Recent } from '../../controller/use-cases/recent.ts'

/** What a view looks at beside the document itself. */
export interface Seen {
  readonly state: Context['state']
  readonly recent: Recent
}

/** v1 knows no projects; v2 shows the document's. */
export type Version = 'v1' | 'v2'

/** Whose a document is. */
export const ownerOf = (document: { project: string; user: string }, version: Version): JsonObject =>
  version === 'v1' ? { user_id: document.user } : { project_id: document.project, user_id: document.user }

/** Unix seconds; -1: never. */
export const secondsOf = (at: Instant | undefined): number => (at === undefined ? -1 : Math.floor(at / 1000))

/** Freezer's word for a result: a backup that is not whole is never called a success. */
export const resultWords = {
  success: 'success',
  partial: 'fail',
  failed: 'fail',
  aborted: 'aborted',
  lost: 'fail',
} as const satisfies Record<Result, string>

/** One word for several runs: the first that is no success. */
export const resultOf = (results: readonly Result[]): string =>
  resultWords[results.find((result) => result !== 'success') ?? 'success']
