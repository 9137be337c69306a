import type { Ask } from '../route.ts'

/** So often something is sent, so that a proxy keeps a quiet answer open, and a dead peer is noticed. Milliseconds. */
const quietMs = 15_000

const encoder = new TextEncoder()

/**
 * An answer that is written as it comes: one chunk for each item of `source`, until that ends, the caller goes away or the
 * server does. Nothing is read ahead of what the caller takes. Throws Fault('too_much') when too many are open.
 */
export function streamed<T>(
  ask: Ask,
  type: string,
  source: (signal: AbortSignal) => AsyncIterable<T>,
  textOf: (item: T) => string,
  quiet: string,
): Response {
  const over = ask.served.streams.begin(ask.caller)
  const gone = new AbortController()
  const signal = AbortSignal.any([gone.signal, ask.served.stopping, ask.http.req.raw.signal])
  const items = source(signal)[Symbol.asyncIterator]()
  let isOver = false
  const end = () => {
    if (isOver) return
    isOver = true
    over()
    clearInterval(beat)
    gone.abort()
  }
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined
  const beat = setInterval(() => {
    if (quiet !== '' && (controller?.desiredSize ?? 0) > 0) controller?.enqueue(encoder.encode(quiet))
  }, quietMs)
  beat.unref()
  signal.addEventListener('abort', end, { once: true })
  const body = new ReadableStream<Uint8Array>({
    start(own) {
      controller = own
      // Headers go out with the first byte: the caller learns at once that it is connected.
      if (quiet !== '') own.enqueue(encoder.encode(quiet))
    },
    async pull(own) {
      try {
        const { done, value } = await items.next()
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
      await items.return?.()
    },
  })
  return new Response(body, {
    headers: { 'content-type': type, 'cache-control': 'no-store', ...ask.headers() },
  })
}

/** JSON lines. */
export const lines = <T>(
  ask: Ask,
  source: (signal: AbortSignal) => AsyncIterable<T>,
  view: (item: T) => object,
): Response => streamed(ask, 'application/jsonl', source, (item) => `${JSON.stringify(view(item))}\n`, '')
