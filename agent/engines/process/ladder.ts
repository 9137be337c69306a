import type { Clock } from '../../../core/clock.ts'
import { groupLives, signalGroup } from './proc.ts'

/** Signals to a process group, each with how long it is given before the next. Milliseconds. */
export type Ladder = readonly { readonly signal: NodeJS.Signals; readonly waitMs: number }[]

/** What SIGKILL may take: a process in an uninterruptible system call dies only when that returns. */
const killWaitMs = 5_000

/** restic removes its lock on SIGINT; before 0.17 SIGTERM leaves it behind. */
export const resticLadder: Ladder = [
  { signal: 'SIGINT', waitMs: 20_000 },
  { signal: 'SIGTERM', waitMs: 10_000 },
  { signal: 'SIGKILL', waitMs: killWaitMs },
]

export const commandLadder: Ladder = [
  { signal: 'SIGTERM', waitMs: 2_000 },
  { signal: 'SIGKILL', waitMs: killWaitMs },
]

const lookEveryMs = 50

/**
 * Stops a process group rung by rung. Resolves with the last signal that was needed (none: nobody was there) and whether
 * the group is gone; never later than the sum of the waits.
 */
export async function stopGroup(
  group: number,
  ladder: Ladder,
  clock: Clock,
): Promise<{ readonly gone: boolean; readonly signal?: NodeJS.Signals }> {
  let sent: NodeJS.Signals | undefined
  for (const { signal, waitMs } of ladder) {
    if (!signalGroup(group, signal)) break
    sent = signal
    if (await groupGone(group, waitMs, clock)) break
  }
  return { gone: !groupLives(group), ...(sent === undefined ? {} : { signal: sent }) }
}

/** Looks, more and more rarely, until the group has no live member; false after `limitMs`. */
async function groupGone(group: number, limitMs: number, clock: Clock): Promise<boolean> {
  const end = clock.monotonic() + limitMs
  let pauseMs = lookEveryMs
  while (groupLives(group)) {
    const left = end - clock.monotonic()
    if (left <= 0) return false
    await clock.sleep(Math.min(pauseMs, left))
    pauseMs = Math.min(2 * pauseMs, 500)
  }
  return true
}
