import { argument, type Command } from '../command.ts'
import { EXIT } from '../failure.ts'
import { path } from '../http.ts'
import { at, objects, text, type Document } from '../json.ts'
import { LIST_OPTIONS, moreNote, nativeList } from '../lists.ts'
import type { Output, Shown } from '../output.ts'
import { paintState } from '../render/colour.ts'
import { formatInstant } from '../render/format.ts'
import { statusOf } from '../views/runs.ts'

/** What has a schedule of its own. */
interface Scheduled {
  readonly is: 'job' | 'session'
  readonly arg: 'JOB' | 'SESSION'
  readonly path: 'jobs' | 'sessions'
  /** An id, for examples. */
  readonly id: string
  readonly slots: string
  readonly became: (out: Output) => Shown<Document>
  readonly preview: string
}

const countOf = (slot: unknown): string => `${text(slot, 'count')}${at(slot, 'more') === true ? '+' : ''}`
const becameOf = (slot: unknown): string =>
  text(slot, 'outcome') === 'run' ? statusOf(at(slot, 'run')) : text(slot, 'outcome')

const slotColumns = [
  { title: 'SLOT', cell: (slot: Document) => formatInstant(at(slot, 'from')) },
  {
    title: 'TO',
    cell: (slot: Document) => (text(slot, 'to') === text(slot, 'from') ? '' : formatInstant(at(slot, 'to'))),
  },
  { title: 'COUNT', cell: countOf, align: 'right' },
] as const

const runsOfSlots = ({ paint }: Output): Shown<Document> => ({
  name: (slot) => text(slot, 'run', 'run_id') || text(slot, 'from'),
  columns: [
    ...slotColumns,
    { title: 'STATUS', cell: becameOf, style: (slot, cell) => paintState(becameOf(slot), paint)(cell) },
    { title: 'REASON', cell: (slot) => text(slot, 'reason') || text(slot, 'run', 'reason', 'code') },
    { title: 'CLIENT', cell: (slot) => text(slot, 'run', 'client_id'), shrinks: true },
    { title: 'RUN', cell: (slot) => text(slot, 'run', 'run_id') },
  ],
})

const startOf = (slot: unknown): string =>
  text(slot, 'outcome') === 'set' ? text(slot, 'set', 'result') || text(slot, 'set', 'phase') : 'skipped'

const setsOfSlots = ({ paint }: Output): Shown<Document> => ({
  name: (slot) => text(slot, 'set', 'set_id') || text(slot, 'from'),
  columns: [
    ...slotColumns,
    { title: 'STATUS', cell: startOf, style: (slot, cell) => paintState(startOf(slot), paint)(cell) },
    { title: 'REASON', cell: (slot) => text(slot, 'reason') || text(slot, 'set', 'reason', 'code') },
    { title: 'TAG', cell: (slot) => text(slot, 'set', 'tag'), align: 'right' },
  ],
})

const job: Scheduled = {
  ...{ is: 'job', arg: 'JOB', path: 'jobs', id: '4f0c2a3be1d94a53a8f5f4d1c1f7a911' },
  slots: 'List what became of a job’s slots: runs, and why others were skipped',
  became: runsOfSlots,
  preview: 'Show what a job’s schedule would start between two instants',
}

const session: Scheduled = {
  ...{ is: 'session', arg: 'SESSION', path: 'sessions', id: '53cb0690614349a48e7699e1f35c3832' },
  slots: 'List what became of a session’s slots: starts, and why others were skipped',
  became: setsOfSlots,
  preview: 'Show when a session’s schedule would start it between two instants',
}

