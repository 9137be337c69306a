import { Fault } from '../../core/fault.ts'
import type { FollowedEvent } from '../../controller/ports/feed.ts'
import { refusal } from '../fields.ts'
import type { Ask, Route } from '../route.ts'
import { streamed } from './streams.ts'

/** Server-Sent Events: `id` is the stream sequence, so that a client that comes back misses nothing. */
function follow(ask: Ask): Response {
  const after = afterOf(ask)
  const progress = ask.query('progress') === 'true'
  const { events, live } = ask.served
  if (!live.health().nats) throw new Fault('feed_down', 'NATS is away: there is nothing to follow now')
  const { project } = ask.caller
  return streamed(
    ask,
    'text/event-stream',
    (signal) => events.follow(project, { ...(after === undefined ? {} : { after }), progress, signal }),
    textOf,
    // A comment: clients ignore it.
    ':\n\n',
  )
}

function afterOf(ask: Ask): number | undefined {
  const text = ask.header('last-event-id') ?? ask.query('after')
  if (text === undefined || text === '') return undefined
  const after = Number(text)
  if (!Number.isSafeInteger(after) || after < 0) throw refusal('after', 'must be the id of an event')
  return after
}

/** JSON has no line breaks outside of strings, and writes those in them as escapes. */
function textOf({ sequence, data }: FollowedEvent): string {
  const type =
    typeof data['type'] === 'string' && /^[\w.-]{1,64}$/.test(data['type']) ? data['type'] : 'event'
  const id = sequence === undefined ? '' : `id: ${sequence}\n`
  return `${id}event: ${type}\ndata: ${JSON.stringify(data)}\n\n`
}

export const eventRoutes: readonly Route[] = [
  {
    ...{ method: 'GET', path: '/v1/events', role: 'viewer', errors: 'problem', gives: 'text/event-stream' },
    answer: follow,
  },
]
