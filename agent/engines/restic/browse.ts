import { Fault } from '../../../core/fault.ts'
import type { RepositoryAccess, TreeEntry } from '../../../core/link.ts'
import { countOf, objectOf, textOf } from './messages.ts'
import type { Failure } from './failures.ts'
import type { ToolContext } from '../../ports/engine.ts'
import type { Restic } from './tool.ts'

/** Somebody waits for the answer. */
const answerWithinMs = 60_000

/**
 * The entries of a folder of a snapshot (or the file itself), no deeper, at most `limit`. Throws Fault('tool_failed'),
 * 'not_found' for a path that the snapshot has not, 'timeout' and 'cancelled'.
 */
export async function browse(
  tool: Restic,
  access: RepositoryAccess,
  snapshot: string,
  folder: string,
  limit: number,
  context: ToolContext,
): Promise<{ entries: TreeEntry[]; more: boolean }> {
  if (!/^[0-9a-f]{8,64}$/.test(snapshot))
    throw new Fault('tool_failed', `${snapshot} is not the id of a snapshot`)
  if (!folder.startsWith('/')) throw new Fault('tool_failed', `${folder} is not an absolute path`)
  const at = folder.length > 1 ? folder.replace(/\/+$/, '') || '/' : folder
  const args = ['ls', '--json', '--no-lock', '--', snapshot, at]
  const started = await tool.start({ args, access, stallMs: answerWithinMs, movement: 'values' }, context)
  if (!started.ok) throw faultOf(started.failure)
  await using session = started.value
  const entries: TreeEntry[] = []
  let found: 'nothing' | 'snapshot' | 'path' = 'nothing'
  for await (const line of session.lines()) {
    if (line.source === 'stderr') {
      session.note(line)
      continue
    }
    // The first line is the snapshot itself. 0.14 ends with 0 and says nothing when there is none.
    if (found === 'nothing') found = 'snapshot'
    const entry = line.cut ? undefined : entryOf(line.text)
    if (entry === undefined) continue
    found = 'path'
    if (entry.path === at && entry.type === 'dir') continue
    if (entries.length >= limit) return { entries, more: true }
    entries.push(entry)
  }
  const { failure } = await session.end()
  if (failure !== undefined) throw faultOf(failure)
  if (found === 'nothing') throw new Fault('not_found', `the repository has no snapshot ${snapshot}`)
  if (found === 'snapshot' && at !== '/') throw new Fault('not_found', `the backup has no ${folder}`)
  return { entries, more: false }
}

const faults = { cancelled: 'cancelled', stalled: 'timeout' } as const

const faultOf = ({ code, text }: Failure): Fault =>
  new Fault(code in faults ? faults[code as keyof typeof faults] : 'tool_failed', `${code}: ${text}`)

/** One line of `ls --json`; undefined for the snapshot's own line and for anything else. */
export function entryOf(line: string): TreeEntry | undefined {
  const node = objectOf(line)
  const path = textOf(node?.['path'])
  if (node === undefined || path === undefined || node['struct_type'] !== 'node') return undefined
  return {
    path,
    type: typeOf(node['type']),
    size: countOf(node['size']) ?? 0,
    mode: permissionsOf(countOf(node['mode']) ?? 0),
    mtime: textOf(node['mtime']) ?? '',
  }
}

const types: ReadonlySet<unknown> = new Set(['file', 'dir', 'symlink'])
const typeOf = (type: unknown): TreeEntry['type'] => (types.has(type) ? (type as TreeEntry['type']) : 'other')

/** Go's os.FileMode has set-uid, set-gid and sticky at bits 23, 22 and 20 instead of st_mode's 11, 10 and 9. */
const permissionsOf = (mode: number): number =>
  (mode & 0o777) |
  ((mode >>> 23) & 1 ? 0o4000 : 0) |
  ((mode >>> 22) & 1 ? 0o2000 : 0) |
  ((mode >>> 20) & 1 ? 0o1000 : 0)
