// A stand-in for a server, for tests: routes with canned answers, and a stream of events that a test feeds.
import { serve, type ServerType } from '@hono/node-server'
import { Hono, type Context } from 'hono'
import { streamSSE } from 'hono/streaming'
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'

/** A request as it came in. */
export interface Seen {
  readonly method: string
  /** Path and query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** An event that is to be sent. */
export interface Told {
  readonly id?: string
  readonly event: string
  readonly data: object
}

/** A running stand-in; gone when disposed. */
export interface FakeServer extends AsyncDisposable {
  readonly url: string
  readonly app: Hono
  readonly seen: Seen[]
  /** Answers `GET path` and the like; `method path` of the newest call counts. */
  on(route: string, answer: (c: Context) => Response | Promise<Response>): void
  /** Answers with JSON. */
  json(route: string, body: unknown, status?: number, headers?: Record<string, string>): void
  /** Sends an event to whoever follows now, and keeps it when it has an id. */
  tell(event: Told): void
  /** How many follow now. */
  readonly followers: number
  /** Breaks every connection. */
  cut(): void
}

/** Starts one. All paths but those given with `on` and `json`, and `/v1/events`, answer 404 as a server does. */
export async function fakeServer(port = 0): Promise<FakeServer> {
  const app = new Hono()
  const routes = new Map<string, (c: Context) => Response | Promise<Response>>()
  const seen: Seen[] = []
  const kept: Told[] = []
  const followers = new Set<(event: Told) => void>()
  app.all('*', async (c) => {
    const url = new URL(c.req.url)
    const headers = Object.fromEntries(c.req.raw.headers)
    const body = c.req.method === 'GET' ? await bodyOfGet(c) : await c.req.text()
    seen.push({ method: c.req.method, path: url.pathname + url.search, headers, body })
    const route = routes.get(`${c.req.method} ${url.pathname}`)
    if (route !== undefined) return route(c)
    if (url.pathname === '/v1/events') return eventStream(c, kept, followers)
    return c.json(
      { type: 'about:blank', title: 'Not Found', status: 404, detail: 'there is no such thing' },
      404,
    )
  })
  const server: ServerType = serve({ fetch: app.fetch, port, hostname: '127.0.0.1' })
  await once(server, 'listening')
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    app,
    seen,
    on: (route, answer) => void routes.set(route, answer),
    json: (route, body, status = 200, headers = {}) =>
      void routes.set(route, (c) => c.json(body as object, status as 200, headers)),
    tell: (event) => {
      if (event.id !== undefined) kept.push(event)
      for (const follower of followers) follower(event)
    },
    get followers() {
      return followers.size
    },
    cut,
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close')
      server.close()
      cut()
      await closed
    },
  }
}

/** A Fetch request has no body on GET: Freezer's searches are read from Node's own. */
async function bodyOfGet(c: Context): Promise<string> {
  const { incoming } = c.env as { incoming?: AsyncIterable<Uint8Array> }
  const chunks: Uint8Array[] = []
  for await (const chunk of incoming ?? []) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

function eventStream(c: Context, kept: readonly Told[], followers: Set<(event: Told) => void>): Response {
  const after = c.req.header('last-event-id')
  return streamSSE(c, async (stream) => {
    // Writes one after the other; what is told from here on comes behind what was kept.
    let written: Promise<unknown> = stream.write(':\n\n')
    const follower = ({ id, event, data }: Told) => {
      const message = { ...(id === undefined ? {} : { id }), event, data: JSON.stringify(data) }
      written = written.then(() => stream.writeSSE(message))
    }
    if (after !== undefined) kept.filter(({ id }) => Number(id) > Number(after)).forEach(follower)
    followers.add(follower)
    await new Promise<void>((over) => stream.onAbort(over))
    followers.delete(follower)
  })
}
