import type { JsonObject } from '../../core/action.ts'
import { isoOf } from '../../core/clock.ts'
import type { Job, Session } from '../../core/job.ts'
import type { Result, Run } from '../../core/run.ts'
import { setIdOf, type SetRecord } from '../../core/set.ts'
import { isServerRun } from '../../controller/use-cases/job-planning.ts'
import { ownerOf, resultOf, secondsOf, type Seen, type Version } from './shown.ts'
import { endOf } from './standing.ts'

/** A session as Freezer shows it: its jobs' part in the newest round from that round's runs. */
export function sessionView(seen: Seen, session: Session, version: Version): JsonObject {
  const { state } = seen
  const set = state.get('set', session.project, setIdOf(session.id, session.tag))?.value
  const round: Round = { seen, session, set, runs: runsByJob(seen, set) }
  const entries = session.jobs.flatMap((id) => {
    const job = state.get('job', session.project, id)?.value
    return job ? [[id, memberView(round, job)] as const] : []
  })
  const standing = standingOf(
    round,
    entries.map(([, entry]) => entry),
  )
  return {
    ...session.extra,
    session_id: session.id,
    ...ownerOf(session, version),
    description: session.description,
    hold_off: session.holdOffS,
    session_tag: session.tag,
    ...standing,
    last_start: session.lastStart === undefined ? '' : isoOf(session.lastStart).slice(0, 19),
    time_start: secondsOf(session.lastStart),
    time_started: secondsOf(session.lastStart),
    time_ended: standing['time_end'] ?? -1,
    schedule: { ...session.schedule },
    jobs: Object.fromEntries(entries),
    ...(session.firn ? { firn: session.firn } : {}),
    _version: session.version,
  }
}

/** The newest round of a session, with the runs of its set. A run may be missing: not made yet, or never. */
interface Round {
  readonly seen: Seen
  readonly session: Session
  readonly set: SetRecord | undefined
  readonly runs: ReadonlyMap<string, readonly (Run | undefined)[]>
}

function runsByJob({ state }: Seen, set: SetRecord | undefined): Map<string, (Run | undefined)[]> {
  const runs = new Map<string, (Run | undefined)[]>()
  for (const { job, run } of set?.members ?? []) {
    const found = state.get('run', set?.project ?? '', run)?.value
    const known = runs.get(job)
    if (known) known.push(found)
    else runs.set(job, [found])
  }
  return runs
}

interface Entry extends JsonObject {
  client_id: string
  status: string
  result: string
  time_started: number
  time_ended: number
}

function memberView({ seen, session, set, runs }: Round, job: Job): Entry {
  const client_id = job.client ?? ''
  const said = session.external?.[job.id]
  if (said?.tag === session.tag && !isServerRun(seen, job)) {
    const { status, result, timeStarted, timeEnded } = said
    return { client_id, status, result, time_started: timeStarted, time_ended: timeEnded }
  }
  const own = runs.get(job.id)
  if (!own) return { client_id, status: '', result: '', time_started: -1, time_ended: -1 }
  const results = own.map((run) => resultIn(set, run))
  const over = results.filter((result) => result !== undefined)
  const isOver = over.length === results.length
  const starts = own.flatMap((run) => run?.startedAt ?? [])
  const ends = own.flatMap((run) => endOf(run) ?? [])
  return {
    client_id,
    status: isOver ? 'completed' : 'running',
    result: isOver ? resultOf(over) : '',
    time_started: starts.length === 0 ? -1 : Math.floor(Math.min(...starts) / 1000),
    time_ended: isOver && ends.length > 0 ? Math.floor(Math.max(...ends) / 1000) : -1,
  }
}

/** Of a run in a set; undefined: not over yet. A set that has ended waits for none: what is missing was never made, or forgotten. */
function resultIn(set: SetRecord | undefined, run: Run | undefined): Result | undefined {
  if (run?.state.is === 'finished') return run.state.result
  if (set?.phase.is !== 'ended') return undefined
  return run === undefined && set.phase.outcome.result === 'success' ? 'success' : 'aborted'
}

/** A round is over when all runs of its set are and every scheduler of its own that takes part has said so. */
function standingOf({ session, set, runs }: Round, entries: readonly Entry[]): JsonObject {
  if (session.lastStart === undefined) return { status: 'active', result: '', time_end: -1 }
  const { over } = session
  if (!set && over?.tag === session.tag)
    return { status: 'completed', result: over.result, time_end: over.atS }
  const results = [...runs.values()].flat().map((run) => resultIn(set, run))
  // Beside members with agents, those without take part once they start.
  const taking = entries.filter(
    ({ status }) => set === undefined || status === 'running' || status === 'completed',
  )
  const isOver = !results.includes(undefined) && taking.every((entry) => entry.status === 'completed')
  if (!isOver) return { status: 'running', result: '', time_end: -1 }
  const isGood =
    set?.phase.is !== 'cancelling' &&
    results.every((result) => result === 'success') &&
    taking.every((entry) => entry.result === 'success')
  const ended = set?.phase.is === 'ended' ? secondsOf(set.phase.at) : -1
  const time_end = Math.max(ended, ...taking.map((entry) => entry.time_ended))
  return { status: 'completed', result: isGood ? 'success' : 'fail', time_end }
}
