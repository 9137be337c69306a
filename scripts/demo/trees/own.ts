// The repository's own files, as a tree to back up.
import { chown, cp, readdir, rm, writeFile } from 'node:fs/promises'
import { appendFile } from 'node:fs/promises'
import path from 'node:path'

const checkout = path.join(import.meta.dirname, '../../..')

/** Not the repository's files: what is installed, made or in use. */
const leftOut: ReadonlySet<string> = new Set(['node_modules', '.git', '.tools', '.firn', 'coverage'])

/** Copies the checkout into a folder that is not there yet. As root, some of it gets another owner. */
export async function copyOwnTree(root: string, isRoot: boolean): Promise<void> {
  await cp(checkout, root, {
    recursive: true,
    preserveTimestamps: true,
    verbatimSymlinks: true,
    filter: (from) => !leftOut.has(path.basename(from)),
  })
  if (!isRoot) return
  // Users and groups that this machine need not have.
  await chown(path.join(root, 'README.md'), 12_345, 54_321).catch(() => {})
  await chown(path.join(root, 'package.json'), 12_345, 54_321)
  await chown(path.join(root, 'core'), 0, 54_321)
}

/** Changes, deletes and adds files; answers how many bytes are new. */
export async function changeOwnTree(root: string): Promise<number> {
  const at = (...names: string[]): string => path.join(root, ...names)
  const note = '\nchanged after the first start\n'
  await appendFile(at('package.json'), note)
  const sources = (await readdir(at('core'))).filter((name) => name.endsWith('.ts')).sort()
  const [first, second, third] = sources
  if (first !== undefined) await appendFile(at('core', first), note)
  if (second !== undefined) await rm(at('core', second))
  if (third !== undefined) await writeFile(at('core', third), '')
  await rm(at('cli'), { recursive: true, force: true })
  await writeFile(at('added.txt'), `new${note}`)
  return 8 * note.length
}
