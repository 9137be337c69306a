import { createHash, randomUUID } from 'node:crypto'
import { Fault } from '../../core/fault.ts'
import { manualSlot } from '../../core/ids.ts'
import type { Context } from '../../controller/use-cases/context.ts'
import {
  answerIdOf,
  claimAnswer,
  isUndone,
  keepAnswer,
  releaseAnswer,
  type Claimed,
} from '../../controller/use-cases/kept-answers.ts'
import { EdgeFault } from '../faults.ts'
import type { Ask, Route } from '../route.ts'

/** This process, as others see it in what it works on. */
const worker = randomUUID()

/** Requests with a key that this process works on, by server and key: the same one waits for its answer. */
const underWay = new WeakMap<Context, Map<string, Promise<void>>>()

/** How long the same request waits for the answer to the first. Milliseconds. */
const patienceMs = 1_500

const header = {
  'Idempotency-Key':
    'The same key and body are the same request for a day: they get the stored answer, with `Idempotency-Replayed: true`. 1 to 128 printable characters without blanks',
}

/**
 * A POST that a caller may send again, with the same `Idempotency-Key`, when its answer was lost: it is done once. Another
 * request with that key is refused (422), and one that is still under way after a moment (409). Where nobody knows what became
 * of the first, it is done again if that is harmless, else its caller has to look (409).
 */
export function once(route: Route): Route {
  const { doc } = route
  return {
    ...route,
    ...(doc ? { doc: { ...doc, headers: { ...doc.headers, ...header } } } : {}),
    answer(ask) {
      const key = ask.header('idempotency-key')
      return key === undefined ? route.answer(ask) : answerOnce(ask, route, key)
    },
  }
}

async function answerOnce(ask: Ask, route: Route, key: string): Promise<Response> {
  manualSlot(key) // of that form, or a fault
  const { context } = ask.served
  const id = answerIdOf(ask.caller, key)
  const request = await requestOf(ask)
  const turns = underWay.get(context) ?? new Map<string, Promise<void>>()
  underWay.set(context, turns)
  const turn = `${ask.caller.project}/${id}`
  const { promise, resolve } = Promise.withResolvers<void>()
  await inTurn(context, turns, turn, promise)
  try {
    const asked = { id, request, worker, mayRepeat: route.repeat === 'harmless' }
    return await answerTo(ask, route, await claimAnswer(context, ask.caller, asked))
  } finally {
    turns.delete(turn)
    resolve()
  }
}

/** What is asked for: the same text twice is the same request. */
async function requestOf(ask: Ask): Promise<string> {
  const { method, path } = ask.http.req
  const body = JSON.stringify((await ask.body()) ?? {})
  return createHash('sha256')
    .update([method, path.replace(/\/+$/, ''), body].join('\0'))
    .digest('hex')
}

async function answerTo(ask: Ask, route: Route, claimed: Claimed): Promise<Response> {
  switch (claimed.is) {
    case 'ours':
      return answerAndKeep(ask, route, claimed.claim)
    case 'answered':
      return replayed(ask, claimed)
    case 'other':
      throw new EdgeFault('key_reused', 'Idempotency-Key: it was used for another request')
    case 'under_way':
      throw busy()
    case 'unknown':
      throw new EdgeFault(
        'outcome_unknown',
        'Idempotency-Key: the first request with it broke off, and may have been done or not: look first, then use another key',
      )
  }
}

const busy = () =>
  new Fault('busy', 'Idempotency-Key: the first request with it is still under way', { retryAfterMs: 1_000 })

async function answerAndKeep(
  ask: Ask,
  route: Route,
  claim: (Claimed & { readonly is: 'ours' })['claim'],
): Promise<Response> {
  const { context } = ask.served
  let response: Response
  try {
    response = await route.answer(ask)
  } catch (error) {
    if (isUndone(error) || error instanceof EdgeFault) await releaseAnswer(context, claim)
    throw error
  }
  const body = await response.text()
  const { status, headers } = response
  const etag = headers.get('etag')
  await keepAnswer(context, claim, { status, body, ...(etag === null ? {} : { etag }) })
  return new Response(body === '' ? null : body, { status, headers })
}

const replayed = (ask: Ask, { status, body, etag }: Claimed & { readonly is: 'answered' }): Response =>
  new Response(body === '' ? null : body, {
    status,
    headers: {
      ...(body === '' ? {} : { 'content-type': 'application/json' }),
      ...ask.headers(),
      ...(etag === undefined ? {} : { etag }),
      'idempotency-replayed': 'true',
    },
  })

/** Waits for those before, then takes the turn in the same breath, so that of many who wait one has it. Throws Fault('busy') after 1.5 s. */
async function inTurn(
  { clock }: Context,
  turns: Map<string, Promise<void>>,
  turn: string,
  mine: Promise<void>,
): Promise<void> {
  if (turns.has(turn)) {
    const enough = new AbortController()
    const late = clock.sleep(patienceMs, enough.signal).then(
      () => 'late' as const,
      () => undefined,
    )
    try {
      for (let before = turns.get(turn); before; before = turns.get(turn))
        if ((await Promise.race([before, late])) === 'late') throw busy()
      turns.set(turn, mine)
    } finally {
      enough.abort()
    }
  } else turns.set(turn, mine)
}
