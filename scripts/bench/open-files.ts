// How many files and connections a process of this machine may have open.
import { readFile } from 'node:fs/promises'

/** What a process needs besides connections: its own files, and those of etcd, NATS and HTTP. */
const reserve = 500

/**
 * How many of `wanted` connections a process may hold; says so when that is fewer. Node has raised its own limit to the hard one, so only
 * who starts it can give it more.
 */
export async function connectionsFor(wanted: number, say: (text: string) => void): Promise<number> {
  const limits = await readFile('/proc/self/limits', 'utf8')
  const soft = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY)
  const room = soft - reserve
  if (room >= wanted) return wanted
  say(
    `a process may open only ${soft} files: ${room} agents instead of ${wanted}; raise it with "ulimit -Hn"`,
  )
  return room
}
