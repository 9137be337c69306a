import { unreachable } from '../../../core/fault.ts'
import type { Engine, EngineContext, EngineEnd, EngineEvent, EngineTask } from '../../ports/engine.ts'
import { backup } from './backup.ts'
import { endOf, fileFailure, type Step } from './ends.ts'
import { keep } from './keeper.ts'
import type { Kind, KeptSettings, Parts } from './kind.ts'
import { restore } from './restore.ts'
import { removeLeftovers } from './staging.ts'
import { Turns } from './turns.ts'

/**
 * A kind of databases as an engine: consistent copies of them while they are in use, kept by another engine in its own
 * repositories. To verify and to drop backups is the keeper's business alone.
 */
export function keptEngine(kind: Kind, settings: KeptSettings): Engine {
  const { keeper } = settings
  const parts: Parts = { ...settings, kind, turns: new Turns() }
  const clean = (stateDir: string): Promise<void> => removeLeftovers(parts, stateDir)
  return {
    name: kind.type,
    does: ['backup', 'restore', 'verify', 'forget'],
    async probe(signal) {
      const { available, problems } = await keeper.probe(signal)
      return {
        ...{ engine: kind.type, available, problems: available ? [] : problems },
        version: kind.version,
        capabilities: [...kind.capabilities, `kept_by_${keeper.name}`],
      }
    },
    run: (task, context) => run(parts, task, context),
    browse: (...args) => keeper.browse(...args),
    async cleanUp(repository, context) {
      await keeper.cleanUp(repository, context)
      await clean(context.stateDir).catch((error: Error) =>
        context.log({ level: 'warn', stream: 'agent', text: `cleaning up failed: ${error.message}` }),
      )
    },
    settle: (stateDir) => clean(stateDir).catch(() => undefined),
  }
}

async function* run(
  parts: Parts,
  task: EngineTask,
  context: EngineContext,
): AsyncGenerator<EngineEvent, void, undefined> {
  if (task.do === 'exec') return yield endOf({ code: 'config', text: `${parts.kind.title} runs no commands` })
  let end: EngineEnd
  try {
    end = yield* step(parts, task, context)
  } catch (error) {
    end = endOf(fileFailure(error))
  }
  yield end
}

function step(parts: Parts, task: Exclude<EngineTask, { do: 'exec' }>, context: EngineContext): Step {
  const { keeper } = parts
  const whole = { keeper, share: { from: 0, to: 1 } }
  switch (task.do) {
    case 'backup':
      return backup(parts, task, context)
    case 'restore':
      return restore(parts, task, context)
    case 'verify':
      return keep(whole, { ...task, action: { ...task.action, engine: keeper.name } }, context)
    case 'forget':
      return keep(whole, { ...task, action: { ...task.action, engine: keeper.name } }, context)
    default:
      return unreachable(task)
  }
}
