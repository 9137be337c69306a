import { registerHooks } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** One change of the text of a source file, made when it is loaded: the file itself stays as it is. */
export interface Swap {
  /** From the root of the checkout. */
  readonly file: string
  readonly find: string
  readonly replace: string
}

const root = path.join(import.meta.dirname, '../..')

/**
 * Loads some source files with changes from now on: to count what they do, or to see that a mistake is found. Throws when a file
 * has not exactly one place to change, so that no change is ever left out in silence. Once for each process, before the files
 * are loaded.
 */
export function swapping(swaps: readonly Swap[]): void {
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context)
      const own = url.startsWith('file:') ? path.relative(root, fileURLToPath(url)) : ''
      const wanted = swaps.filter(({ file }) => file === own)
      if (wanted.length === 0) return loaded
      return { ...loaded, source: wanted.reduce(swapped, textOf(loaded.source)) }
    },
  })
}

const textOf = (source: unknown): string =>
  typeof source === 'string' ? source : Buffer.from(source as Uint8Array).toString('utf8')

function swapped(text: string, { file, find, replace }: Swap): string {
  const parts = text.split(find)
  if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} places like: ${find}`)
  return parts.join(replace)
}
