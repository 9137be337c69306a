import fs from 'node:fs'
import path from 'node:path'
import { Fault } from '../../core/fault.ts'
import type { Journal, JournalEntry, JournalRead } from '../ports/journal.ts'
import { realDisk, type Disk } from './disk.ts'
import { headLine, lineOf, parseJournal } from './journal-lines.ts'

const fileName = 'journal'
/** A compaction that did not end leaves this behind; the next one overwrites it. */
const newName = 'journal.new'
/** A journal that was damaged, kept for whoever wants to look. */
export const damagedName = 'journal.damaged'

/**
 * Compaction is due when the file has grown by this and by twice what it held after the last one, so that its cost stays
 * a fraction of the writing. Bytes.
 */
const growthMin = 4 * 1024 * 1024

/**
 * Reads the journal of a state directory; an absent one is empty. A damaged one is copied aside, since the next write
 * replaces it. Throws Fault('unsupported') for a format of a later version, and what the file system throws.
 */
export function readJournal(folder: string): JournalRead {
  const file = path.join(folder, fileName)
  let bytes: Buffer
  try {
    bytes = fs.readFileSync(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return { entries: [], torn: false, damaged: [], doubtful: [] }
  }
  const parsed = parseJournal(bytes)
  if (parsed.is === 'unknown')
    throw new Fault('unsupported', `${file} has format ${String(parsed.format)}: written by a later version`)
  if (parsed.damaged.length > 0) keepCopy(file, path.join(folder, damagedName))
  return parsed
}

/** For people only: on a full disk there is none. */
function keepCopy(file: string, copy: string): void {
  try {
    fs.copyFileSync(file, copy)
    fs.chmodSync(copy, 0o600)
  } catch {
    fs.rmSync(copy, { force: true })
  }
}

interface Waiting {
  readonly line: Buffer
  readonly resolve: () => void
  readonly reject: (fault: Fault) => void
}

/**
 * A journal in one file. Lines are written at once and synced in groups: a single call syncs without delay, and those that
 * come during a sync share the next one. After any failure the file counts as unknown (a failed fsync may have dropped what
 * was written, and a second one would not say so) and is replaced by a new one.
 */
export class FileJournal implements Journal {
  readonly #folder: string
  readonly #snapshot: () => Iterable<JournalEntry>
  readonly #disk: Disk
  #fd: number | undefined
  /** Bytes that are whole lines. */
  #length = 0
  #compactAt = 0
  /** The file is not what it should be: the next sync writes a new one. */
  #broken = true
  #waiting: Waiting[] = []
  /** Falls in the same step that finds nothing waiting, so that no call slips in between. */
  #isSyncing = false
  #synced: Promise<void> = Promise.resolve()

  /** `snapshot` gives entries that stand for all that was ever appended and not rejected. Call `repair` before use. */
  constructor(folder: string, snapshot: () => Iterable<JournalEntry>, disk: Disk = realDisk) {
    this.#folder = folder
    this.#snapshot = snapshot
    this.#disk = disk
  }

  append(entry: JournalEntry): Promise<void> {
    return this.#store(lineOf(entry))
  }

  repair(): Promise<void> {
    return this.#store(Buffer.alloc(0))
  }

  note(entry: JournalEntry): void {
    if (this.#broken || this.#fd === undefined) throw notWritten(undefined)
    this.#write(this.#fd, lineOf(entry))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#synced
    if (this.#fd !== undefined) this.#disk.close(this.#fd)
    this.#fd = undefined
    this.#broken = true
  }

  #store(line: Buffer): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    if (!this.#broken && this.#fd !== undefined)
      try {
        this.#write(this.#fd, line)
      } catch (error) {
        return Promise.reject(error as Fault)
      }
    this.#waiting.push({ line, resolve, reject })
    if (!this.#isSyncing) this.#synced = this.#syncAll()
    return promise
  }

  /** What could be written of a line is cut off again, which even a full disk allows. Throws Fault('busy'). */
  #write(fd: number, line: Buffer): void {
    try {
      this.#disk.write(fd, line)
      this.#length += line.length
    } catch (error) {
      this.#broken = true
      try {
        this.#disk.truncate(fd, this.#length)
      } catch {
        // Then its last line is torn, which the next reader knows how to take.
      }
      throw notWritten(error)
    }
  }

  async #syncAll(): Promise<void> {
    this.#isSyncing = true
    while (this.#waiting.length > 0) {
      const batch = this.#waiting
      this.#waiting = []
      try {
        if (this.#broken || this.#fd === undefined || this.#length >= this.#compactAt)
          await this.#rewrite(batch)
        else await this.#disk.sync(this.#fd)
        for (const { resolve } of batch) resolve()
      } catch (error) {
        this.#broken = true
        const fault = notWritten(error)
        for (const { reject } of batch) reject(fault)
      }
    }
    this.#isSyncing = false
  }

  /**
   * Replaces the file by a new one: what the owner holds, and the batch. What is appended meanwhile goes to the new file
   * and is acknowledged by the sync after it, so a crash at any moment finds a file with all that was acknowledged.
   */
  async #rewrite(batch: readonly Waiting[]): Promise<void> {
    const old = this.#fd
    const file = path.join(this.#folder, newName)
    this.#fd = undefined
    if (old !== undefined) this.#disk.close(old)
    const lines = [headLine(), ...Array.from(this.#snapshot(), lineOf), ...batch.map(({ line }) => line)]
    const bytes = Buffer.concat(lines)
    const fd = this.#disk.create(file)
    this.#fd = fd
    this.#length = 0
    this.#disk.write(fd, bytes)
    this.#length = bytes.length
    this.#broken = false
    await this.#disk.sync(fd)
    this.#disk.rename(file, path.join(this.#folder, fileName))
    await this.#disk.syncFolder(this.#folder)
    this.#compactAt = bytes.length + Math.max(growthMin, 2 * bytes.length)
  }
}

const notWritten = (cause: unknown): Fault =>
  new Fault('busy', 'the journal cannot be written', cause === undefined ? {} : { cause })
