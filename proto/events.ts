import type { JsonObject } from '../core/action.ts'
import { isoOf } from '../core/clock.ts'
import type { Instant } from '../core/clock.ts'
import type { ClientId, JobId, ProjectId, RunId } from '../core/ids.ts'
import { sessionId } from '../core/ids.ts'
import type { Phase, Progress } from '../core/link.ts'
import { ownRunEvents, subjectOf } from './subjects.ts'

/*
 * The documents that travel on the subjects of events, progress and logs: JSON with names in snake_case. docs/events.md
 * tells every field. (Results are reports, in proto3 JSON: wire.ts.)
 */

/** What there is to tell: a domain event of the controller's port. */
interface Told {
  readonly type: string
  readonly project: ProjectId
  readonly client?: ClientId
  readonly job?: JobId
  readonly run?: RunId
  readonly set?: string
  readonly data: JsonObject
}

/**
 * Subject and text of an event. Undefined for what cannot be told: a part of its subject is missing, or it is named as
 * what has a way of its own (result, log, progress). Fields of `data` that are named as those of the envelope give way to them.
 */
export function eventMessage(
  event: Told,
  at: Instant,
): { subject: string; document: JsonObject } | undefined {
  const subject = eventSubject(event)
  if (subject === undefined) return undefined
  const { type, project, client, job, run, set, data } = event
  const about = { client, job, run, set }
  const present = Object.fromEntries(Object.entries(about).filter(([, value]) => value !== undefined))
  return { subject, document: { ...data, type, at: isoOf(at), project, ...present } as JsonObject }
}

function eventSubject({ type, project, client, job, set }: Told): string | undefined {
  const dot = type.indexOf('.')
  const event = type.slice(dot + 1)
  if (event === '') return undefined
  switch (type.slice(0, dot)) {
    case 'run':
      if (client === undefined || job === undefined || isOwn(event)) return undefined
      return subjectOf({ about: 'run', project, client, job, event })
    case 'set': {
      const [, session] = /^(.+)\.\d+$/.exec(set ?? '') ?? []
      return session === undefined
        ? undefined
        : subjectOf({ about: 'set', project, session: sessionId(session), event })
    }
    case 'client':
      return client === undefined ? undefined : subjectOf({ about: 'client', project, client, event })
    default:
      return undefined
  }
}

const isOwn = (event: string): boolean => (ownRunEvents as readonly string[]).includes(event)

/** Subject and text of a run's progress. */
export function progressMessage(
  project: ProjectId,
  client: ClientId,
  job: JobId,
  progress: Progress,
  at: Instant,
): { subject: string; document: JsonObject } {
  const optional = {
    total: progress.total,
    files_done: progress.filesDone,
    files_total: progress.filesTotal,
    fraction: progress.fraction,
    bytes_per_second: progress.bytesPerSecond,
    seconds_left: progress.secondsLeft,
    current: progress.current,
  }
  const present = Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined))
  const { run, attempt, step, phase, done, errors } = progress
  return {
    subject: subjectOf({ about: 'run', project, client, job, event: 'progress' }),
    document: {
      type: 'run.progress',
      at: isoOf(at),
      ...{ project, client, job, run, attempt, step, phase, done, errors },
      ...present,
    } as JsonObject,
  }
}

const phases: readonly string[] = [
  'prepare',
  'scan',
  'transfer',
  'commit',
  'verify',
  'cleanup',
] satisfies Phase[]
const measures = [
  'total',
  'files_done',
  'files_total',
  'fraction',
  'bytes_per_second',
  'seconds_left',
] as const

/** The progress that a text tells, as another server published it; undefined for any other text. */
export function progressFrom(text: string): { project: string; progress: Progress } | undefined {
  const { project, run, attempt, step, phase, done, errors, current, ...rest } = documentOf(text) ?? {}
  const counted = [attempt, step, done, errors].every((value) => typeof value === 'number')
  if (
    typeof project !== 'string' ||
    typeof run !== 'string' ||
    typeof phase !== 'string' ||
    !phases.includes(phase) ||
    !counted
  )
    return undefined
  const [total, filesDone, filesTotal, fraction, bytesPerSecond, secondsLeft] = measures.map(
    (name) => rest[name],
  )
  const optional = { total, filesDone, filesTotal, fraction, bytesPerSecond, secondsLeft }
  const given = Object.entries(optional).filter(([, value]) => typeof value === 'number')
  const progress = {
    ...{ run, attempt, step, phase, done, errors },
    ...Object.fromEntries(given),
    ...(typeof current === 'string' ? { current } : {}),
  } as Progress
  return { project, progress }
}

/** One line of a run's log, with the agent's wall clock. */
export interface StampedLine {
  readonly at: number
  readonly level: string
  readonly stream: string
  readonly text: string
}

/** The text of some lines of one attempt's log. */
export const linesToJson = (run: RunId, attempt: number, lines: readonly StampedLine[]): string =>
  JSON.stringify({ run, attempt, lines: lines.map(({ at, ...line }) => ({ at_ms: at, ...line })) })

/** Lines that cannot be read are left out. Never throws. */
export function linesFromJson(text: string): StampedLine[] {
  const lines = documentOf(text)?.['lines']
  return (Array.isArray(lines) ? lines : []).flatMap((line) => {
    const { at_ms: at, level, stream, text: said } = (line ?? {}) as Record<string, unknown>
    const readable = typeof at === 'number' && typeof level === 'string' && typeof said === 'string'
    return readable ? [{ at, level, stream: typeof stream === 'string' ? stream : 'agent', text: said }] : []
  })
}

/** The JSON object that a text is; undefined when it is none. */
export function documentOf(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as JsonObject)
      : undefined
  } catch {
    return undefined
  }
}
