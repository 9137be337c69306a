import { mkdir, stat } from 'node:fs/promises'
import path from 'node:path'
import type { EngineContext, EngineEnd, EngineTask } from '../../ports/engine.ts'
import { cancelled, endOf, type Step } from './ends.ts'
import { keep } from './keeper.ts'
import type { Kind, Parts } from './kind.ts'
import { copiesIn, emptyFolder, sync } from './staging.ts'

type Backup = Extract<EngineTask, { do: 'backup' }>

/** Fractions of a step: copying reads and writes on one node, keeping hashes, packs and sends. */
const shares = {
  scan: { from: 0, to: 0.3 },
  verify: { from: 0.3, to: 0.4 },
  transfer: { from: 0.4, to: 1 },
} as const

/** Copies a database as of one instant, checks the copy, and has the keeper store it. */
export async function* backup(parts: Parts, task: Backup, context: EngineContext): Step {
  const { kind, databases, turns, keeper, stateMark } = parts
  const startedAt = context.clock.monotonic()
  const { instance: key, limits } = task.action
  const database = key === undefined ? undefined : databases.find(key)
  if (database?.datastore !== kind.type)
    return endOf({
      code: 'config',
      text: `this node looks after no ${kind.title} database ${key ?? 'without a name'}`,
    })
  yield { type: 'phase', phase: 'prepare' }
  using turn = await turns.take(database.key, context.signal)
  if (!turn) return endOf(cancelled(context.signal))
  const copies = copiesIn(context.stateDir)
  await mkdir(copies, { recursive: true, mode: 0o700 })
  const folder = path.join(copies, database.key)
  await using _copies = await emptyFolder(folder)
  const copy = path.join(folder, `${database.key}.db`)
  const files = { source: database.path, target: copy }
  const copied = yield* kind.copy(files, { limits, stateMark, shares, context })
  if (!copied.ok) return endOf(copied.failure)
  await sync(copy)
  const { size } = await stat(copy)
  const end = yield* keep({ keeper, share: shares.transfer }, keeping(task, keeper.name, copy), context)
  const durationMs = Math.round(context.clock.monotonic() - startedAt)
  return {
    ...end,
    ...aboutDatabase(end, kind, database.path),
    stats: { bytesProcessed: size, ...end.stats, durationMs },
  }
}

/** A copy that cannot be read is no backup, whatever the action says of files. */
function keeping(task: Backup, engine: string, copy: string): Backup {
  const { instance: _, ...action } = task.action
  return {
    ...task,
    action: { ...action, engine, paths: [copy], excludes: [], onUnreadable: 'fail' },
  }
}

/** What was saved is the database, not the copy of it. */
const aboutDatabase = ({ saved }: EngineEnd, kind: Kind, file: string): Pick<EngineEnd, 'saved'> =>
  saved
    ? {
        saved: {
          ...saved,
          engineVersion: `${kind.title} ${kind.version}, ${saved.engineVersion}`,
          paths: [file],
        },
      }
    : {}
