import { readdir } from 'node:fs/promises'
import path from 'node:path'
import type { RepositoryAccess } from '../../../core/link.ts'
import type { EngineContext } from '../../ports/engine.ts'
import { entryOf } from './browse.ts'
import { failed, type Attempted, type Restic } from './tool.ts'

/** More links than this in a target are not compared with the backup. */
const linksMax = 500_000

export interface Landing {
  readonly access: RepositoryAccess
  readonly snapshot: string
  readonly target: string
  /** Absolute paths of the backup; empty: all. */
  readonly include: readonly string[]
}

/**
 * A symbolic link that lies in the target where the backup has a folder or a file: restic before 0.17 would write through
 * it, to wherever it leads, which the node's configuration need not allow. `undefined`: there is none. Links that come
 * into the target during the restore are not seen: a target should not be open to others.
 */
export async function linkInTheWay(
  tool: Restic,
  { access, snapshot, target, include }: Landing,
  context: EngineContext,
): Promise<Attempted<string | undefined>> {
  let links: ReadonlySet<string>
  try {
    links = await linksBelow(target, context.signal)
  } catch (error) {
    return failed('config', `the target ${target} cannot be looked through: ${(error as Error).message}`)
  }
  if (links.size === 0) return { ok: true, value: undefined }
  if (links.size > linksMax)
    return failed('config', `the target ${target} holds too many links; restore into an empty folder`)
  const args = ['ls', '--json', '--no-lock', '--', snapshot]
  const call = { args, access, stallMs: context.stallMs, movement: 'reading' } as const
  const started = await tool.start(call, context)
  if (!started.ok) return started
  await using session = started.value
  for await (const line of session.lines()) {
    if (line.source === 'stderr') {
      session.note(line)
      continue
    }
    const entry = line.cut ? undefined : entryOf(line.text)
    if (entry === undefined || entry.type === 'symlink' || !isWanted(entry.path, include)) continue
    if (links.has(spelling(entry.path))) return { ok: true, value: path.join(target, entry.path) }
  }
  const { failure } = await session.end()
  return failure === undefined ? { ok: true, value: undefined } : { ok: false, failure }
}

/** Whether a restore of these paths touches one of the backup: it lies in one of them, or on the way to it. */
const isWanted = (at: string, include: readonly string[]): boolean =>
  include.length === 0 || include.some((wanted) => isBelow(at, wanted) || isBelow(wanted, at))

const isBelow = (at: string, folder: string): boolean => !path.relative(folder, at).startsWith('..')

/** As restic and node tell it: each puts U+FFFD for bytes that are no UTF-8, but not as often. */
const spelling = (at: string): string => at.replace(/\ufffd+/g, '\ufffd')

/** Symbolic links below a folder, from its root; none is followed. Ends early when there are too many. */
async function linksBelow(target: string, signal: AbortSignal): Promise<ReadonlySet<string>> {
  const links = new Set<string>()
  // Names as bytes, for not all are text; latin1 keeps each.
  const folders = ['']
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    signal.throwIfAborted()
    const whole = Buffer.concat([Buffer.from(target), Buffer.from(folder, 'latin1')])
    for (const entry of await readdir(whole, { withFileTypes: true, encoding: 'buffer' })) {
      const at = `${folder}/${entry.name.toString('latin1')}`
      if (entry.isDirectory()) folders.push(at)
      if (entry.isSymbolicLink()) links.add(spelling(Buffer.from(at, 'latin1').toString()))
    }
    if (links.size > linksMax) break
  }
  return links
}
