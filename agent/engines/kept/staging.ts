import { createHash } from 'node:crypto'
import { lstat, mkdir, open, readdir, rm } from 'node:fs/promises'
import path from 'node:path'
import type { Databases, Template } from '../../ports/databases.ts'
import type { Parts } from './kind.ts'

/** Where copies for backups are made: the same place for a database each time, so that its backups are of one path. */
export const copiesIn = (stateDir: string): string => path.join(stateDir, 'copies')

/** The beginning of folders in which restores work, beside the databases that they make; other agents' and engines' have another one. */
const workPrefix = (datastore: string, stateMark: string): string =>
  `.firn-${datastore}-${createHash('sha256').update(stateMark).digest('hex').slice(0, 12)}-`

/** The folder in which a database is restored before it gets its name. */
export const workFolder = ({ root, datastore }: Template, key: string, stateMark: string): string =>
  path.join(root, workPrefix(datastore, stateMark) + key)

/** An empty folder in one that is there, 0700, gone when it is disposed. Throws what the file system says. */
export async function emptyFolder(folder: string): Promise<AsyncDisposable> {
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true })
  await remove()
  await mkdir(folder, { mode: 0o700 })
  return { [Symbol.asyncDispose]: remove }
}

/**
 * The one file in a folder, however deep; undefined when there is another thing in it. Links are not followed. Throws what
 * the file system says.
 */
export async function onlyFileIn(folder: string): Promise<string | undefined> {
  for (let at = folder; ;) {
    const [name, ...more] = await readdir(at)
    if (name === undefined || more.length > 0) return undefined
    at = path.join(at, name)
    const found = await lstat(at)
    if (found.isFile()) return at
    if (!found.isDirectory()) return undefined
  }
}

/** What was written to a file, or a folder's names, are on the medium when it resolves. */
export async function sync(place: string): Promise<void> {
  await using handle = await open(place, 'r')
  await handle.sync()
}

/**
 * Removes what steps that were cut off have left. A restore is over when its folder is gone: one whose database has its name
 * already keeps it, another one is taken back. Throws what the file system says.
 */
export async function removeLeftovers(
  { kind, databases, turns, stateMark }: Parts,
  stateDir: string,
): Promise<void> {
  for (const key of await namesIn(copiesIn(stateDir)))
    if (!turns.isBusy(key)) await rm(path.join(copiesIn(stateDir), key), { recursive: true, force: true })
  const prefix = workPrefix(kind.type, stateMark)
  for (const template of databases.templates.filter(({ datastore }) => datastore === kind.type)) {
    for (const name of await namesIn(template.root)) {
      const key = name.slice(prefix.length)
      if (!name.startsWith(prefix) || turns.isBusy(key)) continue
      const folder = path.join(template.root, name)
      if (!(await isNamed(folder, databases.pathOf(template, key))))
        await forgetMade(databases, template, key)
      await rm(folder, { recursive: true, force: true })
    }
  }
}

const namesIn = (folder: string): Promise<string[]> => readdir(folder).catch(() => [])

/** Whether the file that was restored in a folder is the one at `place`. */
async function isNamed(folder: string, place: string): Promise<boolean> {
  const restored = await onlyFileIn(folder).catch(() => undefined)
  if (restored === undefined) return false
  const [here, there] = await Promise.all([lstat(restored), lstat(place).catch(() => undefined)])
  return there !== undefined && here.ino === there.ino && here.dev === there.dev
}

async function forgetMade(databases: Databases, template: Template, key: string): Promise<void> {
  const known = databases.find(key)
  if (known?.within === template.root) await databases.remove(key)
}
