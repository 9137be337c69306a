import { instant, monotonic, type Clock } from './clock.ts'

/** Longer timers overflow in setTimeout and fire at once. Milliseconds: 2^31 - 1. */
const timerMaxMs = 2_147_483_647

/** The clock of this machine: the one place that reads it. */
export const systemClock: Clock = {
  now: () => instant(Date.now()),
  monotonic: () => monotonic(performance.now()),
  sleep: async (ms, signal) => {
    for (let left = Math.max(0, ms); ; left -= timerMaxMs) {
      await sleepOnce(Math.min(left, timerMaxMs), signal)
      if (left <= timerMaxMs) return
    }
  },
  random: () => Math.random(),
}

function sleepOnce(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error)
    const stop = (): void => {
      clearTimeout(timer)
      reject(signal?.reason as Error)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop)
      resolve()
    }, ms)
    signal?.addEventListener('abort', stop, { once: true })
  })
}
