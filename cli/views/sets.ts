// Sets as tables, details and progress.
import { at, list, number, objects, text, type Document } from '../json.ts'
import type { Output, Shown } from '../output.ts'
import { paintState, type Paint } from '../render/colour.ts'
import { formatInstant } from '../render/format.ts'
import type { Column } from '../render/table.ts'
import {
  bytesCell,
  durationOf,
  filesCell,
  microsecondsOf,
  reasonOf,
  runItem,
  statsOf,
  statusColumn,
  type RunItem,
} from './runs.ts'

/** How `firn set ls` shows sets. */
export function setsShown({ paint }: Output): Shown<Document> {
  return {
    name: (set) => `${text(set, 'session_id')} ${text(set, 'tag')}`,
    columns: [
      { title: 'SESSION', cell: (set) => text(set, 'session_id') },
      { title: 'TAG', cell: (set) => text(set, 'tag'), align: 'right' },
      { title: 'PHASE', cell: (set) => text(set, 'phase') },
      {
        title: 'RESULT',
        cell: (set) => text(set, 'result'),
        style: (set, shown) => paintState(text(set, 'result'), paint)(shown),
      },
      { title: 'GRADE', cell: (set) => text(set, 'grade') },
      { title: 'MEMBERS', cell: (set) => String(list(at(set, 'members')).length), align: 'right' },
      { title: 'STARTED', cell: (set) => formatInstant(at(set, 'admitted_at')) },
      { title: 'SKEW', cell: (set) => microsecondsOf(set, 'start_skew_us'), align: 'right' },
      { title: 'ENDED', cell: (set) => formatInstant(at(set, 'ended_at')), wide: true },
      { title: 'SLOT', cell: (set) => text(set, 'slot'), wide: true },
      { title: 'REASON', cell: reasonOf, shrinks: true },
    ],
  }
}

/** All about one set: what it is worth, and each member. */
export function setDetails(set: unknown, out: Output): string[] {
  const error = microsecondsOf(set, 'start_error_us')
  const skew = microsecondsOf(set, 'start_skew_us')
  const result = text(set, 'result')
  return [
    ...out.details([
      ['session', text(set, 'session_id')],
      ['tag', text(set, 'tag')],
      ['phase', text(set, 'phase')],
      ['result', result],
      ['grade', text(set, 'grade')],
      ['reason', reasonOf(set)],
      ['started', formatInstant(at(set, 'admitted_at'))],
      ['ended', formatInstant(at(set, 'ended_at'))],
      ['start skew', skew === '' || error === '' ? skew : `${skew} ± ${error}`],
    ]),
    '',
    ...out.table(objects(set, 'members'), memberColumns(out.paint)),
  ]
}

const memberColumns = (paint: Paint): Column<Document>[] => [
  { title: 'CLIENT', cell: (member) => text(member, 'client_id'), shrinks: true },
  statusColumn(paint),
  { title: 'FILES', cell: (member) => filesCell(statsOf(member)), align: 'right' },
  { title: 'READ', cell: (member) => bytesCell(statsOf(member)['bytes_processed']), align: 'right' },
  { title: 'ADDED', cell: (member) => bytesCell(statsOf(member)['bytes_added']), align: 'right' },
  { title: 'DURATION', cell: durationOf, align: 'right' },
  { title: 'RUN', cell: (member) => text(member, 'run_id') },
  { title: 'JOB', cell: (member) => text(member, 'job_id'), wide: true },
  { title: 'BACKUPS', cell: (member) => list(at(member, 'backup_ids')).join(' '), wide: true },
]

/** A bar for each member. A client with several jobs has its jobs' ids beside its name. */
export function setItems(set: unknown): RunItem[] {
  return memberItems(objects(set, 'members'))
}

/** A bar for each run or member, named by its client and, where that is not enough, its job. */
export function memberItems(members: readonly Document[]): RunItem[] {
  const clients = members.map((member) => text(member, 'client_id'))
  return members.map((member, nth) => {
    const client = clients[nth] ?? ''
    const isOnly = clients.indexOf(client) === clients.lastIndexOf(client)
    return runItem(member, isOnly ? client : `${client} ${text(member, 'job_id').slice(0, 8)}`)
  })
}

/** The tag with the number sense that URLs and messages need. */
export const tagOf = (set: unknown): string => String(number(set, 'tag') ?? text(set, 'tag'))
