import fs from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isFault } from '../../core/fault.ts'
import { runId } from '../../core/ids.ts'
import { tempDir } from '../../test/support/temp.ts'
import type { JournalEntry } from '../ports/journal.ts'
import { realDisk, type Disk } from './disk.ts'
import { headLine, lineOf, parseJournal } from './journal-lines.ts'
import { damagedName, FileJournal, readJournal } from './journal.ts'

const markOf = (n: number): JournalEntry => ({ type: 'mark', run: runId(`r${n}`), attempt: n, why: 'absent' })
const runsIn = (folder: string): string[] =>
  readJournal(folder).entries.map((entry) => ('run' in entry ? entry.run : entry.type))

/** A journal and what its owner holds: all that was acknowledged. */
function open(folder: string, disk: Disk = realDisk) {
  const held: JournalEntry[] = [...readJournal(folder).entries]
  const journal = new FileJournal(folder, () => held, disk)
  return {
    journal,
    async add(n: number): Promise<void> {
      await journal.append(markOf(n))
      held.push(markOf(n))
    },
    [Symbol.asyncDispose]: () => journal[Symbol.asyncDispose](),
  }
}

type Faulty = { -readonly [K in keyof Disk]: Disk[K] } & { calls: number }

/** A disk whose n-th operation (counted from 1) fails, once or from then on. */
function failing(nth: number, forHowLong: 'once' | 'ever'): Faulty {
  const guard = <A extends unknown[], R>(work: (...args: A) => R) =>
    function (...args: A): R {
      disk.calls++
      if (disk.calls === nth || (forHowLong === 'ever' && disk.calls > nth))
        throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
      return work(...args)
    }
  const disk = {
    calls: 0,
    create: guard(realDisk.create),
    write: guard(realDisk.write),
    truncate: guard(realDisk.truncate),
    sync: guard(realDisk.sync),
    rename: guard(realDisk.rename),
    syncFolder: guard(realDisk.syncFolder),
    close: realDisk.close,
  }
  return disk
}

describe('a journal on disk', () => {
  it('gives back what was acknowledged, in order, to a later process', async () => {
    await using dir = await tempDir()
    {
      await using it = open(dir.path)
      for (const n of [1, 2, 3]) await it.add(n)
    }
    expect(runsIn(dir.path)).toEqual(['r1', 'r2', 'r3'])
    {
      await using it = open(dir.path)
      await it.add(4)
    }
    expect(runsIn(dir.path)).toEqual(['r1', 'r2', 'r3', 'r4'])
  })

  it('is readable by its owner only', async () => {
    await using dir = await tempDir()
    await using it = open(dir.path)
    await it.add(1)
    expect(fs.statSync(dir.join('journal')).mode & 0o777).toBe(0o600)
  })

  it('syncs many entries that come together in a few syncs, and a single one at once', async () => {
    await using dir = await tempDir()
    let syncs = 0
    const counting: Disk = { ...realDisk, sync: (fd) => (syncs++, realDisk.sync(fd)) }
    await using it = open(dir.path, counting)
    await it.add(0)
    syncs = 0
    await Promise.all(Array.from({ length: 500 }, (_, n) => it.add(n + 1)))
    expect(syncs).toBeLessThanOrEqual(2)
    expect(runsIn(dir.path)).toHaveLength(501)
  })

  it('hands noted entries to the kernel, so that they survive the process', async () => {
    await using dir = await tempDir()
    await using it = open(dir.path)
    await it.add(1)
    it.journal.note(markOf(2))
    expect(runsIn(dir.path)).toEqual(['r1', 'r2'])
  })

  it('is compacted to what its owner holds when it has grown', async () => {
    await using dir = await tempDir()
    const journal = new FileJournal(dir.path, () => [markOf(1)])
    await using _ = journal
    const big: JournalEntry = {
      ...markOf(2),
      reason: { code: 'x', text: 'y'.repeat(1024 * 1024) },
    } as JournalEntry
    for (let n = 0; n < 12; n++) await journal.append(big)
    expect(fs.statSync(dir.join('journal')).size).toBeLessThan(7 * 1024 * 1024)
    expect(runsIn(dir.path)[0]).toBe('r1')
    expect(fs.existsSync(dir.join('journal.new'))).toBe(false)
  })

  it('refuses a journal of a later version instead of misreading it', async () => {
    await using dir = await tempDir()
    const head = headLine().toString().slice(9).replace('"format":1', '"format":2')
    const { crc32 } = await import('node:zlib')
    const sum = crc32(head.trimEnd()).toString(16).padStart(8, '0')
    fs.writeFileSync(dir.join('journal'), `${sum} ${head}`)
    expect(() => readJournal(dir.path)).toThrow('later version')
  })
})

