import { later, type Instant } from './clock.ts'
import { unreachable } from './fault.ts'
import { armedMs, busyMs, cancelMs, retryPauseMaxMs, unknownMs } from './limits.ts'
import type { Held } from './link.ts'
import { foldAborted, foldGone, foldLost, foldReport } from './report.ts'
import type { HeldState, Reason, Report, Result, Run, RunState, Started } from './run.ts'
import { nextStep, skipRest } from './steps.ts'

/** What can happen to a run: what its agent said, what a user or server asked for, and time. */
export type RunEvent =
  /** A server is about to send the order. */
  | { readonly type: 'offered' }
  | { readonly type: 'accepted'; readonly attempt: number; readonly armed: boolean }
  | { readonly type: 'refused'; readonly attempt: number; readonly reason: Reason; readonly final: boolean }
  | { readonly type: 'started'; readonly attempt: number; readonly started: Started }
  | { readonly type: 'reported'; readonly report: Report }
  /** The agent's journal does not have the attempt, and will not take it any more. */
  | { readonly type: 'absent'; readonly attempt: number }
  /** The agent's line is gone. */
  | { readonly type: 'silent' }
  /** The agent is back and says what it holds of this run. */
  | { readonly type: 'back'; readonly held: Held | undefined }
  | { readonly type: 'cancel'; readonly why: Reason }
  /** The deadline of the state has passed. `why`: what a run that waited for its node has waited for. */
  | { readonly type: 'expired'; readonly why?: Reason }
  /** An operator took the node out for good. */
  | { readonly type: 'removed' }

/**
 * The run after `event`. Every state has an answer to every event: duplicates, stale reports and late cancels are
 * ordinary inputs. The same object comes back when nothing changes. No clock, no I/O.
 *
 *     waiting ──offered──► offered ──accepted──► running ──reported──► finished
 *        ▲                    │ └──(held)──► armed ──started──▲  │
 *        └── refused: busy ───┘                 silent ▼ ▲ back  └── retry ──► waiting (attempt + 1)
 *     any but waiting ──cancel──► cancelling        unknown
 */
export function advance(run: Run, event: RunEvent, now: Instant): Run {
  const { state } = run
  if (event.type === 'reported' && !isAbout(run, event.report)) return run
  switch (state.is) {
    case 'waiting':
      return whileWaiting(run, state, event, now)
    case 'offered':
    case 'armed':
    case 'running':
    case 'cancelling':
      return whileHeld(run, state, event, now)
    case 'unknown':
      return whileUnknown(run, state, event, now)
    case 'finished':
      return run // a result stands: a report may come twice
    default:
      return unreachable(state)
  }
}

/** A report of another run, or by a node that this run is not for, is nothing to it. */
const isAbout = (run: Run, report: Report): boolean => report.run === run.id && report.client === run.client

function whileWaiting(
  run: Run,
  state: Extract<RunState, { is: 'waiting' }>,
  event: RunEvent,
  now: Instant,
): Run {
  switch (event.type) {
    case 'offered':
      return enter(run, { is: 'offered', attempt: state.attempt, at: now, by: state.by })
    case 'cancel':
      return finish(foldAborted(run, event.why), 'aborted', now, event.why)
    case 'expired':
      return finish(run, 'failed', now, event.why ?? notTaken)
    case 'removed':
      return finish(run, 'failed', now, { code: 'node_removed', text: 'the node was removed' })
    case 'reported':
      return event.report.attempt === state.attempt ? settle(run, event.report, now, undefined) : run
    case 'accepted':
    case 'started':
      // An order that was taken back as "not now" and yet was taken: the agent's word counts.
      return event.attempt === state.attempt ? whileHeld(run, offeredNow(state, now), event, now) : run
    case 'refused':
    case 'absent':
    case 'silent':
    case 'back':
      return run
    default:
      return unreachable(event)
  }
}

const notTaken: Reason = { code: 'start_deadline', text: 'the node did not take it in time' }

const offeredNow = (state: { attempt: number; by: Instant }, now: Instant): HeldState => ({
  is: 'offered',
  attempt: state.attempt,
  at: now,
  by: state.by,
})

