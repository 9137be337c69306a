import { describe, expect, it } from 'vitest'
import { systemClock } from './clock-system.ts'

describe('the clock of this machine', () => {
  it('tells whole milliseconds, a monotonic time that does not run back, and chance below 1', () => {
    expect(Number.isSafeInteger(systemClock.now())).toBe(true)
    const first = systemClock.monotonic()
    expect(systemClock.monotonic()).toBeGreaterThanOrEqual(first)
    expect(systemClock.random()).toBeLessThan(1)
  })

  it('wakes a sleeper, at once when no time is left', async () => {
    await systemClock.sleep(1)
    await systemClock.sleep(-5)
  })

  it('wakes a sleeper early, with the reason, when its signal aborts', async () => {
    const stop = new AbortController()
    // Longer than a timer can be: such a one would fire at once.
    const asleep = systemClock.sleep(2 ** 40, stop.signal)
    await systemClock.sleep(1)
    stop.abort(new Error('going away'))
    await expect(asleep).rejects.toThrow('going away')
    await expect(systemClock.sleep(1, stop.signal)).rejects.toThrow('going away')
  })

  it('leaves no listener on a signal that outlives the sleep', async () => {
    const signal = new AbortController().signal
    let listeners = 0
    const counted: AbortSignal = Object.create(signal, {
      aborted: { value: false },
      addEventListener: { value: () => listeners++ },
      removeEventListener: { value: () => listeners-- },
    }) as AbortSignal
    await systemClock.sleep(1, counted)
    expect(listeners).toBe(0)
  })
})
