// Ports of loopback for what the stack starts.
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

/** Below what Linux hands out to outgoing connections (32768 up), so that none of those takes a port in between. */
const [lowest, highest] = [15_000, 32_000]
const tries = 200

/** Whether nobody listens on a port of 127.0.0.1. */
export async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  try {
    server.listen({ port, host: '127.0.0.1' })
    await once(server, 'listening')
    return true
  } catch {
    return false
  } finally {
    await new Promise((closed) => server.close(closed))
  }
}

/** A free port: `wanted` when it is one. `taken` are left out. Throws an Error when there is none. */
export async function freePort(wanted: number | undefined, taken: ReadonlySet<number>): Promise<number> {
  if (wanted !== undefined && !taken.has(wanted) && (await isFree(wanted))) return wanted
  for (let nth = 0; nth < tries; nth++) {
    const port = randomInt(lowest, highest)
    if (!taken.has(port) && (await isFree(port))) return port
  }
  throw new Error('no free port on 127.0.0.1')
}