function whileHeld(run: Run, state: HeldState, event: RunEvent, now: Instant): Run {
  switch (event.type) {
    case 'offered':
      return run
    case 'accepted':
      return event.attempt === state.attempt ? enter(run, afterAccept(run, state, event.armed, now)) : run
    case 'started':
      return event.attempt === state.attempt ? start(run, state, event.started, now) : run
    case 'refused':
      return event.attempt === state.attempt ? afterRefusal(run, state, event, now) : run
    case 'reported':
      return event.report.attempt === state.attempt
        ? settle(run, event.report, now, state.is === 'cancelling' ? state.why : undefined)
        : run
    case 'absent':
      return event.attempt === state.attempt ? afterAbsence(run, state, now) : run
    case 'silent':
      return enter(run, {
        is: 'unknown',
        attempt: state.attempt,
        since: now,
        by: later(now, unknownMs),
        was: state,
      })
    case 'back':
      return afterReturn(run, state, event.held, now)
    case 'cancel':
      return state.is === 'cancelling' ? run : enter(run, cancelling(state.attempt, event.why, now))
    case 'expired':
      return afterDeadline(run, state, now)
    case 'removed':
      return lose(run, now, { code: 'node_removed', text: 'the node was removed while it had the run' })
    default:
      return unreachable(event)
  }
}

function whileUnknown(
  run: Run,
  state: Extract<RunState, { is: 'unknown' }>,
  event: RunEvent,
  now: Instant,
): Run {
  switch (event.type) {
    case 'silent':
    case 'offered':
      return run
    case 'cancel':
      return state.was.is === 'cancelling'
        ? run
        : enter(run, { ...state, was: cancelling(state.attempt, event.why, now) })
    case 'expired':
      return lose(run, now, { code: 'silent', text: 'its node has not been heard of for too long' })
    case 'back': {
      const was = resumed(state.was, now)
      return whileHeld({ ...run, state: was }, was, event, now)
    }
    case 'removed':
    case 'accepted':
    case 'started':
    case 'refused':
    case 'reported':
    case 'absent': {
      const heard: Run = { ...run, state: state.was }
      const after = whileHeld(heard, state.was, event, now)
      // What changes no state does not end the silence; a measured start is kept all the same.
      return after === heard ? run : after.state === state.was ? enter(after, state) : after
    }
    default:
      return unreachable(event)
  }
}

/** A cancel that waited for the node has its full time from the moment the node is back: only then can it be told. */
const resumed = (was: HeldState, now: Instant): HeldState =>
  was.is === 'cancelling' ? cancelling(was.attempt, was.why, now) : was

const cancelling = (attempt: number, why: Reason, now: Instant): HeldState => ({
  is: 'cancelling',
  attempt,
  why,
  by: later(now, cancelMs),
})

function afterAccept(run: Run, state: HeldState, armed: boolean, now: Instant): HeldState {
  if (state.is !== 'offered') return state
  return armed
    ? { is: 'armed', attempt: state.attempt, at: now, by: later(now, armedMs) }
    : running(run, state.attempt, now)
}

const running = (run: Run, attempt: number, now: Instant): HeldState => ({
  is: 'running',
  attempt,
  since: now,
  by: later(now, run.limits.runMs),
})

function start(run: Run, state: HeldState, started: Started, now: Instant): Run {
  const known = run.started?.atUs === started.atUs && run.started.errorUs === started.errorUs
  const marked: Run = known ? run : { ...run, startedAt: run.startedAt ?? started.at, started }
  return state.is === 'offered' || state.is === 'armed'
    ? enter(marked, running(run, state.attempt, now))
    : marked
}

function afterRefusal(
  run: Run,
  state: HeldState,
  event: Extract<RunEvent, { type: 'refused' }>,
  now: Instant,
): Run {
  switch (state.is) {
    case 'cancelling':
      return run // it may be of a second copy of the order: `absent` or the report answers the cancel
    case 'offered':
      return event.final
        ? finish(run, 'failed', now, event.reason)
        : enter(run, { is: 'waiting', attempt: state.attempt, from: later(now, busyMs), by: state.by })
    case 'armed':
    case 'running':
      return run // it was taken before: a second copy of the order was refused
  }
}

