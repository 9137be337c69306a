// A file system of a few mebibytes, to be filled.
import { execFileSync } from 'node:child_process'
import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import path from 'node:path'

/** A mounted file system; disposing unmounts it. */
export class SmallDisk implements Disposable {
  readonly folder: string

  private constructor(folder: string) {
    this.folder = folder
  }

  /** Mounts one at a folder, which is made. Only root can. */
  static async mount(folder: string, mebibytes: number): Promise<SmallDisk> {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=700`, 'none', folder])
    return new SmallDisk(folder)
  }

  /** Takes all the room that is left. What a file has of its last page stays its own. */
  fill(): void {
    const fd = openSync(path.join(this.folder, 'filler'), 'w')
    try {
      for (const page = Buffer.alloc(4_096); ;) writeSync(fd, page)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    } finally {
      closeSync(fd)
    }
  }

  /** Gives the room back. */
  free(): void {
    rmSync(path.join(this.folder, 'filler'), { force: true })
  }

  [Symbol.dispose](): void {
    execFileSync('umount', ['--lazy', this.folder])
  }
}
