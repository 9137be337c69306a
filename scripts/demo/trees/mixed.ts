// A tree with everything that makes backups go wrong.
import { spawnSync } from 'node:child_process'
import { chmod, link, lutimes, mkdir, open, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { makeWithAttributes } from './pax.ts'
import { oddNames } from './names.ts'
import { Random } from './random.ts'

/** How much of everything. */
export interface MixedSize {
  readonly smallFiles: number
  readonly largeFiles: number
  /** Bytes of each. */
  readonly largeBytes: number
  /** What the sparse file seems to hold. Bytes. */
  readonly sparseBytes: number
}

/** A tree that was made, and what is special in it. */
export interface MixedTree {
  /** Relative paths that whoever backs it up must not be able to read. */
  readonly unreadable: readonly string[]
  /** Why nothing in it has extended attributes; undefined when something has. */
  readonly withoutAttributes: string | undefined
}

const folders = 25
const smallMax = 8_192
const depth = 30

/** Makes the tree in an empty folder. */
export async function makeMixedTree(root: string, size: MixedSize, seed: number): Promise<MixedTree> {
  const random = new Random(seed)
  const at = (...names: string[]): string => path.join(root, ...names)
  await makeSmall(at('small'), size.smallFiles, random)
  await makeLarge(at('large'), size, random)
  await makeLinks(at('links'))
  await makeOddNames(at('names'))
  await makeDeep(at('deep'))
  await makeModes(at('modes'), random)
  const withoutAttributes = await makeAttributes(at('attributes'))
  await makeUnreadable(at('closed'))
  return {
    unreadable: ['closed/secret.key', 'closed/folder'],
    withoutAttributes,
  }
}

async function makeSmall(folder: string, count: number, random: Random): Promise<void> {
  for (let nth = 0; nth < Math.min(folders, count); nth++)
    await mkdir(path.join(folder, `d${nth}`), { recursive: true })
  for (let nth = 0; nth < count; nth++) {
    const file = path.join(folder, `d${nth % folders}`, `${nth}.dat`)
    await writeFile(file, random.bytes(random.whole(0, smallMax)))
    // Some older than Unix, and fractions of a second that a double cannot hold.
    if (nth % 50 === 0) await utimes(file, nth - 100, nth - 100.123456)
  }
}

async function makeLarge(folder: string, size: MixedSize, random: Random): Promise<void> {
  await mkdir(folder, { recursive: true })
  const piece = 1024 * 1024
  for (let nth = 0; nth < size.largeFiles; nth++) {
    await using file = await open(path.join(folder, `large-${nth}.bin`), 'w')
    for (let left = size.largeBytes; left > 0; left -= piece)
      await file.write(random.bytes(Math.min(piece, left)))
  }
  await using sparse = await open(path.join(folder, 'sparse.img'), 'w')
  await sparse.truncate(size.sparseBytes)
  for (const part of [0, 0.37, 0.9])
    await sparse.write(random.bytes(4096), 0, 4096, Math.floor(size.sparseBytes * part))
}

async function makeLinks(folder: string): Promise<void> {
  const at = (name: string): string => path.join(folder, name)
  await mkdir(at('there'), { recursive: true })
  await writeFile(at('there/file'), 'the one file of several names\n')
  await link(at('there/file'), at('same file'))
  await link(at('there/file'), at('there/and again'))
  await writeFile(at('pair'), 'another one\n')
  await link(at('pair'), at('pair too'))
  await symlink('there/file', at('to the file'))
  await symlink('there', at('to the folder'))
  await symlink('/etc/hostname', at('absolute'))
  await symlink('no such thing', at('into nowhere'))
  await symlink('loop', at('loop'))
  await lutimes(at('into nowhere'), 1_000_000_000, 1_000_000_000.5)
}

async function makeOddNames(folder: string): Promise<void> {
  await mkdir(folder)
  const base = Buffer.from(`${folder}/`)
  for (const name of oddNames) await writeFile(Buffer.concat([base, name]), name)
  const inside = Buffer.concat([base, Buffer.from([0xe9, 0x20, 0x0a]), Buffer.from('folder')])
  await mkdir(inside)
  await writeFile(Buffer.concat([inside, Buffer.from('/file')]), 'in a folder whose name is no text\n')
}

async function makeDeep(folder: string): Promise<void> {
  const deepest = path.join(folder, ...Array.from({ length: depth }, (_, nth) => `level ${nth}`))
  await mkdir(deepest, { recursive: true })
  await writeFile(path.join(deepest, 'bottom'), 'deep down\n')
  await mkdir(path.join(folder, 'empty'))
  await writeFile(path.join(folder, 'nothing in it'), '')
}

async function makeModes(folder: string, random: Random): Promise<void> {
  await mkdir(folder)
  for (const mode of [0o400, 0o444, 0o600, 0o640, 0o755, 0o4755, 0o2755, 0o777]) {
    const file = path.join(folder, mode.toString(8).padStart(4, '0'))
    await writeFile(file, random.bytes(64))
    await chmod(file, mode)
  }
  await mkdir(path.join(folder, 'sticky'))
  await chmod(path.join(folder, 'sticky'), 0o1777)
  // Without the program for it there is none.
  spawnSync('mkfifo', ['-m', '640', path.join(folder, 'pipe')], { stdio: 'ignore' })
}

async function makeAttributes(folder: string): Promise<string | undefined> {
  await mkdir(folder)
  const some = { 'user.firn.text': Buffer.from('plain'), 'user.firn.bytes': Buffer.from([1, 0, 255, 10, 61]) }
  return makeWithAttributes(folder, [
    { name: 'file', type: 'file', content: Buffer.from('with attributes\n'), attributes: some },
    {
      name: 'one',
      type: 'file',
      content: Buffer.alloc(0),
      attributes: { 'user.only': Buffer.from('x'.repeat(900)) },
    },
    { name: 'folder', type: 'directory', content: Buffer.alloc(0), attributes: some },
  ])
}

async function makeUnreadable(folder: string): Promise<void> {
  await mkdir(path.join(folder, 'folder'), { recursive: true })
  await writeFile(path.join(folder, 'folder', 'inside'), 'nobody gets here\n')
  await writeFile(path.join(folder, 'secret.key'), 'nobody reads this\n')
  await writeFile(path.join(folder, 'beside'), 'readable beside what is not\n')
  await chmod(path.join(folder, 'secret.key'), 0)
  await chmod(path.join(folder, 'folder'), 0)
}

/** Changes some of everything; answers how many bytes are new. */
export async function changeMixedTree(root: string, size: MixedSize, seed: number): Promise<number> {
  const random = new Random(seed)
  const at = (...names: string[]): string => path.join(root, ...names)
  let added = 0
  for (let nth = 0; nth < size.smallFiles; nth += 20) {
    const bytes = random.bytes(random.whole(1, smallMax))
    await writeFile(at('small', `d${nth % folders}`, `${nth}.dat`), bytes)
    added += bytes.length
  }
  await rm(at('small', 'd7'), { recursive: true })
  await rename(at('small', 'd3'), at('small', 'moved'))
  const tail = random.bytes(Math.floor(size.largeBytes / 50))
  await using large = await open(at('large', 'large-0.bin'), 'a')
  await large.write(tail)
  await rm(at('links', 'pair too'))
  await rm(at('links', 'to the file'))
  await symlink('pair', at('links', 'to the file'))
  await chmod(at('modes', '0755'), 0o700)
  return added + tail.length
}
