import { z } from 'zod'
import type { JsonObject } from '../../core/action.ts'
import { isoOf, type Instant } from '../../core/clock.ts'
import { jobId } from '../../core/ids.ts'
import { skipReasons } from '../../core/skip.ts'
import { previewJob, slotsOf, type Happened, type Starter } from '../../controller/use-cases/slots.ts'
import { refusal, some } from '../fields.ts'
import { operation } from '../operation.ts'
import { runForm } from './documents.ts'
import { at, count, listOf } from './forms.ts'
import { cut, newestFirst, pageOf, pageQuery } from './paging.ts'
import { runView } from './views.ts'

const errors = 'problem'
const tag = 'Slots'
const reasonForm = z.enum(skipReasons).nullable()

const slotForm = z
  .object({
    from: at('The slot; of a start by hand or of a session, when it was made'),
    to: at('The last slot, where several are told of together'),
    count: count('How many slots this is about'),
    more: z.boolean().meta({ description: 'There were more than were counted' }),
    outcome: z.enum(['run', 'skipped']),
    reason: reasonForm.meta({ description: 'Why it became no run' }),
    run: runForm.nullable(),
  })
  .meta({ id: 'Slot', description: 'What became of a slot of a job' })

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

function slotView(one: Happened, live: Parameters<typeof runView>[1]): JsonObject {
  if ('run' in one) {
    const slot = isoOf(one.place.at)
    const run = runView(one.run, live)
    return { from: slot, to: slot, count: 1, more: false, outcome: 'run', reason: null, run }
  }
  const { from, to, count, more = false, reason } = one.skip
  return { from: isoOf(from), to: isoOf(to), count, more, outcome: 'skipped', reason, run: null }
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

const previewRoute = operation({
  ...{ method: 'GET', path: '/v1/jobs/:job_id/preview', role: 'viewer', errors },
  ...{ tag, id: 'previewJob', summary: 'Show what would run between two instants' },
  description:
    'Decided as it will be when the slots come, if servers are there and each run takes as long as the last ones did.',
  query: z.object({
    from: moment('The first instant; now when left out'),
    to: moment('The end, which does not belong to it; a week later when left out'),
    limit: z.coerce.number().int().min(1).max(200).default(50).meta({ description: 'At most so many' }),
  }),
  answers: {
    200: z.object({
      starts: z.enum(Object.keys(starters) as [Starter, ...Starter[]]).meta({
        description:
          'What starts the job: its schedule; nobody, as it is stopped; its session; or a scheduler elsewhere',
      }),
      run_ms: z.number().nullable().meta({ description: 'How long a run is expected to take' }),
      slots: z.array(expectedForm),
      more: z.boolean().meta({ description: 'There are more than `limit`' }),
    }),
  },
  answer(ask, { query }) {
    const [from, to] = [query.from, query.to].map((text) =>
      text === undefined ? undefined : (Date.parse(text) as Instant),
    )
    if (to !== undefined && to < (from ?? ask.served.context.clock.now()))
      throw refusal('to', 'is before the beginning')
    const id = jobId(ask.param('job_id'))
    const wanted = { ...some('from', from), ...some('to', to), limit: query.limit }
    const { starts, runMs, slots, more } = previewJob(ask.served.context, ask.caller, id, wanted)
    return ask.json({ starts, run_ms: runMs ?? null, slots: slots.map(expectedView), more })
  },
})

const expectedView = (one: ReturnType<typeof previewJob>['slots'][number]): JsonObject => ({
  slot: isoOf(one.slot),
  local: one.local,
  starts_at: one.startsAt === undefined ? null : isoOf(one.startsAt),
  reason: one.reason ?? null,
  overlaps: one.overlaps,
  dst: one.dst ?? null,
})

export const slotRoutes = [listRoute, previewRoute]
