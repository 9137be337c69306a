import { chmod, chown, link, stat } from 'node:fs/promises'
import path from 'node:path'
import { isFault } from '../../../core/fault.ts'
import type { Template } from '../../ports/databases.ts'
import type { EngineContext, EngineTask } from '../../ports/engine.ts'
import { earlierTry, madeBy } from './earlier-try.ts'
import { cancelled, endOf, type Failure, type Step } from './ends.ts'
import { keep } from './keeper.ts'
import type { Parts } from './kind.ts'
import { emptyFolder, onlyFileIn, sync, workFolder } from './staging.ts'

type Restore = Extract<EngineTask, { do: 'restore' }>
type Creation = NonNullable<Restore['action']['create']>

/** Fractions of a step. */
const shares = { transfer: { from: 0, to: 0.8 }, verify: { from: 0.8, to: 1 } } as const

/**
 * Makes a database out of a backup, below its template's root: restored and checked where nobody looks, then given its name,
 * which nothing may have. After a failure nothing of it is left.
 */
export async function* restore(parts: Parts, task: Restore, context: EngineContext): Step {
  const { kind, databases, turns, keeper, stateMark } = parts
  const startedAt = context.clock.monotonic()
  const { create, limits } = task.action
  const template = databases.templates.find(
    ({ name, datastore }) => name === create?.template && datastore === kind.type,
  )
  if (!create || !template)
    return endOf({
      code: 'config',
      text: `a ${kind.title} database is made from a template, and this names none`,
    })
  yield { type: 'phase', phase: 'prepare' }
  using turn = await turns.take(create.instance, context.signal)
  if (!turn) return endOf(cancelled(context.signal))
  const place = databases.pathOf(template, create.instance)
  const before = await earlierTry(parts, create.instance, place, context)
  if (before) return before
  const folder = workFolder(template, create.instance, stateMark)
  await using _work = await emptyFolder(folder)

  const got = yield* keep({ keeper, share: shares.transfer }, keeping(task, keeper.name, folder), context)
  if (got.result !== 'success') return got.result === 'partial' ? { ...got, result: 'failed' } : got
  const file = await onlyFileIn(folder)
  if (file === undefined)
    return endOf({ code: 'config', text: `the backup is not of a single ${kind.title} database` })
  const checked = yield* kind.check(file, { limits, stateMark, shares, context })
  if (!checked.ok) return endOf(checked.failure)

  yield { type: 'phase', phase: 'commit' }
  await handOver(file, template, context)
  const failure = await giveName(parts, create, template, file, context)
  if (failure) return endOf(failure)
  const durationMs = Math.round(context.clock.monotonic() - startedAt)
  return { ...got, stats: { bytesProcessed: checked.bytes, ...got.stats, durationMs } }
}

function keeping(task: Restore, engine: string, folder: string): Restore {
  const { create: _, ...action } = task.action
  return {
    ...task,
    action: { ...action, engine, target: folder, include: [], overwrite: false },
  }
}

/** To whoever owns the folder: an agent that runs as root looks after other users' databases. */
async function handOver(file: string, { root }: Template, context: EngineContext): Promise<void> {
  await chmod(file, 0o600)
  const { uid, gid } = await stat(root)
  await chown(file, uid, gid).catch((error: Error) =>
    context.log({
      level: 'warn',
      stream: 'agent',
      text: `it stays with this agent's user: ${error.message}`,
    }),
  )
  await sync(file)
}

/** A link, not a rename: that would replace what somebody else has put there meanwhile. */
async function giveName(
  { databases }: Parts,
  { instance: key, name }: Creation,
  template: Template,
  file: string,
  context: EngineContext,
): Promise<Failure | undefined> {
  const place = databases.pathOf(template, key)
  try {
    await databases.add({ key, name, template, madeBy: madeBy(context) })
  } catch (error) {
    if (isFault(error, 'conflict')) return { code: 'config', text: error.message }
    throw error
  }
  try {
    await link(file, place)
  } catch (error) {
    await databases.remove(key)
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    return { code: 'config', text: `${place} exists already` }
  }
  await sync(path.dirname(place))
  return undefined
}
