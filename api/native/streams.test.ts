import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { Ask } from '../route.ts'
import { streamed } from './streams.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A request, and what it has open. */
function asking(method = 'GET') {
  const seen = { open: 0, begun: 0, ended: 0, method }
  const streams = { begin: () => (seen.open++, () => void seen.open--) }
  const ask = {
    ...{ served: { streams, stopping: new AbortController().signal, log: { failed: () => undefined } } },
    ...{ caller: {}, requestId: 'r', headers: () => ({}) },
    http: { req: { method, raw: { signal: new AbortController().signal } } },
  } as unknown as Ask
  async function* source(signal: AbortSignal) {
    seen.begun++
    try {
      yield 'a'
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
    } finally {
      seen.ended++
    }
  }
  return { seen, response: streamed(ask, 'text/plain', source, (item) => item, ':') }
}

const decoder = new TextDecoder()

it('an answer that nobody reads begins nothing, and ends by itself', async () => {
  const { seen, response } = asking()
  await vi.advanceTimersByTimeAsync(29_000)
  expect(seen).toMatchObject({ open: 1, begun: 0 })
  await vi.advanceTimersByTimeAsync(2_000)
  expect(seen).toMatchObject({ open: 0, begun: 0 })
  // Late, but not stuck.
  const reader = response.body?.getReader()
  expect(decoder.decode((await reader?.read())?.value)).toBe(':')
  expect((await reader?.read())?.done).toBe(true)
  expect(seen.begun).toBe(0)
})

it('an answer to HEAD is nothing but its headers', () => {
  const { seen, response } = asking('HEAD')
  expect([response.body, response.headers.get('content-type')]).toEqual([null, 'text/plain'])
  expect(seen).toMatchObject({ open: 0, begun: 0 })
})

it('one that is read goes on beyond any time, with signs of life, and ends when its reader goes', async () => {
  const { seen, response } = asking()
  const reader = response.body?.getReader()
  const texts: string[] = []
  for (let n = 0; n < 2; n++) texts.push(decoder.decode((await reader?.read())?.value))
  for (let n = 0; n < 3; n++) {
    const next = reader?.read()
    await vi.advanceTimersByTimeAsync(15_000)
    texts.push(decoder.decode((await next)?.value))
  }
  expect(texts).toEqual([':', 'a', ':', ':', ':'])
  expect(seen).toMatchObject({ open: 1, begun: 1 })
  await reader?.cancel()
  expect(seen).toMatchObject({ open: 0, ended: 1 })
})
