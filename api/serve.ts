import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { buildApp } from './app.ts'
import type { ApiDeps } from './deps.ts'

export interface HttpOptions {
  /** 0: any free one. */
  readonly port: number
  readonly host: string
  /** How long a request's headers may take to come in, and the whole of it. Milliseconds. */
  readonly headersMs?: number
  readonly requestMs?: number
}

/** An honest client sends its headers at once, and a megabyte even over a slow link within the latter. Milliseconds. */
const headersDefaultMs = 10_000
const requestDefaultMs = 30_000

/** How long answers under way may take once the server goes away. Milliseconds. */
const drainMs = 5_000

/**
 * Serves the API until it is disposed of: then it takes no more requests, ends open streams, and lets what is under way
 * finish for at most 5 s. Throws node's error when the port is taken.
 */
export async function serveHttp(
  deps: ApiDeps,
  { port, host, headersMs = headersDefaultMs, requestMs = requestDefaultMs }: HttpOptions,
): Promise<AsyncDisposable & { readonly url: string }> {
  const stopping = new AbortController()
  const app = buildApp(deps, stopping.signal)
  const server = createAdaptorServer({
    fetch: app.fetch,
    serverOptions: {
      headersTimeout: Math.min(headersMs, requestMs),
      requestTimeout: requestMs,
      // How often node looks for requests that are over their time.
      connectionsCheckingInterval: Math.min(headersMs, requestMs, 1_000),
      keepAliveTimeout: 65_000,
    },
  }) as Server
  server.listen(port, host)
  await once(server, 'listening')
  const { address, port: actual } = server.address() as AddressInfo
  return {
    url: `http://${address.includes(':') ? `[${address}]` : address}:${actual}`,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      stopping.abort()
      server.closeIdleConnections()
      const late = setTimeout(() => server.closeAllConnections(), drainMs)
      await closed
      clearTimeout(late)
    },
  }
}
