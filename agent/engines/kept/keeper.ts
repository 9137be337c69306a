import type { Engine, EngineContext, EngineEnd, EngineEvent, EngineTask } from '../../ports/engine.ts'
import { scaled, type Share } from './share.ts'

/** Which engine keeps the copies, and which part of the step that is. */
interface Keeping {
  readonly keeper: Engine
  readonly share: Share
}

/** Has the keeper do a task as a part of a step: its events, and at last its end. */
export async function* keep(
  { keeper, share }: Keeping,
  task: EngineTask,
  context: EngineContext,
): AsyncGenerator<EngineEvent, EngineEnd, undefined> {
  for await (const event of keeper.run(task, context)) {
    if (event.type === 'end') return event
    yield event.type === 'progress' ? { ...event, progress: scaled(event.progress, share) } : event
  }
  return {
    ...{ type: 'end', result: 'failed', retryable: false },
    reason: { code: 'bug', text: `${keeper.name} ended without a result` },
  }
}
