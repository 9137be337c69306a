import { isoOf, type Instant } from '../../core/clock.ts'

/** An instant as Qinling shows it: UTC, whole seconds, always with the Z. */
export const shownTime = (at: Instant): string => `${isoOf(at).slice(0, 19)}Z`

export const shownTimeOrNull = (at: Instant | undefined): string | null =>
  at === undefined ? null : shownTime(at)
