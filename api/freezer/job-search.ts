import type { Json, JsonObject } from '../../core/action.ts'
import type { Job } from '../../core/job.ts'
import { mask } from '../../controller/use-cases/secret-fields.ts'
import type { Ask } from '../route.ts'
import type { Candidates } from './listing.ts'
import {
  containsAny,
  isOnly,
  isUnfinishedOnly,
  notCompleted,
  requiredValue,
  type Pair,
  type Search,
} from './search.ts'
import type { Seen, Version } from './shown.ts'
import { events, results, statuses } from './schedule-document.ts'
import { standsOpen, statusOf } from './standing.ts'
import { candidates, seenBy } from './visible.ts'

/*
 * A search over jobs looks at what is stored first: making the views of a hundred thousand jobs takes longer than everything else.
 * Whether a job is found its view says, except for the poll of a scheduler, whose answer is known beforehand.
 */

type Reading = (seen: Seen, job: Job) => Json

/** Fields of the view that are as good as stored. */
const known: ReadonlyMap<string, Reading> = new Map<string, Reading>([
  ['job_id', (_, job) => job.id],
  ['client_id', (_, job) => job.client ?? null],
  ['description', (_, job) => job.description],
  ['session_id', (_, job) => job.session ?? ''],
  ['status', (seen, job) => statusOf(seen, job)],
])

/** Other fields of the view that are not in the open parts of a job, where every other key comes from. */
const shown: ReadonlySet<string> = new Set([
  ...[
    'project_id',
    'user_id',
    'session_tag',
    'session_name',
    'job_schedule',
    'job_actions',
    'firn',
    '_version',
  ],
  ...['time_created', 'time_started', 'time_ended', 'event', 'result', 'current_pid'],
  ...['action_id', 'max_retries', 'max_retries_interval', 'mandatory', 'freezer_action'],
])

/** Words of a view that stand in no stored job. */
const vocabulary = [...statuses, ...results, ...events, mask]

/** Gives a look at a job: false when the search certainly does not find it. */
function quickLook(seen: Seen, search: Search): (job: Job) => false | undefined {
  const match = search.match.filter(({ key, value }) => !shown.has(key) && value !== mask)
  const texts = search.texts.filter((words) => !containsAny(vocabulary, words))
  const matchNot = search.matchNot.filter(({ value }) => typeof value !== 'object' || value === null)
  return (job) => {
    // What the saved action says that it calls is known only once that is looked up.
    if (job.function !== undefined) return undefined
    const isOut =
      match.some((pair) => !stands(seen, job, pair)) ||
      matchNot.some((pair) => standsOpen(job, pair)) ||
      texts.some((words) => !containsAny(job as unknown as JsonObject, words))
    return isOut ? false : undefined
  }
}

const stands = (seen: Seen, job: Job, pair: Pair): boolean =>
  known.get(pair.key)?.(seen, job) === pair.value || standsOpen(job, pair)

/** A client's jobs are found without a look at the others, and those that are not over without a look at those that are. */
export function jobsFor(
  ask: Ask,
  version: Version,
  search: Search | undefined,
  skip: number,
): Candidates<Job> {
  const { state } = ask.served.context
  const { project } = ask.caller
  if (!search) return candidates(ask, version, (from) => state.of('job', project, from), skip)
  const look = quickLook(seenBy(ask), search)
  const client = requiredValue(search, 'client_id')
  if (client === undefined) return candidates(ask, version, () => state.of('job', project), 0, look)
  // Of a saved action is known only once it is looked up what it says of clients and statuses.
  const surely = (isAll: boolean) => (job: Job) => (isAll && job.function === undefined ? true : look(job))
  if (isUnfinishedOnly(search)) {
    const isAll = isOnly(search, ['client_id'], [notCompleted])
    return candidates(ask, version, () => ask.served.unfinished.of(project, client), 0, surely(isAll))
  }
  const stored = () => state.where('job', 'mentions', `${project}/${client}`)
  return candidates(ask, version, stored, 0, surely(isOnly(search, ['client_id'], [])))
}
