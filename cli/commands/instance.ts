import type { Command } from '../command.ts'
import { EXIT } from '../failure.ts'
import { path } from '../http.ts'
import { at, text, type Document } from '../json.ts'
import { LIST_OPTIONS, moreNote, troveList } from '../lists.ts'
import type { Output, Shown } from '../output.ts'
import { paintState } from '../render/colour.ts'
import { formatInstant } from '../render/format.ts'

const statusOf = (instance: unknown): string => text(instance, 'status')

/** Trove's statuses by the states that are coloured like them. */
const moods: Readonly<Record<string, string>> = {
  ACTIVE: 'up',
  BACKUP: 'running',
  BUILD: 'running',
  SHUTDOWN: 'down',
  ERROR: 'failed',
}

const datastoreOf = (instance: unknown): string =>
  `${text(instance, 'datastore', 'type')} ${text(instance, 'datastore', 'version')}`.trim()

function sizeOf(instance: unknown): string {
  const used = at(instance, 'volume', 'used')
  return typeof used === 'number' ? `${used.toFixed(2)} GB` : ''
}

/** Why no backup can be made of it, else what went wrong last. */
const problemOf = (instance: unknown): string =>
  text(instance, 'firn', 'problem') || text(instance, 'fault', 'message')

const shown = ({ paint }: Output): Shown<Document> => ({
  name: (instance) => text(instance, 'id'),
  columns: [
    { title: 'NAME', cell: (instance) => text(instance, 'name') },
    { title: 'CLIENT', cell: (instance) => text(instance, 'firn', 'client_id') },
    { title: 'DATASTORE', cell: datastoreOf },
    {
      title: 'STATUS',
      cell: statusOf,
      style: (instance, cell) => paintState(moods[statusOf(instance)] ?? '', paint)(cell),
    },
    { title: 'SIZE', cell: sizeOf, align: 'right' },
    { title: 'PROBLEM', cell: problemOf, shrinks: true },
    { title: 'INSTANCE', cell: (instance) => text(instance, 'id'), wide: true },
    // Trove's times are UTC and do not say so.
    { title: 'CREATED', cell: (instance) => formatInstant(`${text(instance, 'created')}Z`), wide: true },
  ],
})

const ls: Command = {
  name: 'instance ls',
  summary: 'List the databases that agents look after',
  args: [],
  options: LIST_OPTIONS,
  examples: [
    ['firn instance ls', 'All databases, and whether a backup can be made of them now'],
    ['firn instance ls -o name', 'Only their ids, one a line, as Trove’s clients take them'],
  ],
  async run({ api, flags, out }) {
    const project = text(await api().get('/v1/whoami'), 'project_id')
    const { rows, more } = await troveList(api(), path`/v1.0/${project}/instances`, 'instances', flags)
    out.list(rows, shown(out), 'no databases: the configuration of an agent names those that it looks after')
    if (more) out.note(moreNote(rows.length))
    return EXIT.ok
  },
}

export const instanceCommands: readonly Command[] = [ls]
