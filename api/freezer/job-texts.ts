import type { Client } from '../../core/catalogue.ts'
import type { Job } from '../../core/job.ts'
import type { Run } from '../../core/run.ts'
import { isServerRun } from '../../controller/use-cases/job-planning.ts'
import { jobView, oneJobView, sessionTagOf } from './job-view.ts'
import type { Seen, Version } from './shown.ts'
import { openRunOf } from './standing.ts'

/** All texts together, in characters: some ten thousand jobs. */
const textsMax = 16 * 1024 * 1024

/** Everything that a job's view is made of. */
interface Sources {
  readonly job: Job
  readonly isRun: boolean
  readonly open: Run | undefined
  readonly last: Run | undefined
  readonly tag: number
  /** What it says of its engines; only of a job that is shown alone. */
  readonly client: Client | undefined
}

/** In a list, or by itself: then with what stands in the way of its actions. */
type Shown = 'listed' | 'alone'
const views = { listed: jobView, alone: oneJobView } as const

/**
 * The texts of jobs as they are shown, kept as long as nothing has changed that they are made of: schedulers poll for the same
 * ones again and again.
 */
export class JobTexts {
  /** By how they are shown, version, project and id; the oldest first. */
  readonly #kept = new Map<string, Sources & { readonly text: string }>()
  #size = 0

  textOf(seen: Seen, job: Job, version: Version, shown: Shown): string {
    // Those are made of more: of all runs of a slot, of what the action is that they call.
    if (job.selector || job.function) return JSON.stringify(views[shown](seen, job, version))
    const key = `${shown}/${version}/${job.project}/${job.id}`
    const sources = sourcesOf(seen, job, shown)
    const kept = this.#kept.get(key)
    if (kept && isSame(kept, sources)) return kept.text
    const text = JSON.stringify(views[shown](seen, job, version))
    this.#keep(key, { ...sources, text })
    return text
  }

  #keep(key: string, entry: Sources & { readonly text: string }): void {
    this.#drop(key)
    this.#kept.set(key, entry)
    this.#size += entry.text.length
    for (const oldest of this.#kept.keys()) {
      if (this.#size <= textsMax) break
      this.#drop(oldest)
    }
  }

  #drop(key: string): void {
    this.#size -= this.#kept.get(key)?.text.length ?? 0
    this.#kept.delete(key)
  }
}

function sourcesOf(seen: Seen, job: Job, shown: Shown): Sources {
  const isRun = isServerRun(seen, job)
  const client = shown === 'alone' && isRun ? job.client : undefined
  return {
    ...{ job, isRun, tag: sessionTagOf(seen, job) },
    open: isRun ? openRunOf(seen, job) : undefined,
    client: client === undefined ? undefined : seen.state.get('client', job.project, client)?.value,
    last: isRun ? seen.recent.lastOf(job.project, job.id)?.value : undefined,
  }
}

const isSame = (a: Sources, b: Sources): boolean =>
  a.job === b.job &&
  a.isRun === b.isRun &&
  a.open === b.open &&
  a.last === b.last &&
  a.tag === b.tag &&
  a.client === b.client
