import { z } from 'zod'
import type { JsonObject } from '../../core/action.ts'
import { isoOf, type Instant } from '../../core/clock.ts'
import { jobId, sessionId } from '../../core/ids.ts'
import { skipReasons } from '../../core/skip.ts'
import {
  previewJob,
  previewSession,
  slotsOf,
  slotsOfSession,
  type Happened,
  type HappenedToSession,
  type Passed,
  type Unknown,
  type Preview,
  type PreviewSpan,
  type Starter,
} from '../../controller/use-cases/slots.ts'
import { refusal, some } from '../fields.ts'
import { operation } from '../operation.ts'
import type { Ask } from '../route.ts'
import { runForm, setForm } from './documents.ts'
import { at, count, listOf } from './forms.ts'
import { cut, newestFirst, pageOf, pageQuery } from './paging.ts'
import { runView, setView } from './views.ts'

const errors = 'problem'
const tag = 'Slots'
const reasonForm = z.enum(skipReasons).nullable()

const common = {
  from: at('The slot; of a start by hand or of a session, when it was made'),
  to: at('The last slot, where several are told of together'),
  count: count('How many slots this is about'),
  more: z.boolean().meta({ description: 'There were more than were counted' }),
}

const slotForm = z
  .object({
    ...common,
    outcome: z.enum(['run', 'skipped', 'unknown']).meta({
      description: '`unknown`: the agent cannot be reached, and may be going on with the job by itself',
    }),
    reason: reasonForm.meta({ description: 'Why it became no run' }),
    run: runForm.nullable(),
  })
  .meta({ id: 'Slot', description: 'What became of a slot of a job' })

const sessionSlotForm = z
  .object({
    ...common,
    outcome: z.enum(['set', 'skipped']),
    reason: reasonForm.meta({ description: 'Why it became no start' }),
    set: setForm.nullable(),
  })
  .meta({ id: 'SessionSlot', description: 'What became of a slot of a session' })

const listRoute = operation({
  ...{ method: 'GET', path: '/v1/jobs/:job_id/slots', role: 'viewer', errors },
  ...{ tag, id: 'listSlots', summary: 'List what became of the slots of a job, newest first' },
  description:
    'Each of its runs, and each slot that became none, with the reason. Slots one after the other that were skipped for the same reason are told of together; the newest of them are kept.',
  query: z.object(pageQuery),
  answers: { 200: listOf('slots', slotForm) },
  answer(ask, { query }) {
    const asked = pageOf(ask, query)
    const placeOf = ({ place }: Happened) => place
    const all = slotsOf(ask.served.context, ask.caller, jobId(ask.param('job_id')))
    const { page, next } = cut(newestFirst(all, asked.from, placeOf), asked, placeOf)
    return ask.json({ slots: page.map((one) => slotView(one, ask.served.live)), next })
  },
})

const sessionListRoute = operation({
  ...{ method: 'GET', path: '/v1/sessions/:session_id/slots', role: 'viewer', errors },
  ...{ tag, id: 'listSessionSlots', summary: 'List what became of the slots of a session, newest first' },
  description: 'Each of its starts, and each slot that became none, with the reason; as of a job.',
  query: z.object(pageQuery),
  answers: { 200: listOf('slots', sessionSlotForm) },
  answer(ask, { query }) {
    const asked = pageOf(ask, query)
    const placeOf = ({ place }: HappenedToSession) => place
    const all = slotsOfSession(ask.served.context, ask.caller, sessionId(ask.param('session_id')))
    const { page, next } = cut(newestFirst(all, asked.from, placeOf), asked, placeOf)
    return ask.json({ slots: page.map((one) => sessionSlotView(one, ask)), next })
  },
})

function slotView(one: Happened, live: Parameters<typeof runView>[1]): JsonObject {
  if ('skip' in one) return { ...skippedView(one), run: null }
  if ('unknown' in one) return { ...unknownView(one), run: null }
  return { ...becameView(one.place.at, 'run'), run: runView(one.run, live) }
}

function sessionSlotView(one: HappenedToSession, { served }: Ask): JsonObject {
  if ('skip' in one) return { ...skippedView(one), set: null }
  return { ...becameView(one.place.at, 'set'), set: setView(one.set, served.context.state, served.live) }
}

function becameView(slot: number, outcome: 'run' | 'set'): JsonObject {
  const at = isoOf(slot as Instant)
  return { from: at, to: at, count: 1, more: false, outcome, reason: null }
}

function unknownView({ unknown }: Unknown): JsonObject {
  const { from, to, count, more = false } = unknown
  return { from: isoOf(from), to: isoOf(to), count, more, outcome: 'unknown', reason: null }
}

