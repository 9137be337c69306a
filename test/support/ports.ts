// Free ports on loopback for servers that cannot listen on port 0 and say which one they got.
import { createServer, type AddressInfo, type Server } from 'node:net'
import { once } from 'node:events'

/**
 * `count` different free TCP ports of 127.0.0.1. Another process can take one before it is used: whoever starts a server
 * on it must notice and ask again.
 */
export async function freePorts(count: number): Promise<number[]> {
  const servers: Server[] = []
  try {
    for (let i = 0; i < count; i++) {
      const server = createServer().listen(0, '127.0.0.1')
      servers.push(server)
      await once(server, 'listening')
    }
    return servers.map((server) => (server.address() as AddressInfo).port)
  } finally {
    await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))))
  }
}

/** One free TCP port of 127.0.0.1. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1)
  if (port === undefined) throw new Error('no free port')
  return port
}
