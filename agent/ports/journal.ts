import type { Instant } from '../../core/clock.ts'
import type { JobId, RepositoryId, RunId } from '../../core/ids.ts'
import type { Epoch, Order } from '../../core/link.ts'
import type { Reason, Report, StepReport, Task } from '../../core/run.ts'

/**
 * What a later process of this agent must know of an order: which attempt it is and what is left of it. No secret, no
 * path and no command of it is written down.
 */
export interface KeptOrder extends Pick<
  Order,
  'run' | 'attempt' | 'job' | 'client' | 'slot' | 'session' | 'epoch' | 'before' | 'own'
> {
  readonly tasks: readonly Pick<Task, 'mandatory' | 'maxRetries' | 'repository'>[]
}

/** A process that the agent started; pid and start time name it for ever. */
export interface ChildRecord {
  readonly pid: number
  readonly startTime: string
  readonly command: string
}

/** Why no order for an attempt is taken any more. */
export type MarkWhy =
  /** Its report is in etcd. */
  | 'committed'
  /** It was refused for good. */
  | 'refused'
  /** It was cancelled before it came. */
  | 'absent'

interface OfAttempt {
  readonly run: RunId
  readonly attempt: number
}

/** One line of the journal. Applying one twice changes nothing. */
export type JournalEntry =
  /** `begun`: its first step may have been begun; otherwise it waits for a free place, or for its go. */
  | {
      readonly type: 'accepted'
      readonly order: KeptOrder
      readonly begun: boolean
      readonly at: Instant
    }
  | ({ readonly type: 'begun'; readonly at: Instant } & OfAttempt)
  | ({ readonly type: 'child'; readonly child: ChildRecord } & OfAttempt)
  | ({ readonly type: 'child_ended'; readonly pid: number } & OfAttempt)
  /** `retry`: the attempt ends here, to be tried again. */
  | ({ readonly type: 'step'; readonly report: StepReport; readonly retry: boolean } & OfAttempt)
  | { readonly type: 'outcome'; readonly job: JobId; readonly report: Report }
  | ({ readonly type: 'mark'; readonly why: MarkWhy; readonly reason?: Reason } & OfAttempt)
  /** Many marks in one line, as compaction writes them: run, attempt, why. */
  | { readonly type: 'marks'; readonly marks: readonly (readonly [RunId, number, MarkWhy])[] }
  | { readonly type: 'epoch'; readonly epoch: Epoch }
  /** A repository in which something was stopped halfway, so that it may hold a stale lock; and one that was looked after. */
  | { readonly type: 'dirty'; readonly repository: RepositoryId }
  | { readonly type: 'clean'; readonly repository: RepositoryId }

/**
 * The agent's memory over crashes. After a failure nothing is lost: the whole is written anew, from what the agent holds in
 * memory, at the next call.
 */
export interface Journal extends AsyncDisposable {
  /**
   * Resolves when the entry is on disk; calls that come together share one fsync. Throws Fault('busy') when it is not
   * (disk full, I/O error): it must then count as not written.
   */
  append(entry: JournalEntry): Promise<void>
  /** Handed to the kernel: survives this process, not the machine. Throws Fault('busy'). */
  note(entry: JournalEntry): void
  /** After a failure: writes the whole anew. Resolves when it is on disk; throws Fault('busy'). */
  repair(): Promise<void>
}

/** What a journal said when it was read. */
export interface JournalRead {
  readonly entries: readonly JournalEntry[]
  /** The last line was cut off, as a crash during a write leaves it. */
  readonly torn: boolean
  /** Lines (counted from 1) that cannot be read though others follow. */
  readonly damaged: readonly number[]
  /** Attempts that damaged lines seem to have been about: orders for them must not be taken. */
  readonly doubtful: readonly { readonly run: RunId; readonly attempt: number }[]
}
