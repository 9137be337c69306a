// Where the demo takes place: a folder with three trees, and who backs up which.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, lchown, lstat, mkdir, mkdtemp, readdir } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { toolPath } from '../tools.ts'
import type { AgentOptions } from '../up/agents.ts'
import { makeFolder } from '../up/layout.ts'
import type { Stack } from '../up/stack.ts'
import { otherUid, runnableByOther } from './other-user.ts'
import { changeMixedTree, makeMixedTree, type MixedSize, type MixedTree } from './trees/mixed.ts'
import { changeOwnTree, copyOwnTree } from './trees/own.ts'

/** One node of the demo: its client, and the tree that it backs up. */
export interface Node {
  readonly client: 'source' | 'mixed' | 'live'
  readonly about: string
  /** Absolute. */
  readonly tree: string
  readonly isStatic: boolean
  readonly agent: AgentOptions
}

/** The folder of a demo, and what is in it. */
export interface Stage {
  /** Everything that the demo makes is below it. */
  readonly base: string
  readonly data: string
  readonly restored: string
  readonly nodes: readonly Node[]
  readonly isRoot: boolean
  /** Why nothing in the mixed tree is unreadable; undefined when something is. */
  readonly allReadable: string | undefined
}

const usual: MixedSize = {
  smallFiles: 2_000,
  largeFiles: 3,
  largeBytes: 72 * 2 ** 20,
  sparseBytes: 128 * 2 ** 20,
}
const small: MixedSize = { smallFiles: 120, largeFiles: 3, largeBytes: 2 * 2 ** 20, sparseBytes: 4 * 2 ** 20 }
const seed = 20_260_401
const startMs = 10_000

export const sizeOf = (isSmall: boolean): MixedSize => (isSmall ? small : usual)

/** Makes the folder, and finds out who can back up what. */
export async function openStage(): Promise<Stage> {
  const isRoot = process.getuid?.() === 0
  const base = await mkdtemp(path.join(os.tmpdir(), 'firn-demo-'))
  // The other user passes through, and sees nothing.
  if (isRoot) await chmod(base, 0o711)
  const restored = path.join(base, 'restored')
  await makeFolder(path.join(base, 'trees'), 0o711)
  await makeFolder(restored, 0o711)
  const other = isRoot ? await runnableByOther(path.join(base, 'checkout'), toolPath('restic')) : undefined
  const tree = (name: string): string => path.join(base, 'trees', name)
  const common = { paths: [path.join(base, 'trees')], targets: [restored], drainSeconds: 0 }
  const nodes: Node[] = [
    {
      ...{ client: 'source', about: "the repository's files", tree: tree('source'), isStatic: true },
      agent: { client: 'source', ...common },
    },
    {
      ...{ client: 'mixed', about: 'all that is odd', tree: tree('mixed'), isStatic: true },
      agent: { client: 'mixed', ...common, ...(other ? { uid: otherUid, ...other } : {}) },
    },
    {
      ...{ client: 'live', about: 'being written to', tree: tree('live'), isStatic: false },
      agent: { client: 'live', ...common },
    },
  ]
  for (const { client, agent } of nodes) {
    await mkdir(path.join(restored, client), { mode: 0o700 })
    if (agent.uid !== undefined) await chown(path.join(restored, client), agent.uid, agent.uid)
  }
  const allReadable =
    isRoot && !other ? 'root reads everything, and no other user can run this checkout' : undefined
  return { base, data: path.join(base, 'stack'), restored, nodes, isRoot, allReadable }
}

/** Makes the static trees. */
export async function makeTrees({ nodes, isRoot, allReadable }: Stage, size: MixedSize): Promise<MixedTree> {
  const [source, mixed] = nodes as [Node, Node]
  await copyOwnTree(source.tree, isRoot)
  await mkdir(mixed.tree)
  const made = await makeMixedTree(mixed.tree, size, seed)
  if (mixed.agent.uid !== undefined)
    await give(Buffer.from(mixed.tree), mixed.agent.uid, new Set(made.unreadable))
  return allReadable === undefined ? made : { ...made, unreadable: [] }
}

/** Gives a tree to a user, but for what that user must not read. Relative paths as Latin-1 text of their bytes. */
async function give(folder: Buffer, uid: number, except: ReadonlySet<string>, inside = ''): Promise<void> {
  await chownAlone(folder, uid)
  for (const entry of await readdir(folder, { withFileTypes: true, encoding: 'buffer' })) {
    const relative = inside + entry.name.toString('latin1')
    if (except.has(relative)) continue
    const full = Buffer.concat([folder, Buffer.from('/'), entry.name])
    if (entry.isDirectory()) await give(full, uid, except, `${relative}/`)
    else if (entry.isSymbolicLink()) await lchown(full, uid, uid)
    else await chownAlone(full, uid)
  }
}

/** Changes the owner and nothing else: the kernel drops set-id bits with it. */
async function chownAlone(file: Buffer, uid: number): Promise<void> {
  const { mode } = await lstat(file)
  await chown(file, uid, uid)
  await chmod(file, mode & 0o7777)
}

/** What was changed: how many bytes at most are new. */
export interface Changes {
  readonly bytes: number
}

/** Changes, deletes, renames and adds in the static trees. */
export async function changeTrees({ nodes }: Stage, size: MixedSize): Promise<Map<string, Changes>> {
  const [source, mixed] = nodes as [Node, Node]
  const inMixed = await changeMixedTree(mixed.tree, size, seed + 1)
  return new Map([
    [source.client, { bytes: await changeOwnTree(source.tree) }],
    [mixed.client, { bytes: inMixed }],
  ])
}

/** Starts the process that writes into the live tree; resolves once its first records are there. */
export async function startWriter(tree: string, env: Stack['env']): Promise<AsyncDisposable> {
  await mkdir(tree, { recursive: true })
  const program = fileURLToPath(new URL('trees/writer.ts', import.meta.url))
  const child = spawn(process.execPath, [program, tree], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env,
    cwd: '/',
    detached: true,
  })
  await once(child.stdout, 'data', { signal: AbortSignal.timeout(startMs) })
  return {
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'exit', { signal: AbortSignal.timeout(startMs) }).catch(() => undefined)
      child.kill('SIGTERM')
      await ended
    },
  }
}
