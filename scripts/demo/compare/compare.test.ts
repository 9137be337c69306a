// A comparison that finds nothing proves something only if it finds what is there.
import { spawnSync } from 'node:child_process'
import {
  appendFile,
  chmod,
  copyFile,
  link,
  lstat,
  lutimes,
  readFile,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import path from 'node:path'
import { expect, it } from 'vitest'
import { skipWhen } from '../../../test/support/skip.ts'
import { tempDir } from '../../../test/support/temp.ts'
import { makeWithAttributes } from '../trees/pax.ts'
import { makeMixedTree } from '../trees/mixed.ts'
import { aspects, differences } from './compare.ts'
import { manifestOf } from './manifest.ts'

const size = { smallFiles: 30, largeFiles: 1, largeBytes: 300_000, sparseBytes: 1_000_000 }
const all = new Set(aspects)

/** Makes a tree and a copy of it, lets `alter` change the copy, and answers what is found. */
async function found(alter: (at: (name: string) => string) => Promise<void>): Promise<string[]> {
  await using dir = await tempDir('compare')
  const [was, is] = [dir.join('was'), dir.join('is')]
  spawnSync('mkdir', [was])
  const { unreadable } = await makeMixedTree(was, size, 1)
  spawnSync('cp', ['-a', was, is])
  const at = (name: string): string => path.join(is, name)
  const before = await manifestOf(was, unreadable)
  await alter(at)
  const after = await manifestOf(is, unreadable)
  // For the removal of the folder.
  for (const root of [was, is]) await chmod(path.join(root, 'closed/folder'), 0o700).catch(() => {})
  return differences(before, after, all)
    .filter(({ aspect, path }) => !(aspect === 'mtime' && folders.has(path)))
    .map(({ path, aspect }) => `${aspect} ${path}`)
}

/** Whatever is made, moved or removed in a folder changes that folder's time too. */
const folders = new Set(['.', 'small/d1', 'small/d2', 'links', 'links/there', 'names', 'attributes'])

/** Changes a thing and gives it its old time. */
async function keepingTime(file: string, change: () => Promise<unknown>): Promise<void> {
  await writeFile(`${file}.time`, '')
  spawnSync('touch', ['-r', file, '-h', `${file}.time`])
  await change()
  spawnSync('touch', ['-h', '-r', `${file}.time`, file])
  await rm(`${file}.time`)
}

it('finds nothing in a true copy, odd names, holes, links and attributes included', async () => {
  expect(await found(async () => {})).toEqual([])
})

it('finds other bytes under the same size and time', async () => {
  const changed = await found(async (at) => {
    const file = at('small/d1/1.dat')
    await keepingTime(file, async () => {
      const bytes = await readFile(file)
      bytes[0] = (bytes[0] ?? 0) ^ 1
      await writeFile(file, bytes)
    })
  })
  expect(changed).toEqual(['bytes small/d1/1.dat'])
})

it('finds what is missing, what is new, and what was moved', async () => {
  const changed = await found(async (at) => {
    await rm(at('small/d1/1.dat'))
    await rename(at('small/d2/2.dat'), at('small/d2/other'))
  })
  expect(changed.sort()).toEqual(['bytes small/d1/1.dat', 'bytes small/d2/2.dat', 'bytes small/d2/other'])
})

it('finds another mode, set-id bits included', async () => {
  expect(await found((at) => chmod(at('modes/4755'), 0o755))).toEqual(['mode modes/4755'])
})

it('finds a time that differs by less than a microsecond', async () => {
  const changed = await found(async (at) => {
    spawnSync('touch', ['-d', '@1000000000.123456789', at('small/d1/1.dat')])
  })
  expect(changed).toEqual(['mtime small/d1/1.dat'])
  const link = await found((at) => lutimes(at('links/into nowhere'), 5, 5))
  expect(link).toEqual(['mtime links/into nowhere'])
})

it('finds a symbolic link that leads elsewhere', async () => {
  const changed = await found(async (at) => {
    const file = at('links/to the file')
    await keepingTime(file, async () => {
      await rm(file)
      await symlink('there/fil', file)
    })
  })
  expect(changed).toEqual(['links links/to the file'])
})

it('finds names that are no longer one file, and names that have become one', async () => {
  const apart = await found(async (at) => {
    await keepingTime(at('links/pair too'), async () => {
      await rm(at('links/pair too'))
      await copyFile(at('links/pair'), at('links/pair too'))
    })
  })
  expect(apart).toEqual(['links links/pair too'])
  const together = await found(async (at) => {
    await rm(at('deep/nothing in it'))
    await link(at('attributes/one'), at('deep/nothing in it'))
  })
  expect(together).toContain('links deep/nothing in it')
})

it('finds attributes that are gone, changed or new', async (context) => {
  await using dir = await tempDir('compare')
  const attributes = { 'user.firn': Buffer.from('x') }
  const probe = { name: 'probe', type: 'file', content: Buffer.alloc(0), attributes } as const
  const without = await makeWithAttributes(dir.path, [probe])
  skipWhen(context, `extended attributes: ${without}`, without !== undefined)
  const changed = await found(async (at) => {
    await keepingTime(at('attributes/file'), async () => {
      const text = await readFile(at('attributes/file'))
      await rm(at('attributes/file'))
      await writeFile(at('attributes/file'), text)
    })
    const { mode } = await lstat(at('attributes/file'))
    expect(mode & 0o777).toBe(0o644)
  })
  expect(changed).toEqual(['xattrs attributes/file'])
})

it('finds another owner', async (context) => {
  skipWhen(context, 'needs root, to give a file away', process.getuid?.() !== 0)
  const changed = await found(async (at) => {
    spawnSync('chown', ['1:2', at('small/d1/1.dat')])
  })
  expect(changed).toEqual(['owner small/d1/1.dat'])
})

it('finds a longer file', async () => {
  const changed = await found((at) => appendFile(at('large/large-0.bin'), 'x'))
  expect(changed).toEqual(['bytes large/large-0.bin', 'mtime large/large-0.bin'])
})
