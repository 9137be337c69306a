import { readdir, rm } from 'node:fs/promises'
import path from 'node:path'
import type { RepositoryAccess } from '../../../core/link.ts'
import type { ToolContext } from '../../ports/engine.ts'
import { cacheFolder, type Restic } from './tool.ts'

/** Without movement for this long the cleaning is given up; the next attempt does it again. */
const stallMs = 60_000

/**
 * Removes what a command of a dead attempt left: its lock, and the temporary cache of a check. Only stale locks go: those
 * of processes of this node that no longer run, and any that nobody refreshed for half an hour.
 */
export async function cleanUp(tool: Restic, access: RepositoryAccess, context: ToolContext): Promise<void> {
  const unlocked = await tool.collect({ args: ['unlock'], access, stallMs, movement: 'reading' }, context)
  const cache = cacheFolder(context, access)
  const names = await readdir(cache).catch(() => [])
  const left = names.filter((name) => name.startsWith('restic-check-cache-'))
  for (const name of left) await rm(path.join(cache, name), { recursive: true, force: true })
  const text = unlocked.ok
    ? 'stale locks are removed'
    : `stale locks could not be removed: ${unlocked.failure.text}`
  context.log({ level: unlocked.ok ? 'info' : 'warn', stream: 'agent', text })
}
