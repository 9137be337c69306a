import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import type { Clock } from '../../../core/clock.ts'
import type { ItemError, Stats } from '../../../core/run.ts'
import { isSnapshotId } from './repository.ts'
import { isObject } from './messages.ts'

/**
 * How a finished backup of a step turned out, kept on the node. A snapshot in the repository does not say whether all
 * its sources could be read; this does, so that an attempt after a crash can take over what the one before it made.
 */
export interface Outcome {
  readonly snapshot: string
  readonly repositoryId: string
  readonly paths: readonly string[]
  readonly stats: Stats
  /** The first of them. */
  readonly itemErrors: readonly ItemError[]
  readonly itemErrorCount: number
}

export const rememberedErrorsMax = 100
/** Longer than any run may take over its attempts. */
const keepMs = 14 * 24 * 3_600_000

const folderOf = (stateDir: string): string => path.join(stateDir, 'outcomes')
const fileOf = (stateDir: string, run: string, step: string): string =>
  path.join(folderOf(stateDir), `${encodeURIComponent(run)}.${encodeURIComponent(step)}.json`)

/** Durable before it returns. Throws what the file system says. */
export async function remember(stateDir: string, run: string, step: string, outcome: Outcome): Promise<void> {
  const file = fileOf(stateDir, run, step)
  await mkdir(folderOf(stateDir), { recursive: true, mode: 0o700 })
  const fresh = `${file}.new`
  {
    await using handle = await open(fresh, 'w', 0o600)
    await handle.writeFile(JSON.stringify(outcome))
    await handle.sync()
  }
  await rename(fresh, file)
}

/** What is remembered of a step; undefined also when it cannot be read, since then nothing is proved. */
export async function recall(stateDir: string, run: string, step: string): Promise<Outcome | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(fileOf(stateDir, run, step), 'utf8'))
    return isOutcome(value) ? value : undefined
  } catch {
    return undefined
  }
}

const isOutcome = (value: unknown): value is Outcome =>
  isObject(value) &&
  typeof value['snapshot'] === 'string' &&
  isSnapshotId(value['snapshot']) &&
  typeof value['repositoryId'] === 'string' &&
  Array.isArray(value['paths']) &&
  isObject(value['stats']) &&
  Array.isArray(value['itemErrors']) &&
  typeof value['itemErrorCount'] === 'number'

/** Drops what is too old to be asked for. */
export async function forgetOldOutcomes(stateDir: string, clock: Clock): Promise<void> {
  const names = await readdir(folderOf(stateDir)).catch(() => [])
  for (const name of names) {
    const file = path.join(folderOf(stateDir), name)
    const { mtimeMs } = await stat(file).catch(() => ({ mtimeMs: Infinity }))
    if (clock.now() - mtimeMs > keepMs) await rm(file, { force: true })
  }
}
