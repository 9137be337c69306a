import { lstat, readdir } from 'node:fs/promises'
import path from 'node:path'
import type { ItemError, Stats } from '../../../core/run.ts'
import type { EngineContext, EngineEnd, EngineTask } from '../../ports/engine.ts'
import { literalPattern } from './backup-arguments.ts'
import { endOf, ItemErrors, type Step } from './ends.ts'
import { codeOfText, type Failure } from './failures.ts'
import { linkInTheWay } from './links-in-the-way.ts'
import type { Status } from './messages.ts'
import { asking, openRepository } from './repository.ts'
import type { SessionEnd } from './session.ts'
import type { Restic } from './tool.ts'

type Restore = Extract<EngineTask, { do: 'restore' }>

/** Item errors that are kept to tell the cause. */
const errorsKept = 200

/**
 * Writes a snapshot, or the included paths of it, below the target: `/srv/data` of the node lands in
 * `<target>/srv/data`. restic before 0.17 says nothing before its end, so that there is no progress then, only phases.
 * Files that could not be restored make the result `partial`. It does not write through a link that lies in the target.
 */
export async function* restore(tool: Restic, task: Restore, context: EngineContext): Step {
  const { action } = task
  const startedAt = context.clock.monotonic()
  yield { type: 'phase', phase: 'prepare' }
  const obstacle = await obstacleAt(action.target, action.overwrite, action.include, task.source.engineRef)
  if (obstacle !== undefined) return endOf({ code: 'config', text: obstacle })
  let repositoryId: string | undefined
  if (task.repository.expectedId !== undefined) {
    const ask = asking(tool, task.repository, context)
    const repository = await openRepository(ask, { init: false })
    if (!repository.ok) return endOf(repository.failure)
    repositoryId = repository.value
  }
  if (action.overwrite) {
    const landing = { access: task.repository, snapshot: task.source.engineRef, ...action }
    const link = await linkInTheWay(tool, landing, context)
    if (!link.ok) return endOf(link.failure)
    if (link.value !== undefined)
      return endOf({
        code: 'config',
        text: `${link.value} is a link where the backup has none: remove it, or restore into an empty folder`,
      })
  }

  yield { type: 'phase', phase: 'transfer' }
  const { restoreProgress, sparseRestore } = tool.capabilities
  const started = await tool.start(
    {
      args: [
        'restore',
        ...(restoreProgress ? ['--json'] : []),
        ...(sparseRestore ? ['--sparse'] : []),
        `--target=${action.target}`,
        ...action.include.map((at) => `--include=${literalPattern(at)}`),
        '--',
        task.source.engineRef,
      ],
      access: task.repository,
      limits: action.limits,
      stallMs: context.stallMs,
      movement: restoreProgress ? 'values' : 'reading',
    },
    context,
  )
  if (!started.ok) return endOf(started.failure)
  await using session = started.value
  const errors = new ItemErrors(errorsKept)
  let bytes: number | undefined
  for await (const line of session.lines()) {
    const message = session.note(line)
    if (message.type === 'status') {
      session.saw([message.bytesDone, message.filesDone].join('/'))
      yield { type: 'progress', progress: progressOf(message, errors.count) }
    }
    if (message.type === 'item_error' && errors.add(message.error)) yield message
    if (message.type === 'summary') bytes = message.bytesRestored ?? 0
  }
  const end = await session.end()
  const stats: Stats = {
    durationMs: Math.round(context.clock.monotonic() - startedAt),
    ...(bytes === undefined ? {} : { bytesProcessed: bytes }),
  }
  if (end.failure === undefined) {
    for (const error of await absentIncludes(action.target, action.include)) {
      errors.add(error)
      yield { type: 'item_error', error }
    }
  }
  const more = { stats, ...(repositoryId === undefined ? {} : { repositoryId }) }
  return endOfRestore(end, errors, action.include.length, more)
}

function endOfRestore(
  end: SessionEnd,
  errors: ItemErrors,
  included: number,
  more: Pick<EngineEnd, 'stats' | 'repositoryId'>,
): EngineEnd {
  if (end.failure === undefined && errors.count === 0)
    return { type: 'end', result: 'success', retryable: false, ...more }
  if (end.failure === undefined && errors.count === included)
    return endOf(
      { code: 'source_missing', text: 'the backup has none of the paths that were asked for' },
      more,
    )
  // "There were N errors" is restic's word for: the rest was restored.
  const rest = end.failure === undefined || /there were \d+ errors/i.test(end.failure.text)
  if (!rest && end.failure !== undefined) return endOf(end.failure, more)
  const code = causeOf(errors.first)
  const text = `${errors.count} could not be restored, such as ${errors.first[0]?.path ?? 'an unnamed one'}`
  if (code === 'no_space') return endOf({ code, text }, more)
  return { type: 'end', result: 'partial', retryable: false, reason: { code, text }, ...more }
}

function causeOf(errors: readonly ItemError[]): Failure['code'] {
  const codes = errors.map((error) => codeOfText(error.message))
  if (codes.includes('no_space')) return 'no_space'
  if (codes.includes('damaged')) return 'damaged'
  return errors.every((error) => error.code === 'ENOENT') ? 'source_missing' : 'unreadable'
}

async function obstacleAt(
  target: string,
  overwrite: boolean,
  include: readonly string[],
  snapshot: string,
): Promise<string | undefined> {
  if (!/^[0-9a-f]{8,64}$/.test(snapshot)) return `${snapshot} is not the id of a snapshot`
  if (!path.isAbsolute(target)) return `the target ${target} is not an absolute path`
  const relative = include.find((at) => !path.isAbsolute(at))
  if (relative !== undefined) return `${relative} is not an absolute path`
  try {
    const held = await readdir(target)
    return held.length > 0 && !overwrite ? `the target ${target} is not empty` : undefined
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return code === 'ENOENT' ? undefined : `the target ${target} cannot be used: ${message}`
  }
}

/** restic is content when an included path matches nothing: what is not there afterwards was not in the backup. */
async function absentIncludes(target: string, include: readonly string[]): Promise<ItemError[]> {
  const looks = await Promise.all(
    include.map(async (at) => {
      try {
        await lstat(path.join(target, at))
        return undefined
      } catch {
        return { path: at, code: 'ENOENT', message: 'is not in the backup' }
      }
    }),
  )
  return looks.filter((error) => error !== undefined)
}

function progressOf(status: Status, errors: number) {
  const { bytesTotal, filesDone, filesTotal, fraction } = status
  return {
    phase: 'transfer',
    done: status.bytesDone ?? 0,
    errors,
    ...(bytesTotal === undefined ? {} : { total: bytesTotal }),
    ...(filesDone === undefined ? {} : { filesDone }),
    ...(filesTotal === undefined ? {} : { filesTotal }),
    ...(fraction === undefined ? {} : { fraction }),
  } as const
}