function afterAbsence(run: Run, state: HeldState, now: Instant): Run {
  switch (state.is) {
    case 'cancelling':
      return finish(foldAborted(run, state.why), 'aborted', now, state.why)
    case 'offered':
      // The attempt can never be taken any more, and was not: another number, no try used up.
      return enter(run, { is: 'waiting', attempt: state.attempt + 1, from: now, by: state.by })
    case 'armed':
    case 'running':
      return loseAttempt(run, state.attempt, now)
  }
}

function afterReturn(run: Run, state: HeldState, held: Held | undefined, now: Instant): Run {
  if (held?.attempt === state.attempt)
    return state.is === 'offered' || (state.is === 'armed' && held.state !== 'armed')
      ? enter(run, afterAccept(run, { ...offeredNow(state, now) }, held.state === 'armed', now))
      : run
  if (held && held.attempt > state.attempt) return run
  switch (state.is) {
    case 'offered':
      return run // never arrived: the order is sent again, under the same number
    case 'cancelling':
      return finish(foldAborted(run, state.why), 'aborted', now, state.why)
    case 'armed':
    case 'running':
      return loseAttempt(run, state.attempt, now)
  }
}

function afterDeadline(run: Run, state: HeldState, now: Instant): Run {
  switch (state.is) {
    case 'offered':
      return enter(run, cancelling(state.attempt, notTaken, now))
    case 'armed':
      return enter(
        run,
        cancelling(state.attempt, { code: 'no_go', text: 'its session did not start it' }, now),
      )
    case 'running':
      return enter(
        run,
        cancelling(state.attempt, { code: 'over_time', text: 'it took longer than allowed' }, now),
      )
    case 'cancelling':
      return lose(run, now, { code: 'cancel_unanswered', text: 'the node did not say that it stopped' })
  }
}

/** The journal says that the attempt does not run and has no report: nobody can say how far it came. */
function loseAttempt(run: Run, attempt: number, now: Instant): Run {
  return goOn(foldLost(run), attempt, now)
}

/** Nobody can say any more what became of it. */
const lose = (run: Run, now: Instant, reason: Reason): Run =>
  finish(foldGone(run, reason), 'lost', now, reason)

function settle(run: Run, report: Report, now: Instant, cancelled: Reason | undefined): Run {
  const folded = foldReport(run, report)
  if (report.end === 'aborted' || (cancelled && report.end !== 'ended')) {
    const why = cancelled ?? folded.why ?? { code: 'cancelled', text: 'stopped on the node' }
    return finish(foldAborted(folded.run, why), 'aborted', now, why)
  }
  return goOn(folded.run, report.attempt, now)
}

/** After an attempt: the next one, or the end. */
function goOn(run: Run, attempt: number, now: Instant): Run {
  const next = nextStep(run.tasks, run.steps)
  if (next.do === 'end') return finish(run, next.result, now, whyOf(run, next.result))
  const from = later(now, pauseMs(run.tasks[next.step]?.retryAfterMs ?? 0, run.steps[next.step]?.tries ?? 0))
  return enter(run, { is: 'waiting', attempt: attempt + 1, from, by: later(from, run.limits.startMs) })
}

/** How long the next try is put off: twice as long each time, up to a bound. Milliseconds. */
export function pauseMs(firstMs: number, tries: number): number {
  if (tries === 0) return 0
  return Math.max(firstMs, Math.min(firstMs * 2 ** (tries - 1), retryPauseMaxMs))
}

/** The reason of the first step that ended as the whole did. */
const whyOf = (run: Run, result: Result): Reason | undefined =>
  run.steps.find((step) => step.result === result)?.reason

function finish(run: Run, result: Result, at: Instant, reason: Reason | undefined): Run {
  return {
    ...run,
    steps: skipRest(run.steps),
    state: {
      is: 'finished',
      attempt: run.state.attempt,
      result,
      at,
      ...(reason === undefined ? {} : { reason }),
    },
  }
}

function enter(run: Run, state: RunState): Run {
  if (run.state === state) return run
  const isFirst = state.is === 'running' && (run.startedAt ?? run.begunAt) === undefined
  return { ...run, ...(isFirst ? { begunAt: state.since } : {}), state }
}
