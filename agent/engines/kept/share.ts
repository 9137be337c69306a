import type { EngineProgress } from '../../ports/engine.ts'

/** The part of a step that one of its phases is: fractions of the whole. */
export interface Share {
  readonly from: number
  readonly to: number
}

/** The progress of a part as that of the whole: `done` and `total` stay the part's own. */
export function scaled(progress: EngineProgress, { from, to }: Share): EngineProgress {
  const { done, total, fraction = total === undefined || total <= 0 ? 0 : done / total } = progress
  return { ...progress, fraction: from + (to - from) * Math.min(1, Math.max(0, fraction)) }
}
