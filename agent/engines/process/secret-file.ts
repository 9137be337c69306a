import fs from 'node:fs'

/** statfs's f_type of tmpfs: linux/magic.h TMPFS_MAGIC. */
const tmpfsMagic = 0x01021994
/** open(2) O_TMPFILE with the O_DIRECTORY that belongs to it; node:fs has no name for it. */
const openTmpfile = 0o20200000

const memoryFolders = ['/dev/shm', '/run', '/tmp']

/**
 * A secret in a file that has no name and lies in memory: opened with O_TMPFILE on a tmpfs, handed to a child as an
 * inherited descriptor and opened there again as /dev/fd/N. Node's own pipes cannot do this: they are sockets, which
 * cannot be opened by path. The caller closes the descriptor after the spawn. Throws when no tmpfs can be written.
 */
export function secretFile(secret: string): number {
  let cause: unknown
  for (const folder of memoryFolders) {
    try {
      if (fs.statfsSync(folder).type !== tmpfsMagic) continue
      const fd = fs.openSync(folder, openTmpfile | fs.constants.O_RDWR, 0o600)
      try {
        fs.writeSync(fd, secret, 0)
        return fd
      } catch (error) {
        fs.closeSync(fd)
        throw error
      }
    } catch (error) {
      cause = error
    }
  }
  throw new Error(`no memory file system to pass a secret through (tried ${memoryFolders.join(', ')})`, {
    cause,
  })
}
