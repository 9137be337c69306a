// A process with the smallest JSON route that the same HTTP server can have.
import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { Hono } from 'hono'
import { serveParent, startChild, type Child } from './child.ts'

const handlers = {
  /** Listens on loopback; answers where. */
  async listen(): Promise<string> {
    const app = new Hono()
    app.get('/', (c) => c.json({ status: 'ok' }))
    const server = createAdaptorServer({ fetch: app.fetch }) as Server
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  },
}

export const startBareHttp = (): Child<typeof handlers> => startChild<typeof handlers>(import.meta.filename)

if (import.meta.main) serveParent(handlers)
