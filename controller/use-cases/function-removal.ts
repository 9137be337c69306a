import { Fault } from '../../core/fault.ts'
import { uuidOf, type ActionId, type ProjectId } from '../../core/ids.ts'
import type { Job } from '../../core/job.ts'
import { standingOf } from '../plan/cron-form.ts'
import { ref, unchanged } from '../state/documents.ts'
import { scoped } from '../state/indexes.ts'
import type { Caller, Context } from './context.ts'
import { cronViewOf } from './cron-jobs.ts'
import { retrying } from './retrying.ts'

/**
 * Deletes a saved action. Throws Fault 'not_found', 'forbidden' while a job that is neither done nor cancelled calls it or has
 * it among its own, 'stale_write', 'store_down'.
 */
export async function removeFunction(context: Context, caller: Caller, id: ActionId): Promise<void> {
  const { state } = context
  const { project } = caller
  await retrying(context, async () => {
    // Another server may just have made a job of it, which does not write the action.
    await state.catchUp()
    const action = state.get('action', project, id)
    if (!action) throw new Fault('not_found', `no function ${uuidOf(id)}`)
    const user = liveUserOf(context, project, id)
    if (user) throw new Fault('forbidden', `function ${uuidOf(id)} is used by job ${uuidOf(user.id)}`)
    await state.commit({
      requires: [unchanged('action', project, id, action)],
      puts: [],
      deletes: [ref('action', project, id)],
    })
  })
}

const isLive = (standing: string): boolean => standing === 'running' || standing === 'paused'

function liveUserOf(context: Context, project: ProjectId, id: ActionId): Job | undefined {
  const { state } = context
  for (const { value } of state.where('job', 'function', scoped(project, id)))
    if (isLive(standingOf(value))) return value
  // Jobs of other façades have a copy: those that are shown with it must not name what is gone.
  for (const { value } of state.of('job', project)) {
    if (!value.actions.some(({ actionId }) => actionId === id)) continue
    const view = cronViewOf(context, value)
    if (view && isLive(view.standing)) return value
  }
  return undefined
}
