// The main job, end to end: what a newcomer sees first.
import { chmod, readdir } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { launchFirn, processesNaming, type Launched } from '../support/launched.ts'
import { tempDir, type TempDir } from '../support/temp.ts'

const demoMs = 150_000
/** For the end of everything after the launcher was killed: some 2 s on an idle machine. */
const goneMs = 45_000

async function place(): Promise<TempDir> {
  const dir = await tempDir('demo')
  // One of its agents runs as another user.
  await chmod(dir.path, 0o711)
  return dir
}

async function expectGone(dir: TempDir, withinMs = goneMs): Promise<void> {
  await eventually(
    async () => {
      expect(processesNaming(dir.path)).toEqual([])
      expect(await readdir(dir.path)).toEqual([])
      return true
    },
    { withinMs },
  )
}

async function untilBackingUp(demo: Launched): Promise<void> {
  await eventually(() => demo.output.includes('source: running'), { withinMs: demoMs })
}

describe('firn demo', () => {
  it(
    'backs up, changes, backs up again, restores the first set and finds it as it was',
    async () => {
      await using dir = await place()
      await using demo = launchFirn(['demo', '--small', '--json'], { TMPDIR: dir.path })
      const code = await demo.ended(demoMs)
      expect(demo.output).toContain('Everything came back as it was before the first start.')
      expect(code).toBe(0)
      const summary = JSON.parse(demo.stdout) as {
        members: { tag: number; client: string; grade: string; result: string; startSkewUs: number }[]
        trees: { client: string; differences: unknown[]; compared: string[] }[]
        live: { records: number; problems: unknown[] }
        unreadable: string[]
      }
      expect(summary.members.map(({ tag, client, result }) => `${tag} ${client} ${result}`)).toEqual(
        [1, 2].flatMap((tag) => [`${tag} source success`, `${tag} mixed partial`, `${tag} live success`]),
      )
      for (const { grade, startSkewUs } of summary.members) {
        expect(grade).toBe('G0')
        expect(startSkewUs).toBeGreaterThanOrEqual(0)
      }
      expect(summary.unreadable).toHaveLength(2)
      for (const { compared, differences } of summary.trees) {
        expect(differences).toEqual([])
        expect(compared).toEqual(expect.arrayContaining(['bytes', 'mode', 'mtime', 'links']))
      }
      expect(summary.live.problems).toEqual([])
      expect(summary.live.records).toBeGreaterThan(0)
      await expectGone(dir)
    },
    demoMs,
  )

  it(
    'leaves nothing behind when it is interrupted, whatever it was doing',
    async () => {
      await using dir = await place()
      await using demo = launchFirn(['demo', '--small'], { TMPDIR: dir.path })
      await untilBackingUp(demo)
      demo.child.kill('SIGINT')
      expect(await demo.ended(demoMs)).toBe(130)
      await expectGone(dir)
    },
    demoMs,
  )

  it(
    'leaves nothing behind when it is killed in the middle of a backup, not even its folder',
    async () => {
      await using dir = await place()
      await using demo = launchFirn(['demo', '--small'], { TMPDIR: dir.path })
      await untilBackingUp(demo)
      demo.child.kill('SIGKILL')
      await expectGone(dir)
    },
    demoMs,
  )
})
