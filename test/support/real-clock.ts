import { setTimeout as sleep } from 'node:timers/promises'
import { instant, monotonic, type Clock } from '../../core/clock.ts'

/** The machine's own time, for tests that run real programs. */
export const realClock: Clock = {
  now: () => instant(Date.now()),
  monotonic: () => monotonic(performance.now()),
  async sleep(ms, signal) {
    signal?.throwIfAborted()
    try {
      await sleep(ms, undefined, signal === undefined ? {} : { signal })
    } catch {
      signal?.throwIfAborted()
    }
  },
  random: () => Math.random(),
}
