/** Milliseconds since the Unix epoch, UTC. */
export type Instant = number & { readonly __instant: unique symbol }

/** Milliseconds of a monotonic clock of one process; comparable only within it. */
export type Monotonic = number & { readonly __monotonic: unique symbol }

/** Rounded to whole milliseconds. */
export const instant = (ms: number): Instant => Math.round(ms) as Instant
/** A reading of the process's monotonic clock. Milliseconds. */
export const monotonic = (ms: number): Monotonic => ms as Monotonic

/** `at` moved by `ms`. */
export const later = (at: Instant, ms: number): Instant => instant(at + ms)

/** ISO 8601 in UTC with milliseconds, as shown to people and in events. */
export const isoOf = (at: Instant): string => new Date(at).toISOString()

/** Time and chance come in from outside, so that a test moves them by hand. */
export interface Clock {
  /** Wall clock: the calendar, never a duration. */
  now(): Instant
  /** Durations and deadlines. */
  monotonic(): Monotonic
  /** Resolves after `ms` of the monotonic clock; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** Uniform in [0, 1): jitter only. */
  random(): number
}
