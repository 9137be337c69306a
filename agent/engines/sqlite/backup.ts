import { mkdir, stat } from 'node:fs/promises'
import path from 'node:path'
import type { EngineContext, EngineEnd, EngineTask } from '../../ports/engine.ts'
import { call } from './call.ts'
import { cancelled, endOf, type Step } from './ends.ts'
import { keep, keeperName } from './keeper.ts'
import type { Parts } from './parts.ts'
import { copiesIn, emptyFolder, sync } from './staging.ts'

type Backup = Extract<EngineTask, { do: 'backup' }>

/** How long a copy waits for a program that holds the whole database for itself. Milliseconds. */
const busyMs = 10_000
/** Fractions of a step: copying reads and writes on one node, keeping hashes, packs and sends. */
const shares = {
  scan: { from: 0, to: 0.3 },
  verify: { from: 0.3, to: 0.4 },
  transfer: { from: 0.4, to: 1 },
} as const

/**
 * Copies a database as of one instant, checks the copy, and has the keeper store it. Who uses the database goes on: in WAL
 * mode unhindered; otherwise reading on, while commits wait until it is read.
 */
export async function* backup(parts: Parts, task: Backup, context: EngineContext): Step {
  const { databases, turns, keeper, stateMark } = parts
  const startedAt = context.clock.monotonic()
  const { instance: key } = task.action
  const database = key === undefined ? undefined : databases.find(key)
  if (database?.datastore !== 'sqlite')
    return endOf({
      code: 'config',
      text: `this node looks after no SQLite database ${key ?? 'without a name'}`,
    })
  yield { type: 'phase', phase: 'prepare' }
  using turn = await turns.take(database.key, context.signal)
  if (!turn) return endOf(cancelled(context.signal))
  await mkdir(copiesIn(context.stateDir), { recursive: true, mode: 0o700 })
  const folder = path.join(copiesIn(context.stateDir), database.key)
  await using _copies = await emptyFolder(folder)
  const copy = path.join(folder, `${database.key}.db`)
  const args = ['copy', database.path, copy, String(busyMs)]
  const copied = yield* call({ args, stateMark, limits: task.action.limits, shares }, context)
  if (!copied.ok) return endOf(copied.failure)
  await sync(copy)
  const { size } = await stat(copy)
  const end = yield* keep({ keeper, share: shares.transfer }, keeping(task, copy), context)
  const durationMs = Math.round(context.clock.monotonic() - startedAt)
  return {
    ...end,
    ...aboutDatabase(end, database.path),
    stats: { bytesProcessed: size, ...end.stats, durationMs },
  }
}

/** A copy that cannot be read is no backup, whatever the action says of files. */
function keeping(task: Backup, copy: string): Backup {
  const { instance: _, ...action } = task.action
  return {
    ...task,
    action: { ...action, engine: keeperName, paths: [copy], excludes: [], onUnreadable: 'fail' },
  }
}

/** What was saved is the database, not the copy of it. */
const aboutDatabase = ({ saved }: EngineEnd, file: string): Pick<EngineEnd, 'saved'> =>
  saved
    ? {
        saved: {
          ...saved,
          engineVersion: `SQLite ${process.versions.sqlite}, ${saved.engineVersion}`,
          paths: [file],
        },
      }
    : {}
