// An agent that runs as another user needs a checkout that this user can read.
import { spawnSync } from 'node:child_process'
import { chmod, copyFile, link, readFile, readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { makeFolder } from '../up/layout.ts'

/** Debian's `nobody`, whom nothing on a machine belongs to. */
export const otherUid = 65_534

/** How a user runs the command line and restic. */
export interface Runnable {
  readonly firn: readonly [string, ...string[]]
  readonly restic: string
}

const checkout = path.join(import.meta.dirname, '../..')
const trialMs = 20_000

/**
 * How `otherUid` can run Firn: from this checkout where it can be read, else from a second one in `folder`, of links where
 * that is possible. undefined: not at all.
 */
export async function runnableByOther(folder: string, restic: string): Promise<Runnable | undefined> {
  const here = { firn: [process.execPath, path.join(checkout, 'cli/firn.mjs')], restic } as const
  if (works(here)) return here
  try {
    const there = await secondCheckout(folder, restic)
    return works(there) ? there : undefined
  } catch {
    return undefined
  }
}

function works({ firn: [node, ...args], restic }: Runnable): boolean {
  const as = { uid: otherUid, gid: otherUid, cwd: '/', stdio: 'ignore', timeout: trialMs } as const
  return (
    spawnSync(node, [...args, '--version'], as).status === 0 &&
    spawnSync(restic, ['version'], as).status === 0
  )
}

/** What an agent needs of the checkout beside its packages. */
const parts = ['agent', 'cli', 'core', 'proto', 'package.json']

async function secondCheckout(folder: string, restic: string): Promise<Runnable> {
  await makeFolder(folder, 0o755)
  const to = (name: string): string => path.join(folder, name)
  for (const part of parts) await bring(path.join(checkout, part), to(part))
  for (const name of await packagesOf(path.join(checkout, 'package.json')))
    await bring(path.join(checkout, 'node_modules', name), to(path.join('node_modules', name)))
  await makeFolder(to('bin'), 0o755)
  await bring(process.execPath, to('bin/node'))
  await bring(restic, to('bin/restic'))
  return { firn: [to('bin/node'), to('cli/firn.mjs')], restic: to('bin/restic') }
}

/** Those that the package at hand needs when it runs, and theirs, as far as they are installed at the top. */
async function packagesOf(manifest: string, found = new Set<string>()): Promise<ReadonlySet<string>> {
  const text = await readFile(manifest, 'utf8').catch(() => '{}')
  const { dependencies = {} } = JSON.parse(text) as { dependencies?: Record<string, string> }
  for (const name of Object.keys(dependencies)) {
    if (found.has(name)) continue
    found.add(name)
    await packagesOf(path.join(checkout, 'node_modules', name, 'package.json'), found)
  }
  return found
}

/** Brings a file or folder: linked, which takes neither time nor room, else copied. */
async function bring(from: string, to: string): Promise<void> {
  const entries = await readdir(from, { withFileTypes: true }).catch(() => undefined)
  if (entries === undefined) return bringFile(from, to)
  await makeFolder(to, 0o755)
  for (const entry of entries) {
    const inside = [path.join(from, entry.name), path.join(to, entry.name)] as const
    if (entry.isDirectory()) await bring(...inside)
    else if (entry.isFile()) await bringFile(...inside)
  }
}

async function bringFile(from: string, to: string): Promise<void> {
  await makeFolder(path.dirname(to), 0o755)
  const isOpen = ((await stat(from)).mode & 0o004) !== 0
  const isLinked = isOpen && (await link(from, to).then(...yesOrNo))
  if (isLinked) return
  await copyFile(from, to)
  await chmod(to, 0o755)
}

const yesOrNo = [() => true, () => false] as const
