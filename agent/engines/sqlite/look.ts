import { open, stat } from 'node:fs/promises'
import type { DatastoreTool, Looked } from '../../ports/databases.ts'

/** How every SQLite file begins (fileformat2). */
const magic = Buffer.from('SQLite format 3\0')

/** SQLite as the agent's own runtime has it. */
export const sqliteTool: DatastoreTool = {
  type: 'sqlite',
  version: (process.versions.sqlite ?? '0.0').split('.').slice(0, 2).join('.'),
  look,
}

/** By its first bytes: opening it would lock it, and could wait. */
async function look(file: string): Promise<Looked> {
  try {
    const found = await stat(file)
    if (!found.isFile()) return { up: false, problem: 'it is no file' }
    // An empty file is an empty database.
    if (found.size > 0 && !(await begins(file))) return { up: false, problem: 'it is no SQLite database' }
    const log = await stat(`${file}-wal`).catch(() => undefined)
    return { up: true, bytes: found.size + (log?.size ?? 0) }
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException
    return {
      up: false,
      problem: code === 'ENOENT' ? 'its file is not there' : `its file cannot be read (${code})`,
    }
  }
}

async function begins(file: string): Promise<boolean> {
  await using handle = await open(file, 'r')
  const { buffer } = await handle.read({ buffer: Buffer.alloc(magic.length), position: 0 })
  return buffer.equals(magic)
}
