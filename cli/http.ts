// Requests to a server.
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'
import { failureOf, unreachable, type Answer } from './answers.ts'
import { EXIT, Failure, usage } from './failure.ts'

/** Query parameters; undefined ones are left out, lists are repeated. */
export type Query = Readonly<Record<string, string | number | boolean | undefined | readonly string[]>>

/** What an Api needs. */
export interface ApiOptions {
  /** http(s)://host:port, perhaps with a path before the API's own. */
  readonly server: string
  readonly token?: string | undefined
  /** How long a request may take, its repetitions included. Milliseconds. */
  readonly timeoutMs: number
  /** Ends requests under way; they throw its reason. */
  readonly signal: AbortSignal
  /** Told about what the user should know: stale answers. */
  readonly note: (text: string) => void
  /** The pause before the first repetition; each further one is three times as long. Milliseconds. */
  readonly retryMs: number
}

/** A request with its answer's expected kind. */
export interface Request {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly query?: Query
  readonly body?: unknown
  /** Makes a POST that starts something safe to repeat: the server takes one of them. */
  readonly key?: string
}

/** A request for an answer without an end. */
export interface StreamOptions {
  readonly headers?: Readonly<Record<string, string>>
  /** What its content type must look like. */
  readonly expects?: RegExp
  /** The answer may begin as late as it likes: it does so with its first line. */
  readonly mayBeSilent?: boolean
  readonly signal: AbortSignal
}

/** Repetitions of a request that may be repeated. */
const TRIES = 3
/** No answer of the API is larger; a list of 1,000 runs has about 2 MB. */
const ANSWER_MAX = 64 * 1024 * 1024

/**
 * A server's HTTP API. Uses Node's own client rather than `fetch`, which refuses the GET with a body that Freezer's
 * searches are. Throws Failure for everything but a good answer, and the signal's reason when that aborts.
 */
export class Api {
  readonly server: string
  readonly #options: ApiOptions
  readonly #agent: http.Agent
  #toldStale = false

  constructor(options: ApiOptions) {
    this.server = options.server
    this.#options = options
    const keep = { keepAlive: true, maxSockets: 8 }
    this.#agent = options.server.startsWith('https:') ? new https.Agent(keep) : new http.Agent(keep)
  }

  /** The JSON that lies at a path. A body is a Freezer search. */
  get(path: string, query: Query = {}, body?: unknown): Promise<unknown> {
    return this.request({ method: 'GET', path, query, ...(body === undefined ? {} : { body }) })
  }

  post(path: string, body: unknown, key?: string): Promise<unknown> {
    return this.request({ method: 'POST', path, body, ...(key === undefined ? {} : { key }) })
  }

