// The journal on a real file system that has no room left.
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { expect, it, type TestContext } from 'vitest'
import { FileJournal, readJournal } from '../../agent/disk/journal.ts'
import type { JournalEntry } from '../../agent/ports/journal.ts'
import { runId } from '../../core/ids.ts'
import { skipWhen, skipWhenKernelCannot } from '../support/skip.ts'
import { tempDir } from '../support/temp.ts'

const markOf = (n: number): JournalEntry => ({ type: 'mark', run: runId(`r${n}`), attempt: 1, why: 'absent' })

/** A file system of 64 kB at `folder`; what mount said when it could not. */
function mounted(folder: string): string | undefined {
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder])
  return status === 0 ? undefined : String(stderr).trim() || 'no mount'
}

function fill(file: string): void {
  try {
    for (;;) fs.appendFileSync(file, 'x'.repeat(4_096))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
}

it('on a full disk nothing is acknowledged and nothing acknowledged is lost; with room again it goes on', async (context: TestContext) => {
  skipWhen(context, 'needs root to mount a small file system', process.getuid?.() !== 0)
  await using dir = await tempDir()
  const small = dir.join('small')
  fs.mkdirSync(small)
  await skipWhenKernelCannot(context, 'no small file system can be mounted here', () => mounted(small))
  try {
    const held: JournalEntry[] = []
    await using journal = new FileJournal(small, () => held)
    const add = async (n: number): Promise<boolean> => {
      const ok = await journal.append(markOf(n)).then(
        () => true,
        () => false,
      )
      if (ok) held.push(markOf(n))
      return ok
    }
    expect(await add(1)).toBe(true)
    const ballast = path.join(small, 'ballast')
    fill(ballast)
    let n = 2
    while (await add(n)) n++
    const acknowledged = held.map((entry) => ('run' in entry ? entry.run : ''))
    expect(await add(n)).toBe(false)
    expect(readJournal(small).entries.map((entry) => ('run' in entry ? entry.run : ''))).toEqual(acknowledged)
    fs.rmSync(ballast)
    expect(await add(n + 1)).toBe(true)
    const { entries, torn, damaged } = readJournal(small)
    expect(entries).toEqual(held)
    expect([torn, damaged]).toEqual([false, []])
  } finally {
    spawnSync('umount', ['-l', small])
  }
})
