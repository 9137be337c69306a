import type { Ask } from '../route.ts'

/** So often something is sent, so that a proxy keeps a quiet answer open, and a dead peer is noticed. Milliseconds. */
const quietMs = 15_000

const encoder = new TextEncoder()

/** Who asked for a stream reads it within that time, or is not there to read it. Milliseconds. */
const unreadMs = 30_000

/**
 * An answer that is written as it comes: one chunk for each item of `source`, until that ends, the caller goes away or the
 * server does. Nothing is read ahead of what the caller takes, and `source` is not asked before the caller reads: to HEAD it
 * never is. Throws Fault('too_much') when too many are open.
 */
export function streamed<T>(
  ask: Ask,
  type: string,
  source: (signal: AbortSignal) => AsyncIterable<T>,
  textOf: (item: T) => string,
  quiet: string,
): Response {
  const headers = { 'content-type': type, 'cache-control': 'no-store', ...ask.headers() }
  if (ask.http.req.method === 'HEAD') return new Response(null, { headers })
  const over = ask.served.streams.begin(ask.caller)
  const gone = new AbortController()
  const signal = AbortSignal.any([gone.signal, ask.served.stopping, ask.http.req.raw.signal])
  let items: AsyncIterator<T> | undefined
  let isOver = false
  const end = () => {
    if (isOver) return
    isOver = true
    over()
    clearInterval(beat)
    clearTimeout(unread)
    gone.abort()
  }
  // An answer may be dropped on its way to the caller, and nobody says so then.
  const unread = setTimeout(end, unreadMs)
  unread.unref()
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined
  const beat = setInterval(() => {
    // Only where nothing waits to be read.
    if (quiet !== '' && items && controller?.desiredSize === 0) controller.enqueue(encoder.encode(quiet))
  }, quietMs)
  beat.unref()
  signal.addEventListener('abort', end, { once: true })
  const next = async (): Promise<IteratorResult<T>> => {
    if (signal.aborted) return { done: true, value: undefined }
    return (items ??= source(signal)[Symbol.asyncIterator]()).next()
  }
  let isBegun = false
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(own) {
        if (!isBegun) {
          isBegun = true
          controller = own
          clearTimeout(unread)
          // Headers go out with the first byte: the caller learns at once that it is connected.
          if (quiet !== '') return own.enqueue(encoder.encode(quiet))
        }
        try {
          const { done, value } = await next()
          if (!done) return own.enqueue(encoder.encode(textOf(value)))
        } catch (error) {
          if (!signal.aborted)
            ask.served.log.failed(error, { requestId: ask.requestId, method: 'GET', route: type })
        }
        end()
        own.close()
      },
      async cancel() {
        end()
        await items?.return?.()
      },
    },
    // Nothing before the first read.
    { highWaterMark: 0 },
  )
  return new Response(body, { headers })
}

/** JSON lines. */
export const lines = <T>(
  ask: Ask,
  source: (signal: AbortSignal) => AsyncIterable<T>,
  view: (item: T) => object,
): Response => streamed(ask, 'application/jsonl', source, (item) => `${JSON.stringify(view(item))}\n`, '')
