// Follows what happens at a server, over any number of connections.
import { setTimeout as sleep } from 'node:timers/promises'
import { EXIT, Failure } from './failure.ts'
import type { Api } from './http.ts'
import type { Pace } from './io.ts'
import { object, text, type Document } from './json.ts'
import { eventsOf, linesOf } from './sse.ts'

/** Something that happened: `type` is `run.finished` and the like. */
export interface Happening {
  readonly type: string
  /** Its place in the stream; progress has none. */
  readonly id: string | undefined
  readonly data: Document
}

/** What to follow, and whom to tell about the connection. */
export interface FollowOptions {
  readonly progress?: boolean
  /** The id after which to begin; without one, from now on. */
  readonly after?: string | undefined
  readonly signal: AbortSignal
  readonly pace: Pace
  /** Keeps trying even when the first connection fails. */
  readonly patient?: boolean
  /** A connection stands: what happens from now on will be told. */
  readonly onOpen?: () => void
  /** The connection broke; another is tried after a pause. */
  readonly onBreak?: (why: Failure) => void
}

/**
 * Everything that happens until the signal aborts, whose reason it then throws. Connects again, with growing random
 * pauses, and goes on after the last event; only a first connection that fails, and answers that another try would not
 * change, throw their Failure.
 */
export async function* follow(api: Api, options: FollowOptions): AsyncGenerator<Happening> {
  const { progress = false, patient = false, signal, pace, onOpen, onBreak } = options
  let last = options.after
  let everOpen = patient
  for (let failures = 0; ;) {
    try {
      const headers = {
        accept: 'text/event-stream',
        ...(last === undefined ? {} : { 'last-event-id': last }),
      }
      const query = progress ? { progress: true } : {}
      const chunks = await api.stream('/v1/events', query, { headers, expects: /event-stream/i, signal })
      everOpen = true
      onOpen?.()
      for await (const { id, event, data } of eventsOf(linesOf(chunks))) {
        failures = 0
        last = id ?? last
        const document = documentOf(data)
        if (document !== undefined) yield { type: event, id, data: document }
      }
      throw new Failure(EXIT.unreachable, `${api.server} ended the stream of events`)
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof Failure) || error.exit !== EXIT.unreachable || !everOpen) throw error
      onBreak?.(error)
    }
    const pause = Math.min(pace.reconnectMaxMs, pace.reconnectMs * 2 ** Math.min(failures++, 10))
    await sleep(pause * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => signal.throwIfAborted())
  }
}

function documentOf(data: string): Document | undefined {
  try {
    return object(JSON.parse(data))
  } catch {
    return undefined
  }
}

/** A name that the documents of events and the API's answers spell with and without `_id`. */
export const idIn = (document: unknown, name: string): string =>
  text(document, `${name}_id`) || text(document, name)