function skippedView({ skip }: Passed): JsonObject {
  const { from, to, count, more = false, reason } = skip
  return { from: isoOf(from), to: isoOf(to), count, more, outcome: 'skipped', reason }
}

const starters = { schedule: true, nobody: true, session: true, elsewhere: true } satisfies Record<
  Starter,
  true
>

const expectedForm = z
  .object({
    slot: at(),
    local: z.string().meta({ description: 'The slot on the wall clock of the schedule’s zone' }),
    starts_at: at('When it would start, by jitter and by what it waits for; null where it would not'),
    reason: reasonForm.meta({ description: 'Why it would not start' }),
    overlaps: z.boolean().meta({ description: 'The run before it is expected to be open still' }),
    dst: z.enum(['forward', 'first', 'second']).nullable().meta({
      description:
        'Daylight saving: the clock has just been put forward to this moment, or the time of day comes twice',
    }),
  })
  .meta({ id: 'ExpectedSlot' })

const moment = (what: string) =>
  z.iso
    .datetime({ offset: true, error: 'must be an instant like 2027-01-31T02:00:00Z' })
    .optional()
    .meta({ description: what })

const previewQuery = z.object({
  from: moment('The first instant; now when left out'),
  to: moment('The end, which does not belong to it; a week later when left out'),
  limit: z.coerce.number().int().min(1).max(200).default(50).meta({ description: 'At most so many' }),
})

const previewForm = z.object({
  starts: z.enum(Object.keys(starters) as [Starter, ...Starter[]]).meta({
    description:
      'What starts it: its schedule; nobody, as it is stopped; of a job, its session; or a scheduler elsewhere',
  }),
  unknown_on: z.string().nullable().meta({
    description: 'The client whose agent cannot be reached, and may be going on with the job by itself',
  }),
  pending_on: z.string().nullable().meta({
    description:
      'The client whose agent cannot be reached, and may not know yet that the job was stopped or changed',
  }),
  run_ms: z.number().nullable().meta({ description: 'How long a run, or a set, is expected to take' }),
  slots: z.array(expectedForm),
  more: z.boolean().meta({ description: 'There are more than `limit`' }),
})

const previewRoute = operation({
  ...{ method: 'GET', path: '/v1/jobs/:job_id/preview', role: 'viewer', errors },
  ...{ tag, id: 'previewJob', summary: 'Show what would run between two instants' },
  description:
    'Decided as it will be when the slots come, if servers are there and each run takes as long as the last ones did.',
  query: previewQuery,
  answers: { 200: previewForm },
  answer(ask, { query }) {
    const { context } = ask.served
    return ask.json(
      previewView(previewJob(context, ask.caller, jobId(ask.param('job_id')), spanIn(ask, query))),
    )
  },
})

const sessionPreviewRoute = operation({
  ...{ method: 'GET', path: '/v1/sessions/:session_id/preview', role: 'viewer', errors },
  ...{ tag, id: 'previewSession', summary: 'Show when a session would start between two instants' },
  description: 'As of a job; `hold_off` counts as well, and a set takes as long as the last ones did.',
  query: previewQuery,
  answers: { 200: previewForm },
  answer(ask, { query }) {
    const { context } = ask.served
    const id = sessionId(ask.param('session_id'))
    return ask.json(previewView(previewSession(context, ask.caller, id, spanIn(ask, query))))
  },
})

function spanIn(ask: Ask, { limit, ...query }: z.infer<typeof previewQuery>): PreviewSpan {
  const [from, to] = [query.from, query.to].map((text) =>
    text === undefined ? undefined : (Date.parse(text) as Instant),
  )
  if (to !== undefined && to < (from ?? ask.served.context.clock.now()))
    throw refusal('to', 'is before the beginning')
  return { ...some('from', from), ...some('to', to), limit }
}

const previewView = ({ starts, unknownOn, pendingOn, runMs, slots, more }: Preview): JsonObject => ({
  ...{ starts, unknown_on: unknownOn ?? null, pending_on: pendingOn ?? null, run_ms: runMs ?? null },
  ...{ slots: slots.map(expectedView), more },
})

const expectedView = (one: Preview['slots'][number]): JsonObject => ({
  slot: isoOf(one.slot),
  local: one.local,
  starts_at: one.startsAt === undefined ? null : isoOf(one.startsAt),
  reason: one.reason ?? null,
  overlaps: one.overlaps,
  dst: one.dst ?? null,
})

export const slotRoutes = [listRoute, sessionListRoute, previewRoute, sessionPreviewRoute]
