// A caller that knows all servers and stays with none: what goes wrong at one is asked of the next, under the same key.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Loose } from './stack.ts'

/** Asks one server after the other until one of them has answered. */
export class AnyServer {
  /** Requests that had to be asked again, by why. */
  readonly again = new Map<string, number>()
  readonly #urls: readonly string[]
  readonly #token: string
  #next = 0

  constructor(urls: readonly string[], token: string) {
    this.#urls = urls
    this.#token = token
  }

  /** Throws an Error for an answer that no other server would give differently, and when nobody answers within `withinMs`. */
  async must(method: string, where: string, body?: object, withinMs = 60_000): Promise<Loose> {
    const key = randomUUID()
    const giveUpAt = performance.now() + withinMs
    for (;;) {
      const problem = await this.#once(method, where, body, key)
      if ('json' in problem) return problem.json
      this.again.set(problem.why, (this.again.get(problem.why) ?? 0) + 1)
      if (performance.now() > giveUpAt) throw new Error(`${method} ${where}: ${problem.why}`)
      await sleep(20)
    }
  }

  async #once(method: string, where: string, body: object | undefined, key: string) {
    const url = this.#urls[this.#next++ % this.#urls.length] ?? ''
    let response: Response
    try {
      response = await fetch(`${url}${where}`, {
        method,
        headers: {
          ...{ 'x-auth-token': this.#token, 'content-type': 'application/json' },
          'idempotency-key': key,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(10_000),
      })
    } catch (error) {
      return { why: codeOf(error) }
    }
    const text = await response.text().catch((error: unknown) => error)
    if (typeof text !== 'string') return { why: codeOf(text) }
    if (response.status === 503) return { why: 'status 503' }
    if (!response.ok) throw new Error(`${method} ${where}: ${response.status} ${text}`)
    return { json: (text === '' ? undefined : JSON.parse(text)) as Loose }
  }
}

const codeOf = (error: unknown): string => {
  const cause = error instanceof Error ? (error.cause ?? error) : error
  return cause instanceof Error
    ? (((cause as NodeJS.ErrnoException).code as string) ?? cause.message)
    : String(cause)
}
