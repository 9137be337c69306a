import { isFault } from '../../core/fault.ts'
import type { Session } from '../../core/job.ts'
import { triggerIn } from '../plan/schedule.ts'
import { setIdOf } from '../../core/set.ts'
import type { Caller, Context } from './context.ts'
import { cancelSet, startSession } from './start-session.ts'

/**
 * What a session's event asks for at once, after its document is stored: `start` opens a round of a session without a
 * trigger, unless one is under way; `abort` cancels the newest round. Throws what startSession and cancelSet throw.
 */
export async function sessionEvent(
  context: Context,
  caller: Caller,
  session: Session,
  event: 'start' | 'stop' | 'abort',
): Promise<void> {
  if (event === 'start' && triggerIn(session.schedule, session.firn).is === 'none')
    try {
      await startSession(context, caller, session.id, { key: `round.${session.tag + 1}` })
    } catch (error) {
      if (!isFault(error, 'busy', 'conflict')) throw error
    }
  if (event === 'abort' && context.state.get('set', caller.project, setIdOf(session.id, session.tag)))
    await cancelSet(context, caller, session.id, session.tag)
}
