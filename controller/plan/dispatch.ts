import type { Instant } from '../../core/clock.ts'
import type { RunId } from '../../core/ids.ts'
import type { Held } from '../../core/link.ts'
import type { RunEvent } from '../../core/run-machine.ts'
import type { Reason, Run, RunState } from '../../core/run.ts'
import type { SetRecord } from '../../core/set.ts'

/** Where the run's client can be reached, as this server sees it. */
export type LineView =
  /**
   * Its line ends here. `held`: what the agent has of this run, by its hello and what it said since; `played`: whether
   * the run has been told of the hello; `sent`: what this line was last sent for it.
   */
  | {
      readonly is: 'here'
      readonly since: Instant
      readonly held: Held | undefined
      readonly played: boolean
      readonly sent: Sent | undefined
    }
  | { readonly is: 'elsewhere' }
  | { readonly is: 'none'; readonly since: Instant }
  /** It was shut out or forgotten: it will never be heard of again. */
  | { readonly is: 'gone' }

/** What this line was last sent for the run. */
export interface Sent {
  readonly run: RunId
  readonly what: 'order' | 'go' | 'cancel'
  readonly attempt: number
  readonly at: Instant
}

export type DispatchStep =
  /** Store the run after this event, then look again. */
  | { readonly do: 'play'; readonly event: RunEvent }
  /** `hold`: it shall wait for its go. */
  | { readonly do: 'order'; readonly attempt: number; readonly hold: boolean }
  | { readonly do: 'go'; readonly attempt: number; readonly goAtUs: number }
  | { readonly do: 'cancel'; readonly attempt: number }
  | { readonly do: 'sleep'; readonly until: Instant }
  | { readonly do: 'nothing' }

/** A message that was not answered is sent again after this. Milliseconds. Repeating is harmless: the journal decides. */
export const resendMs = 10_000

/**
 * How long a client may be without a line before its runs are shown as unknown. Milliseconds. A server that hands over, or a
 * short cut, is not worth two writes for each run.
 */
export const silentMs = 3_000

/**
 * What is to be done for a run now, by what is stored and where its client is. Asked again after every change; reads nothing.
 * `leadsSince`: this server looks after the runs of clients that have no line, since then.
 */
export function dispatch(
  run: Run,
  set: SetRecord | undefined,
  line: LineView,
  leadsSince: Instant | undefined,
  now: Instant,
): DispatchStep {
  const { state } = run
  if (state.is === 'finished') return { do: 'nothing' }
  switch (line.is) {
    case 'here':
      return whileHere(run, state, set, line, now)
    case 'elsewhere':
      return { do: 'nothing' }
    case 'gone':
      return leadsSince === undefined ? { do: 'nothing' } : { do: 'play', event: { type: 'removed' } }
    case 'none':
      return leadsSince === undefined ? { do: 'nothing' } : whileNone(state, line.since, leadsSince, now)
  }
}

type Open = Exclude<RunState, { is: 'finished' }>

function whileHere(
  { id }: Run,
  state: Open,
  set: SetRecord | undefined,
  { since, held, played, sent }: Extract<LineView, { is: 'here' }>,
  now: Instant,
): DispatchStep {
  if (!played) return { do: 'play', event: { type: 'back', held } }
  if (state.by <= now) return expired(state.is === 'waiting' && since > state.by ? leaderLost : undefined)
  switch (state.is) {
    case 'waiting':
      return state.from <= now ? { do: 'play', event: { type: 'offered' } } : sleep(state.from, state.by)
    case 'offered':
      // Left behind by its set, which will cancel it: an order now would start it out of step.
      if (!isWanted(id, set)) return { do: 'sleep', until: state.by }
      return (
        again(sent, 'order', state, now) ?? {
          do: 'order',
          attempt: state.attempt,
          hold: set?.phase.is === 'preparing',
        }
      )
    case 'armed': {
      const { attempt } = state
      if (set?.phase.is === 'started' && isWanted(id, set))
        return again(sent, 'go', state, now) ?? { do: 'go', attempt, goAtUs: set.phase.goAtUs }
      // Its set is gone or over: nobody will start it.
      if (set === undefined || set.phase.is === 'ended') return { do: 'play', event: { type: 'expired' } }
      return { do: 'sleep', until: state.by }
    }
    case 'running':
      return { do: 'sleep', until: state.by }
    case 'cancelling':
      return again(sent, 'cancel', state, now) ?? { do: 'cancel', attempt: state.attempt }
    case 'unknown':
      return { do: 'play', event: { type: 'back', held: held ?? perhapsHeld(state, sent) } }
  }
}

/** Whether its set, if it has one, goes on with it. */
const isWanted = (run: RunId, set: SetRecord | undefined): boolean =>
  set === undefined ||
  set.phase.is === 'preparing' ||
  (set.phase.is === 'started' && !set.phase.left.includes(run))

/**
 * A run called silent while its line was here. An order without an answer may have been taken: then a cancel must reach
 * the agent before the run is called aborted.
 */
const perhapsHeld = (state: Extract<Open, { is: 'unknown' }>, sent: Sent | undefined): Held | undefined =>
  sent?.what === 'order' && sent.attempt === state.attempt && state.was.is === 'cancelling'
    ? { run: sent.run, attempt: sent.attempt, state: 'running' }
    : undefined

function whileNone(state: Open, since: Instant, leadsSince: Instant, now: Instant): DispatchStep {
  if (state.by <= now)
    return expired(state.is === 'waiting' ? whyWaiting(state, since, leadsSince) : undefined)
  if (state.is === 'waiting' || state.is === 'unknown') return { do: 'sleep', until: state.by }
  const silentAt = (since + silentMs) as Instant
  return silentAt <= now ? { do: 'play', event: { type: 'silent' } } : sleep(silentAt, state.by)
}

/** Where its node was there, it has waited for a server that would have sent it. */
const whyWaiting = (
  { from, by }: Extract<Open, { is: 'waiting' }>,
  since: Instant,
  leadsSince: Instant,
): Reason => (since > from && leadsSince > by ? leaderLost : nodeAway)

const nodeAway: Reason = { code: 'agent_offline', text: 'its node was not connected in time' }

const leaderLost: Reason = { code: 'leader_lost', text: 'no server was there to start it in time' }

const expired = (why?: Reason): DispatchStep => ({
  do: 'play',
  event: { type: 'expired', ...(why ? { why } : {}) },
})

const sleep = (...instants: Instant[]): DispatchStep => ({
  do: 'sleep',
  until: Math.min(...instants) as Instant,
})

/** What was sent and is not due again yet: sleep until it is. */
function again(
  sent: Sent | undefined,
  what: Sent['what'],
  state: { readonly attempt: number; readonly by: Instant },
  now: Instant,
): DispatchStep | undefined {
  if (sent?.what !== what || sent.attempt !== state.attempt) return undefined
  const due = (sent.at + resendMs) as Instant
  return due > now ? sleep(due, state.by) : undefined
}
