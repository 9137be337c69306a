import { lstat } from 'node:fs/promises'
import path from 'node:path'
import type { Clock } from '../../../core/clock.ts'
import type { ItemError } from '../../../core/run.ts'

export interface Sources {
  readonly present: readonly string[]
  readonly missing: readonly ItemError[]
}

/** How long a source may take to answer: a dead network file system answers never. */
const answerWithinMs = 30_000

/**
 * Looks at each source before restic does: restic before 0.19 leaves out a missing one with exit code 0. One that is
 * there but may not be looked at is left to restic, which names what it could not read.
 */
export async function lookAtSources(
  paths: readonly string[],
  clock: Clock,
  signal: AbortSignal,
): Promise<Sources> {
  const looks = await Promise.all(paths.map((source) => look(source, clock, signal)))
  return {
    present: paths.filter((_, at) => looks[at] === undefined),
    missing: looks.filter((error) => error !== undefined),
  }
}

async function look(source: string, clock: Clock, signal: AbortSignal): Promise<ItemError | undefined> {
  if (!path.isAbsolute(source)) return { path: source, code: 'EINVAL', message: 'is not an absolute path' }
  const over = new AbortController()
  const bound = AbortSignal.any([over.signal, signal])
  try {
    const late = clock.sleep(answerWithinMs, bound).then(
      () => 'late' as const,
      () => 'late' as const,
    )
    if ((await Promise.race([lstat(source), late])) !== 'late') return undefined
    return { path: source, code: 'ETIMEDOUT', message: 'does not answer' }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (
      code !== 'ENOENT' &&
      code !== 'ENOTDIR' &&
      code !== 'ENAMETOOLONG' &&
      code !== 'ERR_INVALID_ARG_VALUE'
    )
      return undefined
    return { path: source, code, message: code === 'ENOENT' ? 'does not exist' : message }
  } finally {
    over.abort()
  }
}
