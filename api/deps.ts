import type { EventSource } from '../controller/ports/feed.ts'
import type { IdentityService } from '../controller/ports/identity.ts'
import type { Live } from '../controller/ports/live.ts'
import type { Context } from '../controller/use-cases/context.ts'
import type { EnrolDeps } from '../controller/use-cases/enrol.ts'
import type { Recent } from '../controller/use-cases/recent.ts'
import type { Rate } from './auth/buckets.ts'
import type { Unfinished } from '../controller/use-cases/unfinished.ts'
import type { RequestCounts } from './counts.ts'
import type { JobTexts } from './freezer/job-texts.ts'
import type { OpenStreams } from './open-streams.ts'

/** One request that was answered, for the log. */
export interface AnsweredRequest {
  readonly requestId: string
  readonly method: string
  /** The route's pattern, not the path: ids stay out of metrics. */
  readonly route: string
  readonly path: string
  readonly status: number
  readonly durationMs: number
  readonly project?: string
  readonly user?: string
}

/** Where the API tells what it does. Neither call may throw; secrets never get here. */
export interface ApiLog {
  answered(request: AnsweredRequest): void
  /** Something nobody foresaw: the error with its cause. */
  failed(
    error: unknown,
    request: { readonly requestId: string; readonly method: string; readonly route: string },
  ): void
}

/** Everything the API stands on. */
export interface ApiDeps {
  readonly context: Context
  readonly live: Live
  readonly events: EventSource
  readonly enrol: EnrolDeps
  /** Asked about tokens that are not Firn's own; absent: there are no others. */
  readonly identity?: IdentityService
  /** What one token may ask for; absent: 20,000 a second. */
  readonly requests?: Rate
  readonly log: ApiLog
  /** Of the program. */
  readonly version: string
}

/** What routes are given: the dependencies and what the API keeps for itself. */
export interface Served extends ApiDeps {
  readonly recent: Recent
  readonly unfinished: Unfinished
  readonly jobTexts: JobTexts
  readonly counts: RequestCounts
  readonly streams: OpenStreams
  /** Aborts when the server goes away: streams end then. */
  readonly stopping: AbortSignal
  /** Waits until reads show everything acknowledged before. One read of the store serves all who wait. */
  caughtUp(): Promise<void>
}
