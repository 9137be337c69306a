import fs from 'node:fs'
import path from 'node:path'
import { Fault } from '../../core/fault.ts'

/** One process for ever: a pid comes back, with its start time it does not. */
export interface ProcessName {
  readonly pid: number
  readonly startTime: string
}

/**
 * Keeps a second agent out of a state directory until disposed. A lock whose process is gone is taken over. Node has no
 * flock, so that the lock is a file that names its holder. Throws Fault('conflict') naming the process that has it.
 */
export function lockFolder(
  folder: string,
  self: ProcessName,
  lives: (process: ProcessName) => boolean,
): Disposable {
  const lock = path.join(folder, 'lock')
  const own = path.join(folder, `lock.${self.pid}`)
  fs.writeFileSync(own, JSON.stringify(self), { mode: 0o600 })
  try {
    // A takeover can be lost to another starter once; who loses twice finds a living holder.
    for (let attempt = 0; attempt < 3; attempt++) {
      if (linked(own, lock)) return { [Symbol.dispose]: () => release(lock, self) }
      const holder = holderOf(lock)
      if (holder && lives(holder))
        throw new Fault('conflict', `${folder} is in use by the agent with pid ${holder.pid}`)
      removeStale(lock, `${own}.stale`, holder)
    }
  } finally {
    fs.rmSync(own, { force: true })
  }
  throw new Fault('conflict', `${folder} is being taken by another agent`)
}

/** Makes `to` the same file as `from`, unless it exists. */
function linked(from: string, to: string): boolean {
  try {
    fs.linkSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function holderOf(lock: string): ProcessName | undefined {
  try {
    const said: unknown = JSON.parse(fs.readFileSync(lock, 'utf8'))
    const { pid, startTime } = said as Partial<ProcessName>
    return typeof pid === 'number' && typeof startTime === 'string' ? { pid, startTime } : undefined
  } catch {
    return undefined
  }
}

/** Moves the dead holder's lock away; a lock that another starter has just made is put back. */
function removeStale(lock: string, aside: string, holder: ProcessName | undefined): void {
  try {
    fs.renameSync(lock, aside)
    const moved = holderOf(aside)
    if (moved?.pid !== holder?.pid || moved?.startTime !== holder?.startTime) linked(aside, lock)
    fs.rmSync(aside, { force: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

function release(lock: string, self: ProcessName): void {
  const holder = holderOf(lock)
  if (holder?.pid === self.pid && holder.startTime === self.startTime) fs.rmSync(lock, { force: true })
}
