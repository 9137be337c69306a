import { z } from 'zod'
import { Fault } from '../../core/fault.ts'
import type { FollowedEvent } from '../../controller/ports/feed.ts'
import { refusal } from '../fields.ts'
import { operation } from '../operation.ts'
import type { Ask } from '../route.ts'
import { flagText } from './forms.ts'
import { streamed } from './streams.ts'

/** Server-Sent Events: `id` is the stream sequence, so that a client that comes back misses nothing. */
const followRoute = operation({
  ...{ method: 'GET', path: '/v1/events', role: 'viewer', errors: 'problem', gives: 'text/event-stream' },
  ...{ tag: 'Events', id: 'followEvents', summary: 'Follow what happens in the project' },
  description:
    'Server-Sent Events until the caller goes away: `id` grows, `event` is the kind, `data` a JSON document. After a reconnect with `Last-Event-ID` none is missing and none comes twice. What is no longer kept cannot come: then an event `gap` is the first. A comment comes every 15 s.',
  query: z.object({
    after: z.string().optional().meta({
      description:
        'Go on behind the event with this id, as by `Last-Event-ID`; 0: from the first that is kept',
    }),
    progress: flagText('Also the progress of runs, which has no id and is not kept'),
  }),
  headers: { 'Last-Event-ID': 'Go on behind the event with this id; without it the stream begins now' },
  answers: { 200: 'text' },
  answer(ask, { query }) {
    const after = afterOf(ask, query.after)
    const progress = query.progress === 'true'
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
  },
})

/** The header goes before: browsers send it by themselves, with the address that they began with. */
function afterOf(ask: Ask, query: string | undefined): number | undefined {
  const text = ask.header('last-event-id') ?? query
  if (text === undefined || text === '') return undefined
  const after = /^\d{1,16}$/.test(text) ? Number(text) : NaN
  if (!Number.isSafeInteger(after)) throw refusal('after', 'must be the id of an event')
  return after
}

/** JSON has no line breaks outside of strings, and writes those in them as escapes. */
function textOf({ sequence, data }: FollowedEvent): string {
  const type =
    typeof data['type'] === 'string' && /^[\w.-]{1,64}$/.test(data['type']) ? data['type'] : 'event'
  const id = sequence === undefined ? '' : `id: ${sequence}\n`
  return `${id}event: ${type}\ndata: ${JSON.stringify(data)}\n\n`
}

export const eventRoutes = [followRoute]
