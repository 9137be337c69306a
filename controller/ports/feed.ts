import type { JsonObject } from '../../core/action.ts'
import type { ClientId, JobId, ProjectId, RunId } from '../../core/ids.ts'
import type { Progress } from '../../core/link.ts'
import type { Report } from '../../core/run.ts'

/** A report as it came in; the client is the one whose credential published it. */
export interface Delivery {
  readonly project: ProjectId
  readonly client: ClientId
  readonly report: Report
  /** 1 for the first time this message is handed to any server. */
  readonly delivered: number
}

/**
 * Reports of agents. Each is handed to one of the servers, again after a while unless `handle` resolved: so `handle`
 * is idempotent. Messages that cannot be read are logged and dropped, never handed on. At most `atOnce` are under way.
 */
export interface ReportFeed extends AsyncDisposable {
  /** Connected to NATS and consuming. */
  healthy(): boolean
}
/** Takes a report: resolves when it is settled for good, rejects when it is to come again. */
export type ReportHandler = (delivery: Delivery) => Promise<void>

/** What operators can follow; kinds and fields are told in docs/events.md. */
export interface DomainEvent {
  readonly type: `run.${string}` | `set.${string}` | `client.${string}`
  readonly project: ProjectId
  readonly client?: ClientId
  readonly job?: JobId
  readonly run?: RunId
  /** `<session>.<tag>` of set events. */
  readonly set?: string
  readonly data: JsonObject
}

/** An event as it is read back. `subject`: the public one, of docs/events.md; empty of a `gap`, which nobody published. */
export interface FollowedEvent {
  readonly subject: string
  readonly project: ProjectId
  readonly data: JsonObject
  /** Stream sequence; absent for progress, which is not stored. */
  readonly sequence?: number
}

/** Tells the world. Best effort: never throws, never waits, drops when NATS is away. Decisions never depend on it. */
export interface EventSink {
  announce(event: DomainEvent): void
  progress(project: ProjectId, client: ClientId, job: JobId, progress: Progress): void
}

/** Reads back what was told, for SSE and the command line. */
export interface EventSource {
  /**
   * Events of a project from stream sequence `after` on (absent: from now; 0: from the first that is kept), progress included
   * when asked for. Where events behind `after` are not kept any more, an event of type `gap` comes first. Ends when the signal
   * aborts; throws Fault('feed_down') when NATS is away at the start.
   */
  follow(
    project: ProjectId,
    options: { readonly after?: number; readonly progress: boolean; readonly signal: AbortSignal },
  ): AsyncIterable<FollowedEvent>
  /** The stored log lines of a run, oldest first, then new ones while `follow`. */
  logs(
    project: ProjectId,
    client: ClientId,
    job: JobId,
    run: RunId,
    options: { readonly follow: boolean; readonly signal: AbortSignal },
  ): AsyncIterable<{ readonly at: number; readonly level: string; readonly text: string }>
}
