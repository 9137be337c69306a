import type { JobId, RunId } from '../../core/ids.ts'
import type { Report } from '../../core/run.ts'
import type { LogLine } from './engine.ts'

/** Publishes to NATS under this client's own subjects. Connects in the background and keeps trying. */
export interface Publisher extends AsyncDisposable {
  /**
   * Resolves when JetStream has stored the report (message id `<run>.<attempt>.<mark of this agent>`, so a repeat within its
   * window is dropped there). Throws Fault('feed_down' | 'timeout'): try again later, with the same report.
   */
  publish(job: JobId, report: Report): Promise<void>
  /** Best effort, bounded: lines are dropped while NATS is away (the agent keeps its own copy). */
  log(job: JobId, run: RunId, attempt: number, line: LogLine): void
  connected(): boolean
}
