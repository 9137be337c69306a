import type { Json, JsonObject } from '../../core/action.ts'
import type { Job } from '../../core/job.ts'
import { mask } from '../../controller/use-cases/secret-fields.ts'
import { containsAny, type Pair, type Search } from './search.ts'
import type { Seen } from './shown.ts'
import { events, results, statuses } from './schedule-document.ts'
import { standsOpen, statusOf } from './standing.ts'

/*
 * A search over jobs looks at what is stored first: making the views of a hundred thousand jobs takes longer than everything else.
 * This may only say that a job is not found; whether it is, its view says.
 */

/** Fields of the view that are as good as stored. */
const known: Readonly<Record<string, (seen: Seen, job: Job) => Json>> = {
  job_id: (_, job) => job.id,
  client_id: (_, job) => job.client ?? null,
  description: (_, job) => job.description,
  session_id: (_, job) => job.session ?? '',
  status: (seen, job) => statusOf(seen, job),
}

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
export function quickLook(seen: Seen, search: Search): (job: Job) => false | undefined {
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
  known[pair.key]?.(seen, job) === pair.value || standsOpen(job, pair)
