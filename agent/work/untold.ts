import { newestOf, toldAtOnce, type Decided, type OwnRun } from '../../core/autonomy.ts'
import { slotAt, type JobId, type RunId } from '../../core/ids.ts'
import type { KeptOrder } from '../ports/journal.ts'
import type { JournalState } from './journal-state.ts'
import type { OwnJob } from './own-job.ts'

type Page = Omit<Decided, 'sequence'>
type Untold = OwnRun & Pick<Decided, 'job' | 'generation' | 'ticket'>

/** The runs that this agent has started by itself and that no server has noted: all of them are in the journal. */
export class UntoldRuns {
  readonly #runs = new Map<RunId, Untold>()

  constructor(state: Pick<JournalState, 'attempts'>) {
    for (const { order } of state.attempts.values()) if (order) this.add(order)
  }

  get size(): number {
    return this.#runs.size
  }

  has(run: RunId): boolean {
    return this.#runs.has(run)
  }

  of(job: JobId): readonly OwnRun[] {
    return [...this.#runs.values()].filter((untold) => untold.job === job)
  }

  add({ run, job, slot, own }: Pick<KeptOrder, 'run' | 'job' | 'slot' | 'own'>): void {
    if (own && !this.#runs.has(run)) this.#runs.set(run, { run, job, ...own, slot: instantOf(slot) })
  }

  told(run: RunId): void {
    this.#runs.delete(run)
  }

  /** All that there is to tell, job after job, each in the order of its slots. */
  pages(jobs: ReadonlyMap<JobId, OwnJob>): Page[] {
    const groups = Map.groupBy(this.#runs.values(), ({ job, ticket }) => `${job} ${ticket}`)
    const pages = [...groups.values()].flatMap((group) => pagesOf(group))
    for (const [id, job] of jobs) withSkips(pages, id, job)
    return pages
  }
}

const instantOf = (slot: KeptOrder['slot']): OwnRun['slot'] =>
  Number(slot.slice(slotAt(0).length - 1)) as OwnRun['slot']

function pagesOf(group: readonly Untold[]): Page[] {
  const [first] = group
  if (!first) return []
  const { job, generation, ticket } = first
  const runs = group
    .map(({ run, slot, at }): OwnRun => ({ run, slot, at }))
    .toSorted((a, b) => a.slot - b.slot)
  const pages: Page[] = []
  for (let from = 0; from < runs.length; from += toldAtOnce) {
    const some = runs.slice(from, from + toldAtOnce)
    const upTo = some.at(-1)?.slot
    if (upTo !== undefined) pages.push({ job, generation, ticket, upTo, runs: some, skips: [] })
  }
  return pages
}

/** What the job has skipped stands beside the runs that came after it; its last page tells of all that is left. */
function withSkips(pages: Page[], id: JobId, job: OwnJob): void {
  const { aheadTo } = job
  if (aheadTo === undefined) return
  const { generation, ticket } = job.told
  const isOwn = (page: Page): boolean => page.job === id && page.ticket === ticket
  let before = 0
  for (const [index, page] of pages.entries()) {
    if (!isOwn(page)) continue
    const upTo = pages.slice(index + 1).some(isOwn) ? page.upTo : (newestOf(page.upTo, aheadTo) ?? page.upTo)
    const skips = job.skips.filter(({ to }) => to > before && to <= upTo)
    pages[index] = { ...page, upTo, skips }
    before = upTo
  }
  if (!pages.some(isOwn))
    pages.push({ job: id, generation, ticket, upTo: aheadTo, runs: [], skips: job.skips })
}
