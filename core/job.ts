import type { FunctionCall, JobAction, JsonObject } from './action.ts'
import type { Instant } from './clock.ts'
import type { ClientId, JobId, ProjectId, SessionId, UserId } from './ids.ts'
import type { Skip } from './skip.ts'

/** Trigger fields of Freezer's schedule, as sent and already validated; `triggerOf` says what they mean. */
export interface ScheduleFields {
  readonly schedule_date?: string
  readonly schedule_interval?: string
  readonly schedule_start_date?: string
  readonly schedule_end_date?: string
  readonly schedule_year?: string
  readonly schedule_month?: string
  readonly schedule_day?: string
  readonly schedule_week?: string
  readonly schedule_day_of_week?: string
  readonly schedule_hour?: string
  readonly schedule_minute?: string
  readonly schedule_second?: string
}

/** Where a schedule stands. Only the leader moves it, in the transaction that claims a slot. */
export interface Plan {
  /** Grows when the user changes the schedule: a claim that read an older one fails. */
  readonly generation: number
  /** The next slot; absent: none is due any more. */
  readonly next?: Instant
  /** The newest slot that became a run or was skipped. Nothing at or before it fires again. */
  readonly claimed?: Instant
  /** The newest slots that did not become runs, oldest first; at most `skipsMax` entries. */
  readonly skips?: readonly Skip[]
  /** When it was last resumed: failures before that do not pause it again. */
  readonly since?: Instant
  /** How many firings are left of `firn.count`; absent: no limit. */
  readonly left?: number
  /** The next slot where a user has set it, in place of the schedule's own; its ticks go on after it. */
  readonly set?: Instant
  /** What `next` was when the schedule was stopped. Shown; never fires. */
  readonly held?: Instant
  /** The slot claimed last, while runs of it are still to be made: it is for more clients than one write holds. */
  readonly making?: Making
}

/** Whatever client matches and has no run for the slot is still to get one: so it takes the same space for any number. */
export interface Making {
  readonly slot: Instant
  /** What is not made by then is not made any more: the start deadline. */
  readonly by: Instant
}

/** What a job of a client without an enrolled agent says of itself: stored as its scheduler sends it. */
export interface Reported {
  readonly status: string
  readonly result: string
  readonly event: string
  readonly timeCreated?: number
  readonly timeStarted: number
  readonly timeEnded: number
  readonly currentPid?: number
}

/** Actions for a client, or for all clients that match a selector, with a schedule. */
export interface Job {
  readonly id: JobId
  readonly project: ProjectId
  readonly user: UserId
  /** Absent only with a selector. */
  readonly client?: ClientId
  /** Labels that a client must have, all of them. */
  readonly selector?: Readonly<Record<string, string>>
  readonly description: string
  /** The description was given, if only as an empty text: Qinling tells that from none. */
  readonly named?: true
  readonly schedule: ScheduleFields
  /** Empty with a `function`: the saved action is looked up at each start. */
  readonly actions: readonly JobAction[]
  readonly function?: FunctionCall
  readonly session?: SessionId
  readonly sessionTag: number
  readonly sessionName?: string
  /** The optional `firn` object of extensions, as sent. */
  readonly firn?: JsonObject
  /** `stopped`: its schedule does not fire. Runs asked for by hand still start. `cancelled`: the same, for good. */
  readonly wanted: 'active' | 'stopped' | 'cancelled'
  /** Since when it is stopped by an event: a run that was under way then goes on to its end. */
  readonly stoppedAt?: Instant
  readonly reported?: Reported
  readonly plan: Plan
  /** The first slot that it was made for, where that was decided then: it does not change with the schedule. */
  readonly first?: Instant
  readonly createdAt: Instant
  /** The last change by a user, or firing. */
  readonly updatedAt?: Instant
  /** The last change by a user. */
  readonly changedAt?: Instant
  /** Freezer's `_version`: 1 at creation, one more with each change by a user. */
  readonly version: number
}

/** What the scheduler of a client without an agent says of its job's part in the newest round. Seconds since the epoch; -1: never. */
export interface ExternalMember {
  /** The round it is about: once the session's tag has moved on, it says nothing any more. */
  readonly tag: number
  /** `running` and `completed` in a round; before, what the job's own was when it became a member. */
  readonly status: string
  readonly result: string
  readonly timeStarted: number
  readonly timeEnded: number
}

/** Jobs of many clients that start together; `tag` counts the starts. */
export interface Session {
  readonly id: SessionId
  readonly project: ProjectId
  readonly user: UserId
  readonly description: string
  /** No second start within this time of the last. Seconds. */
  readonly holdOffS: number
  readonly tag: number
  readonly schedule: ScheduleFields
  readonly jobs: readonly JobId[]
  readonly firn?: JsonObject
  /** Other keys, kept as sent. */
  readonly extra?: JsonObject
  readonly wanted: 'active' | 'stopped'
  readonly plan: Plan
  readonly lastStart?: Instant
  /** By job: what their own schedulers said. */
  readonly external?: Readonly<Record<string, ExternalMember>>
  /** The last round that schedulers of their own have brought to its end: jobs that come later do not open it again. */
  readonly over?: { readonly tag: number; readonly result: 'success' | 'fail'; readonly atS: number }
  readonly createdAt: Instant
  readonly version: number
}
