import type { Clock } from '../../core/clock.ts'

/** Timers fire up to some tenths of a millisecond early and up to milliseconds late: the end is waited for by looking. */
const spinMs = 2
/** So many equal readings in a row: the clock does not move while one looks, as one that a test moves by hand. */
const stillMax = 100_000

/**
 * Resolves at `at` (milliseconds of the monotonic clock), or at once when that is over. Rejects with the signal's reason
 * when it aborts first.
 */
export async function waitUntil(at: number, clock: Clock, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  const early = at - spinMs - clock.monotonic()
  if (early > 0) await clock.sleep(early, signal)
  let still = 0
  for (let before = -1; ;) {
    const now = clock.monotonic()
    if (now >= at) return
    still = now === before ? still + 1 : 0
    before = now
    if (still > stillMax) await clock.sleep(at - now, signal)
  }
}
