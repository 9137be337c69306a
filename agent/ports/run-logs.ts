import type { RunId } from '../../core/ids.ts'
import type { LogLine } from './engine.ts'

/** The node's own copy of what runs said, bounded by size and age. Best effort: never throws, never waits. */
export interface RunLogs extends AsyncDisposable {
  open(run: RunId, attempt: number): RunLog
}

export interface RunLog extends Disposable {
  write(line: LogLine): void
}
