import { Fault } from '../../core/fault.ts'
import type { RunId } from '../../core/ids.ts'
import { advance, type RunEvent } from '../../core/run-machine.ts'
import type { Run } from '../../core/run.ts'
import { put, unchanged, type Stored } from '../state/documents.ts'
import type { Caller, Context } from './context.ts'
import { retrying } from './retrying.ts'

/**
 * Asks for a run to stop. One that was not sent ends at once as `aborted`; one that was, when its agent says that its
 * processes are gone. A finished run stays as it is. Throws Fault 'not_found', 'stale_write' or 'store_down'.
 */
export function cancelRun(context: Context, caller: Caller, id: RunId, why: string): Promise<Stored<Run>> {
  return changeRun(context, caller.project, id, {
    type: 'cancel',
    why: { code: 'cancelled', text: why === '' ? `cancelled by ${caller.userName}` : why },
  })
}

/** Plays an event on a stored run, again when somebody else writes it first. Throws as `cancelRun`. */
export async function changeRun(
  context: Pick<Context, 'state' | 'clock'>,
  project: string,
  id: RunId,
  event: RunEvent,
): Promise<Stored<Run>> {
  return retrying(context, async () => {
    const before = context.state.get('run', project, id)
    if (!before) throw new Fault('not_found', `no run ${id}`)
    const after = advance(before.value, event, context.clock.now())
    if (after === before.value) return before
    const revision = await context.state.commit({
      requires: [unchanged('run', project, id, before)],
      puts: [put('run', project, id, after)],
    })
    return { value: after, revision }
  })
}
