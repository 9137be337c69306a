/**
 * How long a silent agent's run stays `unknown` before it ends as `lost`. Milliseconds. Long, because the agent may be
 * working behind a cut line, and its report settles it as soon as it is back.
 */
export const unknownMs = 24 * 3_600_000

/**
 * How long a cancel may take before the run ends as `lost`: above the longest ladder of an engine (restic: 20 s, then 10 s,
 * then SIGKILL) and the cleaning up after it. Milliseconds.
 */
export const cancelMs = 5 * 60_000

/** After a "not now" of an agent the order is offered again after this. Milliseconds. */
export const busyMs = 2_000

/** How long an armed run waits for its go beyond the time that its session may take to prepare. Milliseconds. */
export const armedMs = 10 * 60_000

/** No pause between two tries grows beyond this; one that is asked for may be longer. Milliseconds. */
export const retryPauseMaxMs = 3_600_000
