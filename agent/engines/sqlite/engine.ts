import { unreachable } from '../../../core/fault.ts'
import type { Engine, EngineContext, EngineEnd, EngineEvent, EngineTask } from '../../ports/engine.ts'
import { backup } from './backup.ts'
import { endOf, fileFailure, type Step } from './ends.ts'
import { keep, keeperName } from './keeper.ts'
import type { Parts } from './parts.ts'
import { restore } from './restore.ts'
import { removeLeftovers } from './staging.ts'
import { Turns } from './turns.ts'

export const sqliteName = 'sqlite'

/**
 * SQLite databases as an engine: consistent copies of them while they are in use, kept by another engine in its own
 * repositories. To verify and to drop backups is the keeper's business alone.
 */
export function sqliteEngine(settings: Omit<Parts, 'turns'>): Engine {
  const { keeper, databases, stateMark } = settings
  const parts: Parts = { ...settings, turns: new Turns() }
  const clean = (stateDir: string): Promise<void> =>
    removeLeftovers({ databases, stateDir, stateMark, isBusy: (key) => parts.turns.isBusy(key) })
  return {
    name: sqliteName,
    does: ['backup', 'restore', 'verify', 'forget'],
    async probe(signal) {
      const { available, problems } = await keeper.probe(signal)
      const version = process.versions.sqlite
      return {
        ...{ engine: sqliteName, available, problems: available ? [] : problems },
        ...(version === undefined ? {} : { version }),
        capabilities: ['vacuum_into', 'integrity_check', `kept_by_${keeperName}`],
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
  if (task.do === 'exec') return yield endOf({ code: 'config', text: 'SQLite runs no commands' })
  let end: EngineEnd
  try {
    end = yield* step(parts, task, context)
  } catch (error) {
    end = endOf(fileFailure(error))
  }
  yield end
}

function step(parts: Parts, task: Exclude<EngineTask, { do: 'exec' }>, context: EngineContext): Step {
  const whole = { keeper: parts.keeper, share: { from: 0, to: 1 } }
  switch (task.do) {
    case 'backup':
      return backup(parts, task, context)
    case 'restore':
      return restore(parts, task, context)
    case 'verify':
      return keep(whole, { ...task, action: { ...task.action, engine: keeperName } }, context)
    case 'forget':
      return keep(whole, { ...task, action: { ...task.action, engine: keeperName } }, context)
    default:
      return unreachable(task)
  }
}
