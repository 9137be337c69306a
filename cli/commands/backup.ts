import { argument, type Command } from '../command.ts'
import { EXIT } from '../failure.ts'
import { path } from '../http.ts'
import { at, list, number, object, objects, text, type Document } from '../json.ts'
import { freezerList, LIST_OPTIONS, moreNote } from '../lists.ts'
import type { Output, Shown } from '../output.ts'
import { paintState } from '../render/colour.ts'
import { formatInstant } from '../render/format.ts'
import { RESTORE_OPTIONS, startRestore } from '../restores.ts'
import { bytesCell } from '../views/runs.ts'

const idOf = (backup: unknown): string => text(backup, 'backup_id')
const BACKUP = { name: 'BACKUP', help: 'its id' } as const
const example = '1403db9fb1d14d898e83b53f3db6b671'

/** A field of Freezer's metadata, or of Firn's own part beside it. */
const fieldOf = (backup: unknown, name: string): string =>
  text(backup, 'firn', name) ||
  text(backup, 'backup_metadata', 'firn', name) ||
  text(backup, 'backup_metadata', name)

const clientOf = (backup: unknown) => fieldOf(backup, 'client_id') || fieldOf(backup, 'hostname')
const resultOf = (backup: unknown) => fieldOf(backup, 'result')
const timeOf = (backup: unknown) => formatInstant(at(backup, 'backup_metadata', 'time_stamp'))
const pathsOf = (backup: unknown) =>
  list(at(backup, 'firn', 'paths'))
    .map(String)
    .join(' ') || fieldOf(backup, 'path_to_backup')

const shown = ({ paint }: Output): Shown<Document> => ({
  name: idOf,
  columns: [
    { title: 'BACKUP', cell: idOf },
    { title: 'CLIENT', cell: clientOf },
    { title: 'NAME', cell: (backup) => fieldOf(backup, 'backup_name') },
    { title: 'TIME', cell: timeOf },
    { title: 'LEVEL', cell: (backup) => fieldOf(backup, 'curr_backup_level'), align: 'right' },
    { title: 'RESULT', cell: resultOf, style: (backup, cell) => paintState(resultOf(backup), paint)(cell) },
    { title: 'PATH', cell: pathsOf, shrinks: true },
    {
      title: 'ENGINE',
      cell: (backup) => fieldOf(backup, 'engine') || fieldOf(backup, 'engine_name'),
      wide: true,
    },
    { title: 'JOB', cell: (backup) => fieldOf(backup, 'job_id'), wide: true },
    { title: 'RUN', cell: (backup) => fieldOf(backup, 'run_id'), wide: true },
  ],
})

const ls: Command = {
  name: 'backup ls',
  summary: 'List the backups',
  args: [],
  options: [
    { name: 'job', value: 'JOB', help: 'only backups of this job' },
    { name: 'client', value: 'CLIENT', help: 'only backups of this node' },
    { name: 'name', value: 'NAME', help: 'only backups with this backup name' },
    { name: 'search', value: 'TEXT', help: 'only backups that hold this text' },
    ...LIST_OPTIONS,
  ],
  examples: [['firn backup ls --name etc', 'All backups that are called etc']],
  async run({ api, flags, out }) {
    const fields = { job: 'job_id', client: 'client_id', name: 'backup_name', search: '_all' } as const
    const match = Object.entries(fields).flatMap(([flag, field]) => {
      const value = flags.text(flag)
      return value === undefined ? [] : [{ [field]: value }]
    })
    const { rows, more } = await freezerList(api(), '/v1/backups', 'backups', flags, match)
    out.list(rows, shown(out), 'no backups')
    if (more) out.note(moreNote(rows.length))
    return EXIT.ok
  },
}

