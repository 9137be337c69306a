import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { Fault } from '../core/fault.ts'
import { buildApp } from './app.ts'
import type { ApiDeps } from './deps.ts'
import { answerTo } from './faults.ts'
import { answerUnparsed } from './unparsed.ts'

export interface HttpOptions {
  /** 0: any free one. */
  readonly port: number
  readonly host: string
  /** How long a request's headers may take to come in, and the whole of it. Milliseconds. */
  readonly headersMs?: number
  readonly requestMs?: number
  /** How many may be open at once: more are closed as they come. */
  readonly connections?: number
  /** How long a caller may leave its answer unread. Milliseconds. */
  readonly stalledMs?: number
}

/** An honest client sends its headers at once, and a megabyte even over a slow link within the latter. Milliseconds. */
const headersDefaultMs = 10_000
const requestDefaultMs = 30_000

/** Far more than the clients of one server open; each costs some ten kilobytes. */
const connectionsDefault = 4_096

/** A link that carries nothing for so long is broken, or its reader does not read. Milliseconds. */
const stalledDefaultMs = 120_000

/** How long a connection is kept open for the next request: longer than balancers keep theirs. Milliseconds. */
const idleMs = 65_000

/** How long answers under way may take once the server goes away. Milliseconds. */
const drainMs = 5_000

/** To a request whose host or path is no part of a URL, so that no façade can be told from it. */
function unreadable(error: unknown): Response {
  const isTheirs = error instanceof Error && error.name === 'RequestError'
  const { status, headers, body } = answerTo(
    isTheirs ? new Fault('bad_request', error.message) : error,
    'problem',
  )
  return new Response(JSON.stringify(body), { status, headers })
}

export interface HttpServing extends AsyncDisposable {
  readonly url: string
  /** From now on each answer closes its connection, so that callers who keep theirs open go elsewhere before the end. */
  drain(): void
}

/**
 * Serves the API until it is disposed of: then it takes no more requests, ends open streams, and lets what is under way
 * finish for at most 5 s. Throws node's error when the port is taken.
 */
export async function serveHttp(deps: ApiDeps, options: HttpOptions): Promise<HttpServing> {
  const { port, host, headersMs = headersDefaultMs, requestMs = requestDefaultMs } = options
  const stopping = new AbortController()
  let isDraining = false
  const app = buildApp(deps, stopping.signal)
  // HTTP/1.0 need not name a host, and balancers ask so for readiness.
  const listener = getRequestListener(app.fetch, { hostname: 'localhost', errorHandler: unreadable })
  const server = createServer(
    {
      headersTimeout: Math.min(headersMs, requestMs),
      requestTimeout: requestMs,
      // How often node looks for requests that are over their time.
      connectionsCheckingInterval: Math.min(headersMs, requestMs, 1_000),
      keepAliveTimeout: idleMs,
    },
    (incoming, outgoing) => {
      if (isDraining) outgoing.setHeader('connection', 'close')
      void listener(incoming, outgoing)
    },
  )
  answerUnparsed(server)
  server.maxConnections = options.connections ?? connectionsDefault
  server.setTimeout(options.stalledMs ?? stalledDefaultMs, (socket) => {
    // Only what is not read: a stream with nothing to tell is as quiet.
    if (socket.writableLength > 0) socket.destroy()
  })
  server.listen(port, host)
  await once(server, 'listening')
  const { address, port: actual } = server.address() as AddressInfo
  return {
    url: `http://${address.includes(':') ? `[${address}]` : address}:${actual}`,
    drain: () => {
      isDraining = true
    },
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