  /**
   * The answer's JSON; undefined when it has no body. A GET, and a POST with a key, is repeated when the connection
   * breaks or the server says that it cannot serve at the moment.
   */
  async request(request: Request): Promise<unknown> {
    const limit = AbortSignal.timeout(this.#options.timeoutMs)
    const mayRepeat = request.method === 'GET' || request.key !== undefined
    for (let nth = 1; ; nth++) {
      try {
        const response = await this.#send(request, { accept: 'application/json' }, limit)
        return await this.#read(response, request, limit)
      } catch (error) {
        const isPassing = error instanceof Failure && error.exit === EXIT.unreachable && !limit.aborted
        if (!mayRepeat || !isPassing || nth === TRIES) throw this.#told(error, limit)
      }
      const pause = this.#options.retryMs * 3 ** (nth - 1) * (0.5 + Math.random())
      await this.#pause(pause, limit)
    }
  }

  /**
   * The bytes of an answer as they come; only the time until it begins is limited. Throws as `request` does, also in the
   * middle, and when the answer's content type is not as expected.
   */
  async stream(path: string, query: Query, options: StreamOptions): Promise<AsyncGenerator<Uint8Array>> {
    const { headers = {}, expects, mayBeSilent = false, signal } = options
    const request: Request = { method: 'GET', path, query }
    const opening = new AbortController()
    const late = () => opening.abort(new DOMException('', 'TimeoutError'))
    const timer = mayBeSilent ? undefined : setTimeout(late, this.#options.timeoutMs)
    const limit = AbortSignal.any([opening.signal, signal])
    try {
      const response = await this.#send(request, headers, limit)
      const isExpected = expects?.test(response.headers['content-type'] ?? '') ?? true
      if (response.statusCode !== 200 || !isExpected)
        throw failureOf(await this.#answer(response, limit), request)
      return this.#chunks(response, signal)
    } catch (error) {
      throw this.#told(error, limit)
    } finally {
      clearTimeout(timer)
    }
  }

  /** Closes the connections that are kept. */
  close(): void {
    this.#agent.destroy()
  }

  async *#chunks(response: IncomingMessage, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of response) yield chunk as Uint8Array
    } catch (error) {
      throw this.#told(unreachable(error, this.server), signal)
    } finally {
      response.destroy()
    }
  }

  #send(
    request: Request,
    headers: Readonly<Record<string, string>>,
    limit: AbortSignal,
  ): Promise<IncomingMessage> {
    const { method, path, query = {}, body, key } = request
    const text = body === undefined ? undefined : JSON.stringify(body)
    const signal = AbortSignal.any([this.#options.signal, limit])
    return new Promise((resolve, reject) => {
      const outgoing = (this.server.startsWith('https:') ? https : http).request(
        `${this.server}${path}${queryOf(query)}`,
        {
          method,
          agent: this.#agent,
          signal,
          headers: {
            ...headers,
            'user-agent': 'firn',
            // Freezer's v1 shows a user's own documents; an operator looks after the project's.
            'firn-scope': 'project',
            ...(this.#options.token === undefined ? {} : { 'x-auth-token': this.#options.token }),
            ...(key === undefined ? {} : { 'idempotency-key': key }),
            ...(text === undefined
              ? {}
              : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
          },
        },
        resolve,
      )
      outgoing.on('error', (cause) => reject(unreachable(cause, this.server)))
      outgoing.end(text)
    })
  }

  async #read(response: IncomingMessage, request: Request, limit: AbortSignal): Promise<unknown> {
    const answer = await this.#answer(response, limit)
    if (answer.status < 200 || answer.status > 299) throw failureOf(answer, request)
    this.#noteStale(response.headers['firn-stale'])
    return answer.text.trim() === '' ? undefined : parsed(answer, request)
  }

  async #answer(response: IncomingMessage, limit: AbortSignal): Promise<Answer> {
    const stop = () => response.destroy()
    limit.addEventListener('abort', stop, { once: true })
    try {
      const text = await textOf(response, this.server)
      return { status: response.statusCode ?? 0, headers: response.headers, text, server: this.server }
    } finally {
      limit.removeEventListener('abort', stop)
    }
  }

  #noteStale(seconds: string | string[] | undefined): void {
    if (seconds === undefined || this.#toldStale) return
    this.#toldStale = true
    this.#options.note(`the server cannot reach its store: this is what it knew ${String(seconds)} s ago`)
  }

  /** What is thrown for a failed request: why it was ended, if it was. */
  #told(error: unknown, limit: AbortSignal): unknown {
    if (this.#options.signal.aborted) return this.#options.signal.reason
    if (!limit.aborted) return error
    if ((limit.reason as Error | undefined)?.name !== 'TimeoutError') return limit.reason
    const seconds = this.#options.timeoutMs / 1000
    return new Failure(EXIT.unreachable, `${this.server} did not answer within ${seconds} s`, {
      hint: 'a longer limit: --timeout 2m',
    })
  }

  async #pause(ms: number, limit: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([this.#options.signal, limit])
    await sleep(ms, undefined, { signal }).catch((error: unknown) => {
      throw this.#told(error, limit)
    })
  }
}

function queryOf(query: Query): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    (Array.isArray(value) ? (value as readonly string[]) : [value])
      .filter((it) => it !== undefined)
      .map((it): [string, string] => [name, String(it)]),
  )
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs).toString()}`
}

async function textOf(response: IncomingMessage, server: string): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  try {
    for await (const chunk of response) {
      chunks.push(chunk as Uint8Array)
      length += (chunk as Uint8Array).length
      if (length > ANSWER_MAX) throw new Failure(EXIT.failed, `${server} sent more than ${ANSWER_MAX} bytes`)
    }
  } catch (error) {
    throw error instanceof Failure ? error : unreachable(error, server)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parsed(answer: Answer, request: Request): unknown {
  try {
    return JSON.parse(answer.text) as unknown
  } catch {
    throw failureOf(answer, request)
  }
}

/**
 * A path with what is filled in percent-encoded: `` path`/v1/jobs/${id}` ``. Throws Failure for what cannot be one
 * segment of a path.
 */
export function path(strings: TemplateStringsArray, ...parts: readonly string[]): string {
  return strings.reduce((whole, string, at) => {
    const part = parts[at - 1] ?? ''
    // URLs resolve these two: the request would go to another path.
    if (part === '' || part === '.' || part === '..') throw usage(`"${part}" is no id`)
    return `${whole}${encodeURIComponent(part.toWellFormed())}${string}`
  })
}
