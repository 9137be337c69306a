import { realpath } from 'node:fs/promises'
import path from 'node:path'

/** What ends the following of links: there is nothing, or nothing that this process could reach. */
const ends = ['ENOENT', 'ENOTDIR', 'EACCES']

/**
 * Where a path really leads: its longest reachable beginning with every link followed, and the rest as it stands. Throws
 * what else the file system throws (a circle of links, an I/O error).
 */
export async function realPathOf(wanted: string): Promise<string> {
  const whole = path.resolve('/', wanted)
  const rest: string[] = []
  for (let at = whole; ; at = path.dirname(at)) {
    try {
      return path.join(await realpath(at), ...rest)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (!ends.includes(code ?? '') || at === '/') throw error
      rest.unshift(path.basename(at))
    }
  }
}
