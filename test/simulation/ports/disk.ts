import { parseJournal } from '../../../agent/disk/journal-lines.ts'
import type { Disk } from '../../../agent/disk/disk.ts'
import type { JournalRead } from '../../../agent/ports/journal.ts'
import type { Chance } from '../kernel/chance.ts'
import type { Process } from '../kernel/process.ts'

/** A file: what was written, and how much of it is on the medium. */
interface File {
  parts: Buffer[]
  length: number
  synced: number
}

/** A folder of one machine: it outlives processes; what was not synced does not outlive the machine's power. */
export class Folder {
  /** Every write fails, as on a full disk. */
  isFull = false
  /** Every sync fails, as with a broken one. */
  isBroken = false
  readonly #names = new Map<string, File>()
  /** The names as they are on the medium. */
  #kept = new Map<string, File>()
  readonly #chance: Chance

  constructor(chance: Chance) {
    this.#chance = chance
  }

  /** The disk as a process sees it. */
  for(process: Process): Disk {
    const open = new Map<number, File>()
    let next = 3
    const fileOf = (fd: number): File => {
      const file = open.get(fd)
      if (!file) throw new Error('EBADF')
      return file
    }
    return {
      create: (name) => {
        if (this.isFull) throw new Error('ENOSPC')
        const file: File = { parts: [], length: 0, synced: 0 }
        this.#names.set(baseOf(name), file)
        open.set(next, file)
        return next++
      },
      write: (fd, bytes) => {
        const file = fileOf(fd)
        if (this.isFull) {
          append(file, bytes.subarray(0, this.#chance.whole(0, bytes.length - 1)))
          throw new Error('ENOSPC')
        }
        append(file, bytes)
      },
      truncate: (fd, length) => {
        const file = fileOf(fd)
        file.parts = [whole(file).subarray(0, length)]
        file.length = length
      },
      sync: async (fd) => {
        const file = fileOf(fd)
        const { length } = file
        await process.clock.sleep(this.#chance.between(0.2, 12))
        if (this.isBroken) throw new Error('EIO')
        file.synced = Math.max(file.synced, length)
      },
      rename: (from, to) => {
        const file = this.#names.get(baseOf(from))
        if (!file) throw new Error('ENOENT')
        this.#names.delete(baseOf(from))
        this.#names.set(baseOf(to), file)
      },
      syncFolder: async () => {
        await process.clock.sleep(this.#chance.between(0.2, 5))
        if (this.isBroken) throw new Error('EIO')
        this.#kept = new Map(this.#names)
      },
      close: (fd) => void open.delete(fd),
    }
  }

  /** What a process finds when it starts. */
  journal(): JournalRead {
    const file = this.#names.get('journal')
    const parsed = parseJournal(file ? whole(file) : Buffer.alloc(0))
    if (parsed.is === 'unknown') throw new Error('a journal of another format')
    return parsed
  }

  /** The machine loses its power: of what was not synced there is a part at best. */
  losePower(): void {
    this.#names.clear()
    for (const [name, file] of this.#kept) {
      const length = this.#chance.whole(file.synced, file.length)
      file.parts = [whole(file).subarray(0, length)]
      file.length = length
      file.synced = length
      this.#names.set(name, file)
    }
  }
}

const baseOf = (name: string): string => name.slice(name.lastIndexOf('/') + 1)

function append(file: File, bytes: Buffer): void {
  file.parts.push(Buffer.from(bytes))
  file.length += bytes.length
}

function whole(file: File): Buffer {
  if (file.parts.length !== 1) file.parts = [Buffer.concat(file.parts)]
  return file.parts[0] ?? Buffer.alloc(0)
}
