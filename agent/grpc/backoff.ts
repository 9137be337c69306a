/**
 * The pause before the next try after `failures` in a row (from 1 on): doubled each time up to `maxMs`, and then between
 * half and all of it by `random` (in [0, 1)), so that agents that lost the same server do not come back in step. Milliseconds.
 */
export function backoffMs(failures: number, firstMs: number, maxMs: number, random: number): number {
  // 2^30 times any first pause is beyond any cap; more would only overflow.
  const full = Math.min(maxMs, firstMs * 2 ** Math.min(failures - 1, 30))
  return full * (0.5 + random / 2)
}
