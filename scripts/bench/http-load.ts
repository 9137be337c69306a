// A process that sends HTTP requests over a fixed number of connections, one in flight on each. Written on bare sockets: a
// comfortable client would cost as much as the server that is measured.
import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { serveParent, startChild, type Child } from './child.ts'
import { quantile } from './figures.ts'

export interface Request {
  readonly method: 'GET' | 'POST' | 'PATCH'
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

export interface Target {
  /** `http://host:port` */
  readonly url: string
  readonly token?: string
  /** Sent in this order, again and again. */
  readonly requests: readonly Request[]
  /** The status that every answer must have. */
  readonly status: number
}

export interface Loaded {
  readonly count: number
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** What was answered otherwise, with how often. */
  readonly wrong: Readonly<Record<string, number>>
}

/** A connection that has one request under way at most. */
class Caller {
  readonly #socket: Socket
  #text: Buffer = Buffer.alloc(0)
  #done: PromiseWithResolvers<number> | undefined

  constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.on('error', (error) => this.#done?.reject(error))
    socket.on('close', () => this.#done?.reject(new Error('the server closed the connection')))
  }

  /** Resolves with the status of the answer, once all of it is there. */
  send(request: Buffer): Promise<number> {
    this.#done = Promise.withResolvers()
    this.#socket.write(request)
    return this.#done.promise
  }

  close(): void {
    this.#done?.promise.catch(() => undefined)
    this.#socket.destroy()
  }

  #take(chunk: Buffer): void {
    this.#text = this.#text.length === 0 ? chunk : Buffer.concat([this.#text, chunk])
    const status = answered(this.#text)
    if (status === undefined) return
    this.#text = Buffer.alloc(0)
    this.#done?.resolve(status)
  }
}

/** The status of a whole answer; undefined while some of it is missing. */
function answered(text: Buffer): number | undefined {
  const head = text.indexOf('\r\n\r\n')
  if (head < 0) return undefined
  const headers = text.toString('latin1', 0, head)
  const length = /\r\ncontent-length: (\d+)/i.exec(headers)?.[1]
  const isChunked = /\r\ntransfer-encoding: chunked/i.test(headers)
  const isWhole = isChunked
    ? text.subarray(-5).toString('latin1') === '0\r\n\r\n'
    : text.length >= head + 4 + Number(length ?? 0)
  return isWhole ? Number(headers.slice(9, 12)) : undefined
}

function bytesOf({ url, token }: Target, { method, path, headers, body }: Request): Buffer {
  const text = body === undefined ? '' : JSON.stringify(body)
  const all = {
    host: new URL(url).host,
    accept: 'application/json',
    ...(token === undefined ? {} : { 'x-auth-token': token }),
    ...(body === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
    ...headers,
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${text}`)
}

function makeHandlers() {
  const targets = new Map<string, { target: Target; requests: Buffer[]; next: number }>()
  return {
    /** Keeps what to send under a name. */
    target({ name, target }: { name: string; target: Target }): void {
      const requests = target.requests.map((request) => bytesOf(target, request))
      targets.set(name, { target, requests, next: 0 })
    },
    /** Sends to a target for `ms`. */
    async load({ name, inFlight, ms }: { name: string; inFlight: number; ms: number }): Promise<Loaded> {
      const known = targets.get(name)
      if (!known) throw new Error(`no target ${name}`)
      const { hostname, port } = new URL(known.target.url)
      const callers = await Promise.all(
        Array.from({ length: inFlight }, async () => {
          const socket = connect(Number(port), hostname)
          await once(socket, 'connect')
          return new Caller(socket)
        }),
      )
      const took: number[] = []
      const wrong: Record<string, number> = {}
      const from = performance.now()
      const until = from + ms
      await Promise.all(
        callers.map(async (caller) => {
          for (let sent = performance.now(); sent < until;) {
            const request = known.requests[known.next++ % known.requests.length] ?? Buffer.alloc(0)
            const status = await caller.send(request)
            const now = performance.now()
            if (status !== known.target.status) wrong[status] = (wrong[status] ?? 0) + 1
            took.push(now - sent)
            sent = now
          }
        }),
      )
      const seconds = (performance.now() - from) / 1_000
      for (const caller of callers) caller.close()
      return {
        ...{ count: took.length, perSecond: took.length / seconds, wrong },
        ...{ p50Ms: quantile(took, 0.5), p99Ms: quantile(took, 0.99) },
      }
    },
  }
}

export type HttpLoad = ReturnType<typeof makeHandlers>

export const startHttpLoad = (): Child<HttpLoad> => startChild<HttpLoad>(import.meta.filename)

/** What went wrong in a measurement, in words. */
export const wrongAnswers = (what: string, { wrong }: Loaded): string[] =>
  Object.entries(wrong).map(([status, count]) => `${what}: ${count} answers with status ${status}`)

if (import.meta.main) serveParent(makeHandlers())
