import type { JsonObject } from '../../core/action.ts'
import { jobId, type JobId } from '../../core/ids.ts'
import type { SessionFields } from '../../controller/use-cases/sessions.ts'
import {
  closed,
  integerIn,
  missing,
  objectIn,
  othersOf,
  refusal,
  quoted,
  some,
  textIn,
  wordIn,
} from '../fields.ts'
import { readReport, readTriggers } from './job-document.ts'

/** Fields that are the server's, and those that it reads; everything else is kept as sent. */
const sessionKeys: ReadonlySet<string> = new Set([
  ...[
    'session_id',
    'project_id',
    'user_id',
    'session_tag',
    'status',
    'result',
    'last_start',
    'jobs',
    '_version',
  ],
  ...[
    'time_start',
    'time_end',
    'time_started',
    'time_ended',
    'description',
    'hold_off',
    'schedule',
    'event',
    'firn',
  ],
  ...['schedule_interval', 'schedule_internval'],
])

/** Seconds; longer than a year no two starts are kept apart. */
const holdOffMaxS = 366 * 24 * 3600

/** What a session document says. Throws Fault('bad_request') naming the first field that is wrong. */
export function readSession(document: JsonObject): SessionFields {
  const event = wordIn(document, 'event', ['', 'start', 'stop', 'abort'])
  return {
    ...some('description', textIn(document, 'description', { max: 4096 })),
    ...some('holdOffS', integerIn(document, 'hold_off', { min: 0, max: holdOffMaxS })),
    ...some('tag', integerIn(document, 'session_tag', { min: 0, max: 2 ** 31 })),
    ...some('schedule', readSchedule(document)),
    ...some('firn', objectIn(document, 'firn')),
    ...some('extra', othersOf(document, sessionKeys)),
    ...some('event', event === '' ? undefined : event),
  }
}

/** The published reference has the interval at the top level, too, and spells it in two ways. */
function readSchedule(document: JsonObject): JsonObject | undefined {
  const interval = textIn(document, 'schedule_interval') ?? textIn(document, 'schedule_internval')
  const schedule = objectIn(document, 'schedule')
  if (schedule) readReport(schedule, 'schedule.')
  const triggers = schedule && readTriggers(schedule, 'schedule.')
  if (interval === undefined) return triggers
  return { schedule_interval: interval, ...triggers }
}

/** A scheduler's start or end of its job's part in a round; undefined for an action that does not exist. */
export type RoundRequest =
  | { readonly do: 'start'; readonly job: JobId; readonly currentTag: number }
  | { readonly do: 'end'; readonly job: JobId; readonly currentTag: number; readonly result: string }

export function readRound(document: JsonObject): RoundRequest | undefined {
  const [word, ...more] = Object.keys(document)
  if (word === undefined) throw refusal('body', 'must name an action: start or end')
  if (word !== 'start' && word !== 'end') return undefined
  if (more.length > 0) throw refusal('body', 'must name one action')
  const input = objectIn(document, word) ?? {}
  closed(input, new Set(['job_id', 'current_tag', 'result']), `${word}.`)
  if (input['job_id'] === undefined) throw missing('job_id')
  const job = jobId(input['job_id'])
  const currentTag = tagIn(input)
  if (word === 'start') return { do: 'start', job, currentTag }
  const result = wordIn(input, 'result', ['success', 'fail', 'aborted'], 'end.')
  if (result === undefined) throw missing('result')
  return { do: 'end', job, currentTag, result }
}

/** A number, or a string of digits: the command line sends one. */
function tagIn(input: JsonObject): number {
  const value = input['current_tag']
  if (value === undefined) throw missing('current_tag')
  const tag = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
  if (typeof tag !== 'number' || !Number.isSafeInteger(tag) || tag < 0)
    throw refusal('current_tag', `${quoted(value)} is not of type 'integer'`)
  return tag
}
