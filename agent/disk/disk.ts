import fs from 'node:fs'
import { open } from 'node:fs/promises'
import { promisify } from 'node:util'

/** The few things that the journal asks of a file system; each may fail. */
export interface Disk {
  /** A new empty file that is only appended to, 0600. */
  readonly create: (file: string) => number
  /** Writes all of it or throws; a part of it may then be in the file. */
  readonly write: (fd: number, bytes: Buffer) => void
  readonly truncate: (fd: number, length: number) => void
  /** Resolves when what was written is on the medium. */
  readonly sync: (fd: number) => Promise<void>
  readonly rename: (from: string, to: string) => void
  /** Resolves when the folder's names are on the medium. */
  readonly syncFolder: (folder: string) => Promise<void>
  readonly close: (fd: number) => void
}

const datasync = promisify(fs.fdatasync)

export const realDisk: Disk = {
  create: (file) =>
    fs.openSync(
      file,
      fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_TRUNC | fs.constants.O_APPEND,
      0o600,
    ),
  write(fd, bytes) {
    for (let at = 0; at < bytes.length;) at += fs.writeSync(fd, bytes, at)
  },
  truncate: (fd, length) => fs.ftruncateSync(fd, length),
  sync: (fd) => datasync(fd),
  rename: (from, to) => fs.renameSync(from, to),
  async syncFolder(folder) {
    await using handle = await open(folder, 'r')
    await handle.sync()
  },
  close: (fd) => fs.closeSync(fd),
}
