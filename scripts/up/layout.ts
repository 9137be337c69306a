// Where a stack keeps what: all below one folder.
import { existsSync, statSync } from 'node:fs'
import { chmod, mkdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { randomBytes } from 'node:crypto'
import { privateFile } from '../../controller/security/files.ts'
import { lockFolder } from '../../agent/disk/lock.ts'
import { isFault } from '../../core/fault.ts'
import { tokenText } from '../../core/tokens.ts'
import { Problem } from './problem.ts'
import { endProcesses, lives, nameOf, type Marks } from './processes.ts'

/** The folders and files of a stack. Absolute. */
export interface Layout {
  readonly data: string
  readonly logs: string
  /** What the servers of an installation share. */
  readonly keys: string
  /** The CA that etcd and its clients trust. */
  readonly controlCa: string
  readonly etcd: string
  readonly nats: string
  readonly servers: string
  readonly agents: string
  readonly repositories: string
  /** Below it anything may be restored. */
  readonly restores: string
  /** Databases that agents look after. */
  readonly databases: string
  readonly tokenFile: string
  readonly portsFile: string
  /** What runs, for whoever has to clean up after a launcher and its watchdog that were killed together. */
  readonly marksFile: string
}

export function layoutOf(data: string): Layout {
  const at = (name: string): string => path.join(data, name)
  return {
    data,
    logs: at('logs'),
    keys: at('keys'),
    controlCa: at('control-ca'),
    etcd: at('etcd'),
    nats: at('nats'),
    servers: at('servers'),
    agents: at('agents'),
    repositories: at('repositories'),
    restores: at('restores'),
    databases: at('databases'),
    tokenFile: at('token'),
    portsFile: at('ports.json'),
    marksFile: at('running.json'),
  }
}

/**
 * Makes the folders and takes them for this process alone, until disposed. What a killed launcher has left running on
 * them is ended first. `isShared`: agents of other users find their own folders in it. Throws a Problem when another
 * launcher has them or they cannot be made.
 */
export async function openLayout(
  data: string,
  isShared: boolean,
): Promise<{ layout: Layout; lock: Disposable }> {
  const layout = layoutOf(data)
  try {
    // Others may pass through, to what is theirs; they see nothing.
    await makeFolder(data, isShared ? 0o711 : 0o700)
    for (const folder of [layout.logs, layout.servers, layout.nats]) await makeFolder(folder, 0o700)
    for (const folder of [layout.agents, layout.repositories, layout.restores, layout.databases])
      await makeFolder(folder, 0o711)
  } catch (cause) {
    throw new Problem(`the data directory ${data} cannot be made: ${(cause as Error).message}`, [], cause)
  }
  const lock = await locked(layout)
  try {
    await endForgotten(layout.marksFile)
  } catch (error) {
    lock[Symbol.dispose]()
    throw error
  }
  return { layout, lock }
}

/** Makes a folder, and those above it, with just this mode, whatever the umask; what is there already keeps its own. */
export async function makeFolder(folder: string, mode: number): Promise<void> {
  try {
    await mkdir(folder, mode)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' && statSync(folder).isDirectory()) return
    // Not by mkdir's own `recursive`, which never ends where nothing can be made (/proc).
    const above = path.dirname(folder)
    if (code !== 'ENOENT' || above === folder || existsSync(above)) throw error
    await makeFolder(above, mode)
    return makeFolder(folder, mode)
  }
  await chmod(folder, mode)
}

async function locked({ data }: Layout): Promise<Disposable> {
  const self = nameOf(process.pid)
  if (self === undefined) throw new Problem('/proc is not there: Firn runs on Linux')
  try {
    return lockFolder(data, self, lives)
  } catch (error) {
    if (isFault(error, 'conflict'))
      throw new Problem(
        `the data directory ${data} is in use by another launcher${await holderOf(data)}`,
        [],
        error,
      )
    throw new Problem(`the data directory ${data} cannot be used: ${(error as Error).message}`, [], error)
  }
}

async function holderOf(data: string): Promise<string> {
  try {
    const { pid } = JSON.parse(await readFile(path.join(data, 'lock'), 'utf8')) as { pid?: unknown }
    return typeof pid === 'number' ? ` (pid ${pid})` : ''
  } catch {
    return ''
  }
}

async function endForgotten(marksFile: string): Promise<void> {
  let marks: Marks
  try {
    marks = JSON.parse(await readFile(marksFile, 'utf8')) as Marks
  } catch {
    return
  }
  const [left] = await endProcesses(marks)
  if (left) throw new Problem(`process ${left.pid} of an earlier start does not end: it has to be gone first`)
}

const [idBytes, secretBytes] = [8, 32]

/** The administrator's token, made at the first start. */
export async function ownToken({ tokenFile }: Layout): Promise<string> {
  const make = (): string =>
    tokenText({
      id: randomBytes(idBytes).toString('hex'),
      secret: randomBytes(secretBytes).toString('base64url'),
    })
  return (await privateFile(tokenFile, make)).trim()
}

/** The ports of the last start, by the name of what listens there; they are used again when they are free. */
export async function rememberedPorts({ portsFile }: Layout): Promise<Map<string, number>> {
  try {
    const found = JSON.parse(await readFile(portsFile, 'utf8')) as Record<string, number>
    return new Map(Object.entries(found).filter(([, port]) => Number.isInteger(port)))
  } catch {
    return new Map()
  }
}