const slots = (of: Scheduled): Command => ({
  name: `${of.is} slots`,
  summary: of.slots,
  args: [{ name: of.arg, help: 'its id' }],
  options: LIST_OPTIONS,
  examples: [
    [
      `firn ${of.is} slots ${of.id}`,
      `${of.is === 'job' ? 'Runs' : 'Starts'} and skipped slots, newest first`,
    ],
  ],
  async run(invocation) {
    const { api, flags, out } = invocation
    const where = `${path`/v1/${of.path}/${argument(invocation, of.arg)}`}/slots`
    const { rows, more } = await nativeList(api(), where, 'slots', flags)
    out.list(rows, of.became(out), `no slot of this ${of.is} has come yet`)
    if (more) out.note(moreNote(rows.length))
    return EXIT.ok
  },
})

const dstWords: Readonly<Record<string, string>> = {
  forward: 'clock put forward',
  first: 'comes twice: first',
  second: 'comes twice: second',
}

const expectedShown = (): Shown<Document> => ({
  name: (slot) => text(slot, 'slot'),
  columns: [
    { title: 'SLOT', cell: (slot) => text(slot, 'local') },
    { title: 'STARTS', cell: (slot) => formatInstant(at(slot, 'starts_at')) },
    { title: 'SKIPPED', cell: (slot) => text(slot, 'reason') },
    { title: 'OVERLAPS', cell: (slot) => (at(slot, 'overlaps') === true ? 'yes' : '') },
    { title: 'DST', cell: (slot) => dstWords[text(slot, 'dst')] ?? '' },
  ],
})

const standings: Readonly<Record<Scheduled['is'], Readonly<Record<string, string>>>> = {
  job: {
    nobody: 'the job is stopped: nothing of this would run',
    session: 'the job starts with its session, and not by a schedule of its own',
    elsewhere: 'the job’s client has a scheduler of its own, which decides when it runs',
  },
  session: {
    nobody: 'the session is stopped, or has no jobs: nothing of this would start',
    elsewhere: 'the clients of the session’s jobs have schedulers of their own, which decide when it starts',
  },
}

const preview = (of: Scheduled): Command => ({
  name: `${of.is} preview`,
  summary: of.preview,
  details:
    'What the servers would decide then: with jitter, excluded days, clocks that are put forward and back, and with\n' +
    'runs that take as long as the last ones did. Instants are written like 2027-01-31T02:00:00Z.',
  args: [{ name: of.arg, help: 'its id' }],
  options: [
    { name: 'from', value: 'TIME', help: 'the beginning; now when left out' },
    { name: 'to', value: 'TIME', help: 'the end; a week later when left out' },
    { name: 'limit', value: 'N', help: 'show at most N; 50 when left out' },
  ],
  examples: [
    [`firn ${of.is} preview ${of.id}`, 'The next seven days'],
    [
      `firn ${of.is} preview ${of.id} --from 2027-03-27T00:00:00Z --to 2027-03-30T00:00:00Z`,
      'A night of summer time',
    ],
  ],
  async run(invocation) {
    const { api, flags, out } = invocation
    const answer = await api().get(`${path`/v1/${of.path}/${argument(invocation, of.arg)}`}/preview`, {
      from: flags.text('from'),
      to: flags.text('to'),
      limit: flags.whole('limit', 1),
    })
    const rows = objects(answer, 'slots')
    out.list(rows, expectedShown(), `nothing would ${of.is === 'job' ? 'run' : 'start'}`)
    const note = standings[of.is][text(answer, 'starts')]
    if (note !== undefined) out.note(note)
    const alone = text(answer, 'unknown_on')
    if (alone !== '')
      out.note(`unknown: ${alone} cannot be reached, and may be going on with the job by itself`)
    const behind = text(answer, 'pending_on')
    if (behind !== '')
      out.note(`pending on ${behind}: it may not know yet that the job was stopped or changed`)
    if (at(answer, 'more') === true) out.note(moreNote(rows.length))
    return EXIT.ok
  },
})

/** What became of a schedule's slots, and what will. */
export const jobSlots: readonly Command[] = [slots(job), preview(job)]
export const sessionSlots: readonly Command[] = [slots(session), preview(session)]
