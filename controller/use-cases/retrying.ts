import { isFault } from '../../core/fault.ts'
import type { Context } from './context.ts'

/** Writers of one document that meet each other this often are not helped by one more try. */
const triesMax = 12

/** No new try after this time, so that the answer comes within 2 s even when the last one is slow. Milliseconds. */
const withinMs = 1_500

/** Pause before the second try, doubled up to eight times as long, with jitter. Milliseconds. */
const pauseMs = 4

/**
 * Reads, decides and commits again while somebody else was faster (Fault 'stale_write'), each time on a state that has
 * caught up. `attempt` must do all its reading inside. Throws what `attempt` throws, 'stale_write' after the last try,
 * and 'store_down' when the store does not answer.
 */
export async function retrying<T>(
  { clock, state }: Pick<Context, 'clock' | 'state'>,
  attempt: () => Promise<T>,
): Promise<T> {
  const giveUpAt = clock.monotonic() + withinMs
  for (let tries = 1; ; tries++) {
    try {
      return await attempt()
    } catch (error) {
      if (!isFault(error, 'stale_write') || tries >= triesMax || clock.monotonic() >= giveUpAt) throw error
    }
    await clock.sleep(pauseMs * Math.min(2 ** (tries - 1), 8) * (0.5 + clock.random()))
    await state.catchUp()
  }
}

/**
 * Does it again, on a state that has caught up, when the first answer was that it cannot be done now: another server may just
 * have ended what stood in its way.
 */
export async function surely<T>({ state }: Pick<Context, 'state'>, attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt()
  } catch (error) {
    if (!isFault(error, 'busy', 'too_much', 'conflict', 'unsupported')) throw error
  }
  await state.catchUp()
  return attempt()
}
