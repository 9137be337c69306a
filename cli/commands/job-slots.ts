import { argument, type Command } from '../command.ts'
import { EXIT } from '../failure.ts'
import { path } from '../http.ts'
import { at, objects, text, type Document } from '../json.ts'
import { LIST_OPTIONS, moreNote, nativeList } from '../lists.ts'
import type { Output, Shown } from '../output.ts'
import { paintState } from '../render/colour.ts'
import { formatInstant } from '../render/format.ts'
import { statusOf } from '../views/runs.ts'

const JOB = { name: 'JOB', help: 'its id' } as const
const ID = '4f0c2a3be1d94a53a8f5f4d1c1f7a911'

const countOf = (slot: unknown): string => `${text(slot, 'count')}${at(slot, 'more') === true ? '+' : ''}`
const becameOf = (slot: unknown): string =>
  text(slot, 'outcome') === 'run' ? statusOf(at(slot, 'run')) : 'skipped'

const slotsShown = ({ paint }: Output): Shown<Document> => ({
  name: (slot) => text(slot, 'run', 'run_id') || text(slot, 'from'),
  columns: [
    { title: 'SLOT', cell: (slot) => formatInstant(at(slot, 'from')) },
    {
      title: 'TO',
      cell: (slot) => (text(slot, 'to') === text(slot, 'from') ? '' : formatInstant(at(slot, 'to'))),
    },
    { title: 'COUNT', cell: countOf, align: 'right' },
    { title: 'STATUS', cell: becameOf, style: (slot, cell) => paintState(becameOf(slot), paint)(cell) },
    { title: 'REASON', cell: (slot) => text(slot, 'reason') || text(slot, 'run', 'reason', 'code') },
    { title: 'CLIENT', cell: (slot) => text(slot, 'run', 'client_id'), shrinks: true },
    { title: 'RUN', cell: (slot) => text(slot, 'run', 'run_id') },
  ],
})

export const slots: Command = {
  name: 'job slots',
  summary: 'List what became of a job’s slots: runs, and why others were skipped',
  args: [JOB],
  options: LIST_OPTIONS,
  examples: [[`firn job slots ${ID}`, 'Runs and skipped slots, newest first']],
  async run(invocation) {
    const { api, flags, out } = invocation
    const where = path`/v1/jobs/${argument(invocation, 'JOB')}/slots`
    const { rows, more } = await nativeList(api(), where, 'slots', flags)
    out.list(rows, slotsShown(out), 'no slot of this job has come yet')
    if (more) out.note(moreNote(rows.length))
    return EXIT.ok
  },
}

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

const standing: Readonly<Record<string, string>> = {
  nobody: 'the job is stopped: nothing of this would run',
  session: 'the job starts with its session, and not by a schedule of its own',
  elsewhere: 'the job’s client has a scheduler of its own, which decides when it runs',
}

export const preview: Command = {
  name: 'job preview',
  summary: 'Show what a job’s schedule would start between two instants',
  details:
    'What the servers would decide then: with jitter, excluded days, clocks that are put forward and back, and with\n' +
    'runs that take as long as the last ones did. Instants are written like 2027-01-31T02:00:00Z.',
  args: [JOB],
  options: [
    { name: 'from', value: 'TIME', help: 'the beginning; now when left out' },
    { name: 'to', value: 'TIME', help: 'the end; a week later when left out' },
    { name: 'limit', value: 'N', help: 'show at most N; 50 when left out' },
  ],
  examples: [
    [`firn job preview ${ID}`, 'The next seven days'],
    [
      `firn job preview ${ID} --from 2027-03-27T00:00:00Z --to 2027-03-30T00:00:00Z`,
      'A night of summer time',
    ],
  ],
  async run(invocation) {
    const { api, flags, out } = invocation
    const where = path`/v1/jobs/${argument(invocation, 'JOB')}/preview`
    const answer = await api().get(where, {
      from: flags.text('from'),
      to: flags.text('to'),
      limit: flags.whole('limit', 1),
    })
    const rows = objects(answer, 'slots')
    out.list(rows, expectedShown(), 'nothing would run')
    const note = standing[text(answer, 'starts')]
    if (note !== undefined) out.note(note)
    if (at(answer, 'more') === true) out.note(moreNote(rows.length))
    return EXIT.ok
  },
}
