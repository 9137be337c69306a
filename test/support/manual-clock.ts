import { instant, monotonic, type Clock } from '../../core/clock.ts'

/** A clock that moves by hand only. */
export interface ManualClock extends Clock {
  /** Times that somebody sleeps for now: how long each has to go. Milliseconds, in order. */
  readonly sleeping: readonly number[]
  /** Lets time pass; sleepers wake in order. */
  advance(ms: number): void
}

interface Sleeper {
  readonly until: number
  wake(): void
}

/** `random` is what chance says each time. */
export function manualClock(random: () => number = () => 0.5): ManualClock {
  let now = 0
  let sleepers: readonly Sleeper[] = []
  const drop = (sleeper: Sleeper) => (sleepers = sleepers.filter((other) => other !== sleeper))
  return {
    now: () => instant(1_900_000_000_000 + now),
    monotonic: () => monotonic(now),
    random,
    async sleep(ms, signal) {
      signal?.throwIfAborted()
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const sleeper = { until: now + ms, wake: resolve }
      sleepers = [...sleepers, sleeper].toSorted((a, b) => a.until - b.until)
      const aborted = () => {
        drop(sleeper)
        reject(signal?.reason as Error)
      }
      signal?.addEventListener('abort', aborted, { once: true })
      await promise
      signal?.removeEventListener('abort', aborted)
    },
    get sleeping() {
      return sleepers.map(({ until }) => until - now)
    },
    advance(ms) {
      now += ms
      for (const sleeper of sleepers) {
        if (sleeper.until > now) break
        drop(sleeper)
        sleeper.wake()
      }
    },
  }
}
