import { randomBytes } from 'node:crypto'
import { link, mkdir, open, readFile, stat, unlink } from 'node:fs/promises'
import path from 'node:path'
import { Fault } from '../../core/fault.ts'

/** Makes a folder that only its owner can enter, and its parents. */
export const privateFolder = (dir: string): Promise<unknown> => mkdir(dir, { recursive: true, mode: 0o700 })

/** Writes a new file that only its owner can read, and waits until it is on disk. Throws EEXIST when there is one. */
export async function writePrivate(file: string, text: string): Promise<void> {
  await using handle = await open(file, 'wx', 0o600)
  await handle.writeFile(text)
  await handle.sync()
}

/**
 * The text of a private file; when there is none it is made with what `make` gives. Of several processes that do this
 * at once, all read what one of them has made, and never half of it. Throws Fault('forbidden') when others may read it.
 */
export async function privateFile(file: string, make: () => string): Promise<string> {
  await privateFolder(path.dirname(file))
  const existing = await readPrivate(file)
  if (existing !== undefined) return existing
  const fresh = `${file}.${randomBytes(6).toString('hex')}`
  await writePrivate(fresh, make())
  try {
    await link(fresh, file)
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error
  } finally {
    await unlink(fresh)
  }
  return readFile(file, 'utf8')
}

/** The text of a private file; undefined when there is none. Throws Fault('forbidden') when others may read it. */
export async function readPrivate(file: string): Promise<string | undefined> {
  try {
    const { mode } = await stat(file)
    if ((mode & 0o077) !== 0) throw new Fault('forbidden', `${file} can be read by others: chmod 600 it`)
    return await readFile(file, 'utf8')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

/** Whether an error of the file system has one of these codes. */
export const hasCode = (error: unknown, ...codes: string[]): boolean =>
  error instanceof Error && 'code' in error && codes.includes(String(error.code))
