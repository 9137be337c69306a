// Temporary folders that are gone afterwards.
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'

/** A folder that exists until disposed: `await using dir = await tempDir()`. */
export interface TempDir extends AsyncDisposable {
  /** Absolute path, mode 0700. */
  readonly path: string
  /** A path inside it. */
  join(...names: string[]): string
}

/** Makes a new empty folder. Removing it keeps trying while a process that just died still writes there. */
export async function tempDir(label = 'test'): Promise<TempDir> {
  const dir = await mkdtemp(path.join(os.tmpdir(), `firn-${label}-`))
  return {
    path: dir,
    join: (...names) => path.join(dir, ...names),
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }),
  }
}
