import { isFault } from '../../core/fault.ts'
import type { ProjectId } from '../../core/ids.ts'
import type { Epoch } from '../../core/link.ts'
import type { Run } from '../../core/run.ts'
import { setIdOf } from '../../core/set.ts'
import { runsKept, surplusOf } from '../plan/history.ts'
import { ref } from '../state/documents.ts'
import { scoped } from '../state/indexes.ts'
import type { Context } from '../use-cases/context.ts'

/** Deleted in one transaction. */
const atOnce = 50

export interface HistoryOptions {
  readonly context: Pick<Context, 'state'>
  readonly epoch: () => Epoch | undefined
}

/** Leader only: keeps the number of finished runs of each job within bounds. */
export class History {
  readonly #options: HistoryOptions

  constructor(options: HistoryOptions) {
    this.#options = options
  }

  async look(project: ProjectId, job: string): Promise<undefined> {
    const { context, epoch } = this.#options
    const { state } = context
    const key = scoped(project, job)
    if (epoch() === undefined || state.countWhere('run', 'job', key) <= runsKept) return
    const runs = [...state.where('run', 'job', key)].map(({ value }) => value)
    const surplus = surplusOf(runs, (run) => this.#isNeeded(run))
    for (let from = 0; from < surplus.length; from += atOnce) {
      const leads = epoch()
      if (leads === undefined) return
      try {
        await state.commit({
          requires: [],
          puts: [],
          deletes: surplus.slice(from, from + atOnce).map((run) => ref('run', project, run.id)),
          epoch: leads,
        })
      } catch (error) {
        if (!isFault(error, 'fenced')) throw error
        return
      }
    }
  }
  #isNeeded({ project, session }: Run): boolean {
    const set =
      session && this.#options.context.state.get('set', project, setIdOf(session.id, session.tag))?.value
    return set !== undefined && set.phase.is !== 'ended'
  }
}
