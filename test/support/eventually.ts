// Waiting for a state instead of for a time.
import { setTimeout as sleep } from 'node:timers/promises'

/** How long to wait for a state, and how often to look. */
export interface EventuallyOptions {
  /** Bound after which the wait fails; 10 s when left out. Generous: it only costs time when the test fails anyway. */
  withinMs?: number
  /** Pause between two looks; 20 ms when left out. */
  everyMs?: number
}

/**
 * Calls `look` until it neither throws nor answers `false`, `null` or `undefined`, and returns what it answered.
 * So it takes a condition (`() => runs.size === 3`), a search (`() => runs.get(id)`) and assertions
 * (`() => { expect(...); return true }`) alike.
 * Throws an Error with the last answer or failure once `withinMs` are over.
 */
export async function eventually<T>(
  look: () => T | Promise<T>,
  { withinMs = 10_000, everyMs = 20 }: EventuallyOptions = {},
): Promise<Exclude<T, false | null | undefined>> {
  const giveUpAt = performance.now() + withinMs
  for (;;) {
    const { found, value, problem } = await attempt(look)
    if (found) return value as Exclude<T, false | null | undefined>
    if (performance.now() >= giveUpAt) {
      const last = problem instanceof Error ? problem.message : String(problem)
      throw new Error(`did not happen within ${withinMs} ms; last: ${last}`, { cause: problem })
    }
    await sleep(everyMs)
  }
}

async function attempt<T>(look: () => T | Promise<T>) {
  try {
    const value = await look()
    const found = value !== false && value !== null && value !== undefined
    return { found, value, problem: `answered ${String(value)}` as unknown }
  } catch (problem) {
    return { found: false, value: undefined, problem }
  }
}
