import type { Client } from '../../core/catalogue.ts'
import { attemptOf, type Run } from '../../core/run.ts'
import { setIdOf, type SetRecord } from '../../core/set.ts'
import type { JsonObject } from '../../core/action.ts'
import type { DomainEvent, EventSink } from '../ports/feed.ts'
import type { Committed } from '../state/state.ts'

/** Tells operators what this server's own writes changed: each change is told once, by the server that made it. */
export function announcer(events: EventSink): (committed: Committed) => void {
  return (committed) => {
    const event = eventOf(committed)
    if (event) events.announce(event)
  }
}

function eventOf({ kind, value, before }: Committed): DomainEvent | undefined {
  switch (kind) {
    case 'run':
      return runEvent(value, before)
    case 'set':
      return setEvent(value, before)
    case 'client':
      return clientEvent(value, before)
    default:
      return undefined
  }
}

function runEvent(run: Run, before: Run | undefined): DomainEvent | undefined {
  const { state } = run
  if (before && before.state.is === state.is && attemptOf(before) === attemptOf(run)) return undefined
  return {
    type: `run.${state.is}`,
    project: run.project,
    client: run.client,
    job: run.job,
    run: run.id,
    data: {
      run_id: run.id,
      job_id: run.job,
      client_id: run.client,
      slot: run.slot,
      session: run.session ? { session_id: run.session.id, tag: run.session.tag } : null,
      purpose: run.purpose,
      state: state.is,
      attempt: attemptOf(run) ?? null,
      ...(state.is === 'finished' ? finishedData(state) : {}),
    },
  }
}

const finishedData = (state: Extract<Run['state'], { is: 'finished' }>): JsonObject => ({
  result: state.result,
  reason: state.reason ? { code: state.reason.code, text: state.reason.text } : null,
})

function setEvent(set: SetRecord, before: SetRecord | undefined): DomainEvent | undefined {
  const { phase } = set
  if (before?.phase.is === phase.is) return undefined
  return {
    type: `set.${phase.is}`,
    project: set.project,
    set: setIdOf(set.session, set.tag),
    data: {
      session_id: set.session,
      tag: set.tag,
      members: set.members.length,
      phase: phase.is,
      ...(phase.is === 'ended'
        ? {
            result: phase.outcome.result,
            grade: phase.outcome.grade,
            start_skew_us: phase.outcome.startSkewUs ?? null,
            reason: phase.outcome.reason ? { ...phase.outcome.reason } : null,
          }
        : {}),
    },
  }
}

function clientEvent(client: Client, before: Client | undefined): DomainEvent | undefined {
  if (client.line.is === 'never' || before?.line.is === client.line.is) return undefined
  return {
    type: `client.${client.line.is}`,
    project: client.project,
    client: client.id,
    data: { client_id: client.id, line: client.line.is, version: client.agent?.version ?? null },
  }
}
