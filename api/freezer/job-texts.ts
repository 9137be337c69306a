import type { Job } from '../../core/job.ts'
import type { Run } from '../../core/run.ts'
import { isServerRun } from '../../controller/use-cases/job-planning.ts'
import { jobView, sessionTagOf } from './job-view.ts'
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
}

/**
 * The texts of jobs as lists show them, kept as long as nothing has changed that they are made of: schedulers poll for the same
 * ones again and again.
 */
export class JobTexts {
  /** By version, project and id; the oldest first. */
  readonly #kept = new Map<string, Sources & { readonly text: string }>()
  #size = 0

  textOf(seen: Seen, job: Job, version: Version): string {
    // Those are made of more: of all runs of a slot, of what the action is that they call.
    if (job.selector || job.function) return JSON.stringify(jobView(seen, job, version))
    const key = `${version}/${job.project}/${job.id}`
    const sources = sourcesOf(seen, job)
    const kept = this.#kept.get(key)
    if (kept && isSame(kept, sources)) return kept.text
    const text = JSON.stringify(jobView(seen, job, version))
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

function sourcesOf(seen: Seen, job: Job): Sources {
  const isRun = isServerRun(seen, job)
  return {
    ...{ job, isRun, tag: sessionTagOf(seen, job) },
    open: isRun ? openRunOf(seen, job) : undefined,
    last: isRun ? seen.recent.lastOf(job.project, job.id)?.value : undefined,
  }
}

const isSame = (a: Sources, b: Sources): boolean =>
  a.job === b.job && a.isRun === b.isRun && a.open === b.open && a.last === b.last && a.tag === b.tag
