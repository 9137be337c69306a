import { Fault, unreachable } from '../../../core/fault.ts'
import type { EngineProbe, RepositoryAccess } from '../../../core/link.ts'
import type {
  Engine,
  EngineContext,
  EngineEnd,
  EngineEvent,
  EngineTask,
  LogLine,
} from '../../ports/engine.ts'
import { backup } from './backup.ts'
import { browse } from './browse.ts'
import { cleanUp } from './clean-up.ts'
import { endOf, type Step } from './ends.ts'
import { forget } from './forget.ts'
import { restore } from './restore.ts'
import { installedVersion, Restic, type ResticSettings } from './tool.ts'
import { verify } from './verify.ts'
import { engineName, probeOf } from './version.ts'

type ResticTask = Exclude<EngineTask, { do: 'exec' }>

/** restic 0.14 and later as an engine. */
export function resticEngine(settings: ResticSettings): Engine {
  return {
    name: engineName,
    does: ['backup', 'restore', 'verify', 'forget'],
    probe: (signal) => probe(settings, signal),
    run: (task, context) => run(settings, task, context),
    async browse(repository, engineRef, path, limit, context) {
      const tool = await Restic.find(settings, context.signal)
      if (!tool.ok) throw new Fault('unsupported', tool.failure.text)
      return browse(tool.value, repository, engineRef, path, limit, context)
    },
    async cleanUp(repository, context) {
      try {
        const tool = await Restic.find(settings, context.signal)
        if (tool.ok) await cleanUp(tool.value, repository, context)
        else context.log({ level: 'warn', stream: 'agent', text: tool.failure.text })
      } catch (error) {
        context.log({ level: 'warn', stream: 'agent', text: `cleaning up failed: ${textOf(error)}` })
      }
    },
  }
}

async function probe(settings: ResticSettings, signal: AbortSignal): Promise<EngineProbe> {
  const installed = await installedVersion(settings.program, signal)
  if (installed.ok) return probeOf(installed.value.version)
  return { engine: engineName, available: false, capabilities: [], problems: [installed.failure.text] }
}

async function* run(
  settings: ResticSettings,
  task: EngineTask,
  context: EngineContext,
): AsyncGenerator<EngineEvent, void, undefined> {
  if (task.do === 'exec') return yield endOf({ code: 'config', text: 'restic runs no commands' })
  let tool: Restic | undefined
  let end: EngineEnd | undefined
  try {
    const found = await Restic.find(settings, context.signal)
    if (found.ok) {
      tool = found.value
      end = yield* step(tool, task, context)
    } else end = endOf(found.failure)
  } catch (error) {
    end = endOf({ code: 'unknown', text: textOf(error) })
  } finally {
    // Also when the reader has left. Stale locks fail every later check and forget.
    if (tool && (tool.unclean || end?.reason?.code === 'locked')) await tidy(tool, task.repository, context)
  }
  yield end
}

function step(tool: Restic, task: ResticTask, context: EngineContext): Step {
  switch (task.do) {
    case 'backup':
      return backup(tool, task, context)
    case 'restore':
      return restore(tool, task, context)
    case 'verify':
      return verify(tool, task, context)
    case 'forget':
      return forget(tool, task, context)
    default:
      return unreachable(task)
  }
}

/** The signal of the attempt has most often aborted by now; the cleaning has its own bound. Never throws. */
async function tidy(tool: Restic, repository: RepositoryAccess, context: EngineContext): Promise<void> {
  const log = (line: LogLine): void => context.log(line)
  try {
    await cleanUp(tool, repository, { ...context, signal: new AbortController().signal, log })
  } catch (error) {
    log({ level: 'warn', stream: 'agent', text: `cleaning up failed: ${textOf(error)}` })
  }
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
