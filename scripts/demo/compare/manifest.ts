// What a tree is, written down so that another one can be compared with it.
import { createHash } from 'node:crypto'
import { createReadStream, type BigIntStats } from 'node:fs'
import { lstat, readdir, readlink } from 'node:fs/promises'
import { readAttributes, type Attributes } from '../trees/pax.ts'

/** One thing in a tree. */
export interface Entry {
  readonly type: 'file' | 'directory' | 'symlink' | 'other'
  /** Permissions with set-id and sticky bits. */
  readonly mode: number
  /** Nanoseconds since the Unix epoch. */
  readonly mtimeNs: bigint
  readonly uid: number
  readonly gid: number
  /** Of a file. Bytes. */
  readonly size: number
  /** SHA-256 of a file, hex; where a link leads. */
  readonly content: string
  /** The least path of those that are the same file. */
  readonly same: string
  readonly attributes: Attributes
}

/** By relative path, each a Latin-1 text of its bytes: names need not be UTF-8. The root itself is `.`. */
export interface Manifest {
  readonly entries: ReadonlyMap<string, Entry>
  readonly files: number
  /** Of all files together, each name counted. */
  readonly bytes: number
}

/** Files that are hashed at once. */
const hashesAtOnce = 8
const none: Attributes = new Map()

/** Reads a whole tree but for `except` (relative, with what is below). Throws node's errors. */
export async function manifestOf(root: string, except: readonly string[] = []): Promise<Manifest> {
  const left = new Set(except)
  const found: [string, BigIntStats][] = []
  await walk(Buffer.from(root), '.', left, found)
  // Without tar nothing has any; the tree was made without, too.
  const attributes = await readAttributes(root).catch(() => undefined)
  const names = firstNames(found)
  const entries = new Map<string, Entry>()
  let next = 0
  const work = async (): Promise<void> => {
    for (let at = found[next++]; at !== undefined; at = found[next++]) {
      const [relative, stat] = at
      const own = attributes?.get(relative === '.' ? '.' : `./${relative}`) ?? none
      entries.set(relative, {
        ...(await entryOf(root, relative, stat)),
        same: names.get(`${stat.dev}/${stat.ino}`) ?? relative,
        attributes: own,
      })
    }
  }
  await Promise.all(Array.from({ length: hashesAtOnce }, work))
  const files = [...entries.values()].filter(({ type }) => type === 'file')
  const bytes = files.reduce((sum, { size }) => sum + size, 0)
  return { entries, files: files.length, bytes }
}

async function walk(
  root: Buffer,
  relative: string,
  except: ReadonlySet<string>,
  found: [string, BigIntStats][],
): Promise<void> {
  const full = pathIn(root, relative)
  const stat = await lstat(full, { bigint: true })
  found.push([relative, stat])
  if (!stat.isDirectory()) return
  for (const name of await readdir(full, { encoding: 'buffer' })) {
    const text = name.toString('latin1')
    const inside = relative === '.' ? text : `${relative}/${text}`
    if (!except.has(inside)) await walk(root, inside, except, found)
  }
}

/** A path below a root from its Latin-1 text. */
export const pathIn = (root: Buffer, relative: string): Buffer =>
  Buffer.concat([root, Buffer.from(`/${relative}`, 'latin1')])

function firstNames(found: readonly [string, BigIntStats][]): Map<string, string> {
  const names = new Map<string, string>()
  for (const [relative, { dev, ino }] of found) {
    const id = `${dev}/${ino}`
    const known = names.get(id)
    if (known === undefined || relative < known) names.set(id, relative)
  }
  return names
}

async function entryOf(
  root: string,
  relative: string,
  stat: BigIntStats,
): Promise<Omit<Entry, 'same' | 'attributes'>> {
  const full = pathIn(Buffer.from(root), relative)
  const common = {
    mode: Number(stat.mode & 0o7777n),
    mtimeNs: stat.mtimeNs,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    size: 0,
  }
  if (stat.isSymbolicLink())
    return { ...common, type: 'symlink', content: (await readlink(full, 'buffer')).toString('latin1') }
  if (stat.isDirectory()) return { ...common, type: 'directory', content: '' }
  if (!stat.isFile()) return { ...common, type: 'other', content: String(stat.mode & 0o170000n) }
  return { ...common, type: 'file', size: Number(stat.size), content: await hashOf(full) }
}

async function hashOf(file: Buffer): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}
