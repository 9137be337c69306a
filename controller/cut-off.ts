import type { Clock } from '../core/clock.ts'
import type { AgentLine } from './ports/lines.ts'
import type { Presence } from './presence.ts'
import type { State } from './state/state.ts'

/** So long the store may be silent before agents are sent on: twice the lease, so that others lead meanwhile. Milliseconds. */
const cutOffMs = 10_000

/** How soon they go then: spread, so that the others are not overrun. Milliseconds. */
const spreadMs = 5_000

/** Agents that come while the store is silent have been elsewhere, or will be back: they are sent on rarely. Milliseconds. */
const againMs = 60_000

/** How often it is looked at. Milliseconds. */
const lookMs = 1_000

export interface CutOffOptions {
  readonly state: Pick<State, 'staleMs'>
  readonly clock: Clock
  /** Whether there is another server, as far as was known last. */
  readonly presence: Pick<Presence, 'hasOthers'>
  readonly lines: { all(): Iterable<Pick<AgentLine, 'send'>> }
}

/**
 * Sends agents to other servers while this one does not hear of the store: what those decide could not be told to the agents
 * here. Nobody here knows whether the others hear of it, so each agent goes at most once, and then once a minute. Runs
 * until disposed.
 */
export function leaveWhenCutOff({ state, clock, presence, lines }: CutOffOptions): Disposable {
  const stop = new AbortController()
  const watch = async (): Promise<void> => {
    let sentAwayMs = 0
    while (!stop.signal.aborted) {
      await clock.sleep(lookMs, stop.signal).catch(() => undefined)
      const silentMs = state.staleMs
      if (silentMs === undefined) sentAwayMs = 0
      else if (silentMs >= (sentAwayMs === 0 ? cutOffMs : sentAwayMs + againMs) && presence.hasOthers()) {
        const withinMs = sentAwayMs === 0 ? spreadMs : againMs
        sentAwayMs = silentMs
        for (const line of lines.all()) line.send({ type: 'drain', withinMs })
      }
    }
  }
  void watch()
  return { [Symbol.dispose]: () => stop.abort() }
}