describe('a journal that was cut off or damaged', () => {
  const whole = Buffer.concat([headLine(), ...[1, 2, 3].map((n) => lineOf(markOf(n)))])

  it('loses only its torn last line, wherever the cut is', () => {
    for (let length = 0; length <= whole.length; length++) {
      const parsed = parseJournal(whole.subarray(0, length))
      if (parsed.is !== 'read') throw new Error('unknown')
      // Whole lines before the cut; one without its newline is still whole.
      const lines =
        whole
          .subarray(0, length + 1)
          .toString()
          .split('\n').length - 1
      expect(parsed.entries.length, `cut at ${length}`).toBe(Math.max(0, lines - 1))
      expect(parsed.damaged).toEqual([])
    }
  })

  it('keeps what is readable around damage, says where it is, what it was about, and keeps a copy', async () => {
    await using dir = await tempDir()
    const lines = whole.toString().split('\n')
    lines[2] = lines[2]?.replace('absent', 'absemt') ?? ''
    fs.writeFileSync(dir.join('journal'), lines.join('\n'))
    const read = readJournal(dir.path)
    expect(read.entries.map((entry) => ('run' in entry ? entry.run : ''))).toEqual(['r1', 'r3'])
    expect(read.damaged).toEqual([3])
    expect(read.doubtful).toEqual([{ run: 'r2', attempt: 2 }])
    expect(fs.readFileSync(dir.join(damagedName), 'utf8')).toContain('absemt')
  })

  it('never throws, whatever its bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(), (bytes, seed) => {
        const mixed = Buffer.from(whole)
        mixed.set(bytes.subarray(0, Math.min(bytes.length, 40)), seed % (whole.length - 40))
        expect(parseJournal(Buffer.from(bytes)).is).toBe('read')
        expect(parseJournal(mixed).is).toBe('read')
      }),
    )
  })
})

describe('when the disk fails', () => {
  /** Adds 1 … 4, one after the other and two together, the last once more; answers what was acknowledged. */
  async function play(folder: string, disk: Disk): Promise<{ kept: string[]; refused: number }> {
    await using it = open(folder, disk)
    const kept: string[] = []
    let refused = 0
    const add = async (n: number): Promise<void> => {
      try {
        await it.add(n)
        kept.push(`r${n}`)
      } catch (error) {
        if (!isFault(error, 'busy')) throw error
        refused++
      }
    }
    await add(1)
    await Promise.all([add(2), add(3)])
    await add(4)
    await add(4)
    return { kept: kept.toSorted(), refused }
  }

  it('keeps every acknowledged entry, whichever operation fails once, and goes on', async () => {
    const smooth = failing(Infinity, 'once')
    {
      await using dir = await tempDir()
      await play(dir.path, smooth)
    }
    for (let nth = 1; nth <= smooth.calls; nth++) {
      await using dir = await tempDir()
      const { kept, refused } = await play(dir.path, failing(nth, 'once'))
      expect(refused, `operation ${nth}`).toBeGreaterThan(0)
      expect(kept, `operation ${nth}`).toContain('r4')
      expect(runsIn(dir.path), `operation ${nth}`).toEqual(expect.arrayContaining(kept))
    }
  })

  it('keeps every acknowledged entry when the disk never comes back', async () => {
    const smooth = failing(Infinity, 'once')
    {
      await using dir = await tempDir()
      await play(dir.path, smooth)
    }
    for (let nth = 1; nth <= smooth.calls; nth++) {
      await using dir = await tempDir()
      const { kept } = await play(dir.path, failing(nth, 'ever'))
      expect(runsIn(dir.path), `from operation ${nth}`).toEqual(expect.arrayContaining(kept))
    }
  })

  it('has what its owner kept in spite of a failure with the next entry', async () => {
    await using dir = await tempDir()
    const held = [markOf(1)]
    const disk = failing(Infinity, 'once')
    await using journal = new FileJournal(dir.path, () => held, disk)
    await journal.repair()
    // Half a line gets to the disk, and then there is no room.
    const { write } = disk
    disk.write = (fd, bytes) => {
      disk.write = write
      realDisk.write(fd, bytes.subarray(0, 20))
      throw new Error('no space left on device')
    }
    await expect(journal.append(markOf(2))).rejects.toThrow('cannot be written')
    expect(readJournal(dir.path)).toMatchObject({ torn: false, entries: [markOf(1)] })
    held.push(markOf(2))
    await journal.append(markOf(3))
    expect(runsIn(dir.path)).toEqual(['r1', 'r2', 'r3'])
  })

  it('writes down what was held back, once the disk is there again', async () => {
    await using dir = await tempDir()
    const held = [markOf(1)]
    const disk = failing(1, 'ever')
    await using journal = new FileJournal(dir.path, () => held, disk)
    await expect(journal.append(markOf(2))).rejects.toThrow('cannot be written')
    held.push(markOf(3))
    await using healthy = new FileJournal(dir.path, () => held)
    await healthy.repair()
    expect(runsIn(dir.path)).toEqual(['r1', 'r3'])
  })
})
