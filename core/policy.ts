/** Which of the slots that were missed is started: the latest (by default), none, or all of them up to a number. */
export const catchUps = ['latest', 'none', 'all'] as const

/** What becomes of a slot that finds a run open: it is skipped (by default), waits, has it cancelled, or does not mind. */
export const overlaps = ['skip', 'queue', 'cancel', 'allow'] as const

/** Missed slots that `catch_up: all` starts, at most. */
export const catchUpMost = 100

/** Entries of `exclusions`. */
export const exclusionsMost = 100

/** Failures that are counted: a job keeps more runs than that. */
export const failuresMost = 100

/** How a schedule behaves where slots and runs do not come one after the other. Times in milliseconds. */
export interface StartPolicies {
  /** Which of the slots that were missed is started: the latest, none, or all of them up to `catchUpMax`. */
  readonly catchUp: (typeof catchUps)[number]
  readonly catchUpMax: number
  /** What becomes of a slot that finds a run open: it is skipped, waits, has the run cancelled, or does not mind. */
  readonly overlap: (typeof overlaps)[number]
  /** Starts are spread over this time after their slots. */
  readonly jitterMs: number
  /** How late a start may be. Absent: one period, at most a day. */
  readonly startDeadlineMs?: number
  /** So many failures one after the other pause it. */
  readonly pauseAfterFailures?: number
}
