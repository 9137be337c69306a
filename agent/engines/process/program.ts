import { accessSync, constants, statSync } from 'node:fs'
import path from 'node:path'
import type { Limits } from '../../../core/action.ts'

export type Found =
  { readonly ok: true; readonly file: string } | { readonly ok: false; readonly code: 'ENOENT' | 'EACCES' }

/** The absolute path of a program: a path is taken as it is, a bare name is looked for in `searchPath`. */
export function findProgram(name: string, searchPath: string): Found {
  const candidates = name.includes('/')
    ? [path.resolve('/', name)]
    : searchPath.split(':').flatMap((dir) => (dir.startsWith('/') ? [path.join(dir, name)] : []))
  let code: 'ENOENT' | 'EACCES' = 'ENOENT'
  for (const file of candidates) {
    try {
      if (!statSync(file).isFile()) continue
      accessSync(file, constants.X_OK)
      return { ok: true, file }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EACCES') code = 'EACCES'
    }
  }
  return { ok: false, code }
}

/**
 * The `nice` and `ionice` words to put before a command for these limits. A tool that the node does not have is left
 * out: a backup at full priority is better than none. (ionice acts only under a scheduler with classes, such as bfq.)
 */
export function priorityPrefix(limits: Limits, searchPath: string): string[] {
  const nice = limits.nice === undefined || limits.nice === 0 ? undefined : findProgram('nice', searchPath)
  const ionice = limits.ioClass === undefined ? undefined : findProgram('ionice', searchPath)
  const level = limits.ioClass === 'best-effort' ? ['-n', String(limits.ioLevel ?? 4)] : []
  return [
    ...(nice?.ok ? [nice.file, '-n', String(limits.nice)] : []),
    ...(ionice?.ok ? [ionice.file, '-c', limits.ioClass === 'idle' ? '3' : '2', ...level] : []),
  ]
}
