// Where the external programs are that Firn runs. `npm run setup` finds or fetches them.
import { accessSync, constants, readFileSync } from 'node:fs'
import path from 'node:path'

/** The external programs that the set-up provides. */
export type Tool = 'etcd' | 'etcdctl' | 'nats-server' | 'restic'

const PATHS_FILE = path.join(import.meta.dirname, '../.tools/paths.json')

/**
 * The absolute path of a program: the one that the set-up wrote down, else the first in PATH.
 * Throws an Error that says what to do when there is none.
 */
export function toolPath(tool: Tool): string {
  const found = [fromSetup(tool), ...candidatesInPath(tool)].find(
    (file) => file !== undefined && isExecutable(file),
  )
  if (found === undefined) throw new Error(`${tool} is not there: run "npm run setup", or install it in PATH`)
  return found
}

function fromSetup(tool: Tool): string | undefined {
  let paths: unknown
  try {
    paths = JSON.parse(readFileSync(PATHS_FILE, 'utf8'))
  } catch {
    return undefined
  }
  const file = (paths as Record<string, unknown> | null)?.[tool]
  return typeof file === 'string' ? file : undefined
}

function candidatesInPath(tool: Tool): string[] {
  // Debian keeps nats-server in /usr/sbin, which only root has in PATH.
  const dirs = [...(process.env['PATH'] ?? '').split(path.delimiter), '/usr/sbin'].filter((dir) => dir !== '')
  return dirs.map((dir) => path.resolve(dir, tool))
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
