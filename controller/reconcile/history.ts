import { isFault } from '../../core/fault.ts'
import type { ProjectId } from '../../core/ids.ts'
import type { Epoch } from '../../core/link.ts'
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
    const surplus = surplusOf([...state.where('run', 'job', key)].map(({ value }) => value))
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
}
