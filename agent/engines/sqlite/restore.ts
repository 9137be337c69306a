import { chmod, chown, link, lstat, stat } from 'node:fs/promises'
import path from 'node:path'
import { isFault } from '../../../core/fault.ts'
import type { Template } from '../../ports/databases.ts'
import type { EngineContext, EngineEnd, EngineTask } from '../../ports/engine.ts'
import { call } from './call.ts'
import { cancelled, endOf, type Failure, type Step } from './ends.ts'
import { keep, keeperName } from './keeper.ts'
import type { Parts } from './parts.ts'
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
  const { databases, turns, keeper, stateMark } = parts
  const startedAt = context.clock.monotonic()
  const { create, limits } = task.action
  const template = databases.templates.find(
    ({ name, datastore }) => name === create?.template && datastore === 'sqlite',
  )
  if (!create || !template)
    return endOf({ code: 'config', text: 'a SQLite database is made from a template, and this names none' })
  yield { type: 'phase', phase: 'prepare' }
  using turn = await turns.take(create.instance, context.signal)
  if (!turn) return endOf(cancelled(context.signal))
  const place = databases.pathOf(template, create.instance)
  const before = await earlierTry(parts, create, place, context)
  if (before) return before
  await using _work = await emptyFolder(workFolder(template, create.instance, stateMark))

  const folder = workFolder(template, create.instance, stateMark)
  const got = yield* keep({ keeper, share: shares.transfer }, keeping(task, folder), context)
  if (got.result !== 'success') return got.result === 'partial' ? { ...got, result: 'failed' } : got
  const file = await onlyFileIn(folder)
  if (file === undefined)
    return endOf({ code: 'config', text: 'the backup is not of a single SQLite database' })
  const checked = yield* call({ args: ['check', file], stateMark, limits, shares }, context)
  if (!checked.ok) return endOf(checked.failure)

  yield { type: 'phase', phase: 'commit' }
  await handOver(file, template, context)
  const failure = await giveName(parts, create, template, file, context)
  if (failure) return endOf(failure)
  const durationMs = Math.round(context.clock.monotonic() - startedAt)
  return { ...got, stats: { bytesProcessed: checked.bytes, ...got.stats, durationMs } }
}

/** The end, when an earlier attempt at this step has made it, or when something else is in its place. */
async function earlierTry(
  { databases }: Parts,
  { instance }: Creation,
  place: string,
  context: EngineContext,
): Promise<EngineEnd | undefined> {
  const known = databases.find(instance)
  const { run, step } = madeBy(context)
  if (!(await exists(path.dirname(place))))
    return endOf({ code: 'config', text: `the folder of its template is not there: ${path.dirname(place)}` })
  const isThere = await exists(place)
  if (known?.madeBy?.run === run && known.madeBy.step === step && isThere) {
    context.log({ level: 'info', stream: 'agent', text: `${place} was made by an earlier attempt` })
    return { type: 'end', result: 'success', retryable: false, stats: { durationMs: 0 } }
  }
  if (known) return endOf({ code: 'config', text: `there is an instance ${instance} on this node already` })
  // Also what SQLite would take for a part of it.
  for (const name of [place, `${place}-journal`, `${place}-wal`, `${place}-shm`])
    if (await exists(name)) return endOf({ code: 'config', text: `${name} exists already` })
  return undefined
}

const madeBy = ({ tags, attemptId }: EngineContext) => ({
  run: tags['run'] ?? attemptId,
  step: tags['step'] ?? '0',
})

async function exists(place: string): Promise<boolean> {
  try {
    await lstat(place)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

function keeping(task: Restore, folder: string): Restore {
  const { create: _, ...action } = task.action
  return {
    ...task,
    action: { ...action, engine: keeperName, target: folder, include: [], overwrite: false },
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