const get: Command = {
  name: 'backup get',
  summary: 'Show one backup',
  args: [BACKUP],
  options: [],
  examples: [[`firn backup get ${example} -o yaml`, 'All that is known of it']],
  async run(invocation) {
    const { api, out } = invocation
    const backup = object(await api().get(path`/v1/backups/${argument(invocation, 'BACKUP')}`))
    const field = (name: string) => fieldOf(backup, name)
    out.one(backup, idOf, () =>
      out.details([
        ['backup', idOf(backup)],
        ['name', field('backup_name')],
        ['client', clientOf(backup)],
        ['path', pathsOf(backup)],
        ['time', timeOf(backup)],
        ['level', field('curr_backup_level')],
        ['result', resultOf(backup)],
        ['engine', field('engine_version') || field('engine') || field('engine_name')],
        ['repository', field('repository_id') || field('container')],
        ['read', bytesCell(at(backup, 'firn', 'stats', 'bytes_processed'))],
        ['added', bytesCell(at(backup, 'firn', 'stats', 'bytes_added'))],
        ['job', field('job_id')],
        ['run', field('run_id')],
      ]),
    )
    return EXIT.ok
  },
}

const tree: Command = {
  name: 'backup tree',
  summary: 'List what lies in a backup; its node’s agent looks into it',
  args: [BACKUP, { name: 'PATH', help: 'a folder in it; the top when left out', optional: true }],
  options: [{ name: 'limit', value: 'N', help: 'show at most N entries; 1000, the most, when left out' }],
  examples: [[`firn backup tree ${example} /etc/ssh`, 'The entries of one folder']],
  async run(invocation) {
    const { api, args, flags, out } = invocation
    const query = { path: args['PATH']?.[0] ?? '/', limit: flags.whole('limit', 1) ?? 1000 }
    const answer = await api().get(path`/v1/backups/${argument(invocation, 'BACKUP')}/tree`, query)
    out.list(objects(answer, 'entries'), treeShown, 'nothing lies there')
    if (at(answer, 'more') === true) out.note('there are more: --limit N')
    return EXIT.ok
  },
}

const typeLetters: Readonly<Record<string, string>> = { dir: 'd', symlink: 'l', file: '-' }

/** `drwxr-xr-x`, from the type and the permission bits. */
function modeOf(entry: Document): string {
  const bits = number(entry, 'mode') ?? 0
  const letters = Array.from('rwxrwxrwx', (letter, at) => ((bits >> (8 - at)) & 1 ? letter : '-')).join('')
  return (typeLetters[text(entry, 'type')] ?? '?') + letters
}

const treeShown: Shown<Document> = {
  name: (entry) => text(entry, 'path'),
  columns: [
    { title: 'MODE', cell: modeOf },
    {
      title: 'SIZE',
      cell: (entry) => (text(entry, 'type') === 'dir' ? '' : bytesCell(entry['size'])),
      align: 'right',
    },
    { title: 'MODIFIED', cell: (entry) => formatInstant(entry['mtime']) },
    { title: 'PATH', cell: (entry) => text(entry, 'path') },
  ],
}

const restore: Command = {
  name: 'backup restore',
  summary: 'Restore one backup, or a part of it',
  args: [BACKUP],
  options: [
    { name: 'client', value: 'CLIENT', help: 'on this node; on the one that it comes from when left out' },
    { name: 'include', value: 'PATH', repeats: true, help: 'only this path of it' },
    ...RESTORE_OPTIONS,
  ],
  examples: [
    [`firn backup restore ${example} --target /srv/restored --wait`, 'All of it, and wait for it'],
    [`firn backup restore ${example} --include /etc/ssh --target /tmp/ssh`, 'One folder of it'],
  ],
  run(invocation) {
    const { flags } = invocation
    const client = flags.text('client')
    const include = flags.all('include')
    return startRestore(invocation, {
      backup_id: argument(invocation, 'BACKUP'),
      ...(client === undefined ? {} : { client_id: client }),
      ...(include.length === 0 ? {} : { include }),
    })
  },
}

export const backupCommands: readonly Command[] = [ls, get, tree, restore]
