import { realpath } from 'node:fs/promises'
import path from 'node:path'

/**
 * Where a path really leads: its longest existing beginning with every link followed, and the rest as it stands. Throws
 * what the file system throws, except for parts that do not exist.
 */
export async function realPathOf(wanted: string): Promise<string> {
  const whole = path.resolve('/', wanted)
  const rest: string[] = []
  for (let at = whole; ; at = path.dirname(at)) {
    try {
      return path.join(await realpath(at), ...rest)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if ((code !== 'ENOENT' && code !== 'ENOTDIR') || at === '/') throw error
      rest.unshift(path.basename(at))
    }
  }
}
