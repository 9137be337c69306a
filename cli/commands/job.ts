import { argument, type Command, type Invocation } from '../command.ts'
import { EXIT, usage } from '../failure.ts'
import { path } from '../http.ts'
import { readDocuments } from '../input.ts'
import { at, list, object, objects, text, type Document } from '../json.ts'
import { freezerList, LIST_OPTIONS, moreNote } from '../lists.ts'
import type { Output, Shown } from '../output.ts'
import { paintState } from '../render/colour.ts'
import { formatInstant } from '../render/format.ts'
import { runsOf, KEY_OPTION, keyOf, watchRuns } from '../runs.ts'
import { runsShown } from '../views/runs.ts'
import { jobSlots } from './slots.ts'

const idOf = (job: unknown): string => text(job, 'job_id')
const JOB = { name: 'JOB', help: 'its id' } as const

/** When a job or session is due, in the words of its own document: `cron 30 2 * * *, 5 times`. */
export function dueOf(document: unknown, schedule: string): string {
  const pattern = text(document, 'firn', 'pattern')
  const count = text(document, 'firn', 'count')
  const trigger = pattern === '' ? triggerOf(at(document, schedule)) : `cron ${pattern}`
  return count === '' ? trigger : `${trigger}, ${count} ${count === '1' ? 'time' : 'times'}`
}

/** The trigger fields of a schedule, in their own words. */
function triggerOf(schedule: unknown): string {
  const date = text(schedule, 'schedule_date')
  if (date !== '') return `at ${date}`
  const interval = text(schedule, 'schedule_interval')
  if (interval !== '') return interval === 'continuous' ? interval : `every ${interval}`
  const units = ['year', 'month', 'day', 'week', 'day_of_week', 'hour', 'minute', 'second']
  const set = units
    .map((unit) => [unit, text(schedule, `schedule_${unit}`)])
    .filter(([, value]) => value !== '')
  return set.map(([unit, value]) => `${unit} ${value}`).join(', ')
}

const statusOf = (job: unknown) => text(job, 'job_schedule', 'status')
const resultOf = (job: unknown) => text(job, 'job_schedule', 'result')

/** `backup etc, exec`: what the actions do, and under which names. */
const actionsOf = (job: unknown): string =>
  objects(job, 'job_actions')
    .map(({ freezer_action: action }) =>
      `${text(action, 'action') || 'backup'} ${text(action, 'backup_name')}`.trim(),
    )
    .join(', ')

const clientOf = (job: unknown): string =>
  text(job, 'client_id') ||
  Object.entries(object(at(job, 'firn', 'client_selector')))
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(' ')

const shown = ({ paint }: Output): Shown<Document> => ({
  name: idOf,
  columns: [
    { title: 'JOB', cell: idOf },
    { title: 'CLIENT', cell: clientOf, shrinks: true },
    { title: 'ACTIONS', cell: actionsOf, shrinks: true },
    { title: 'SCHEDULE', cell: (job) => dueOf(job, 'job_schedule'), shrinks: true },
    { title: 'STATUS', cell: statusOf },
    { title: 'RESULT', cell: resultOf, style: (job, cell) => paintState(resultOf(job), paint)(cell) },
    { title: 'DESCRIPTION', cell: (job) => text(job, 'description'), shrinks: true },
    { title: 'SESSION', cell: (job) => text(job, 'session_id'), wide: true },
    { title: 'STARTED', cell: (job) => formatInstant(at(job, 'job_schedule', 'time_started')), wide: true },
    { title: 'ENDED', cell: (job) => formatInstant(at(job, 'job_schedule', 'time_ended')), wide: true },
  ],
})

const ls: Command = {
  name: 'job ls',
  summary: 'List the jobs',
  args: [],
  options: [
    { name: 'client', value: 'CLIENT', help: 'only jobs of this node' },
    { name: 'search', value: 'TEXT', help: 'only jobs that hold this text' },
    ...LIST_OPTIONS,
  ],
  examples: [
    ['firn job ls', 'All jobs, with their last results'],
    ['firn job ls --client node-1 -o json', 'Whole documents of the jobs of node-1'],
  ],
  async run({ api, flags, out }) {
    const client = flags.text('client')
    const search = flags.text('search')
    const match = [
      ...(client === undefined ? [] : [{ client_id: client }]),
      ...(search === undefined ? [] : [{ _all: search }]),
    ]
    const { rows, more } = await freezerList(api(), '/v1/jobs', 'jobs', flags, match)
    out.list(rows, shown(out), 'no jobs: "firn job create -f FILE" makes one')
    if (more) out.note(moreNote(rows.length))
    return EXIT.ok
  },
}

const get: Command = {
  name: 'job get',
  summary: 'Show one job',
  args: [JOB],
  options: [],
  examples: [
    ['firn job get 4f0c2a3be1d94a53a8f5f4d1c1f7a911', 'What it does, when, and how it went'],
    ['firn job get 4f0c2a3be1d94a53a8f5f4d1c1f7a911 -o yaml', 'The whole document'],
  ],
  async run(invocation) {
    const { api, out } = invocation
    const job = object(await api().get(path`/v1/jobs/${argument(invocation, 'JOB')}`))
    out.one(job, idOf, () => [
      ...out.details([
        ['job', idOf(job)],
        ['description', text(job, 'description')],
        ['client', clientOf(job)],
        ['session', text(job, 'session_id')],
        ['schedule', dueOf(job, 'job_schedule')],
        ['status', statusOf(job)],
        ['result', resultOf(job)],
        ['started', formatInstant(at(job, 'job_schedule', 'time_started'))],
        ['ended', formatInstant(at(job, 'job_schedule', 'time_ended'))],
      ]),
      '',
      ...out.table(objects(job, 'job_actions'), actionColumns),
    ])
    return EXIT.ok
  },
}

const actionColumns = [
  { title: 'ACTION', cell: (it: Document) => text(it, 'freezer_action', 'action') || 'backup' },
  { title: 'NAME', cell: (it: Document) => text(it, 'freezer_action', 'backup_name') },
  { title: 'OF', cell: whatOf, shrinks: true },
  { title: 'RETRIES', cell: (it: Document) => text(it, 'max_retries'), align: 'right' as const },
  { title: 'MANDATORY', cell: (it: Document) => (it['mandatory'] === true ? 'yes' : 'no') },
  { title: 'ID', cell: (it: Document) => text(it, 'action_id'), wide: true },
]

/** What an action works on: a path, or the words of a command. */
function whatOf(entry: Document): string {
  const action = entry['freezer_action']
  const command = at(action, 'command')
  return (
    text(action, 'path_to_backup') ||
    text(action, 'restore_abs_path') ||
    (Array.isArray(command) ? command.map(String).join(' ') : text(action, 'command'))
  )
}

const create: Command = {
  name: 'job create',
  summary: 'Create jobs from a file',
  details:
    'The file holds a job in YAML or JSON, as the REST API takes it, or several: a list, or YAML documents separated\n' +
    'by "---". They are created one after the other; the first that the server refuses ends the command.',
  args: [],
  options: [
    { name: 'file', short: 'f', value: 'FILE', required: true, help: 'the file; - reads standard input' },
    { name: 'id', value: 'ID', help: 'create it under this id, or replace the job that has it' },
    { name: 'start', help: 'run it once, now, when it has no schedule' },
  ],
  examples: [
    ['firn job create -f etc.yaml', 'A job from a file'],
    ['generate-jobs | firn job create -f - -o name', 'Jobs from standard input; prints their ids'],
  ],
  async run({ api, flags, out, io }) {
    const named = flags.text('id')
    const documents = await readDocuments(flags.needed('file'), io)
    if (named !== undefined && documents.length > 1)
      throw usage(`--id names one job, and the file holds ${documents.length}`)
    for (const read of documents) {
      const document = flags.has('start') ? read : waiting(read)
      const id = named ?? text(document, 'job_id')
      const answer = object(await api().post(id === '' ? '/v1/jobs' : path`/v1/jobs/${id}`, document))
      out.done(answer, idOf(answer), `job ${idOf(answer)} created`)
    }
    return EXIT.ok
  },
}

/** Over the API a job without a schedule runs at once, as Freezer's clients know it; from here it waits for `job run`. */
function waiting(document: Document): Document {
  const firn = document['firn'] ?? {}
  const isSaid = typeof firn === 'object' && firn !== null && 'autostart' in firn
  return isSaid || typeof firn !== 'object' ? document : { ...document, firn: { autostart: false, ...firn } }
}

const run: Command = {
  name: 'job run',
  summary: 'Run a job now, whatever its schedule says',
  args: [JOB],
  options: [
    { name: 'client', value: 'CLIENT', help: 'only on this one of its nodes' },
    { name: 'wait', help: 'wait for its end; the exit code then tells the result' },
    KEY_OPTION,
  ],
  examples: [
    ['firn job run 4f0c2a3be1d94a53a8f5f4d1c1f7a911', 'Start it and go on'],
    ['firn job run 4f0c2a3be1d94a53a8f5f4d1c1f7a911 --wait', 'Start it and watch it to its end'],
  ],
  async run(invocation) {
    const { api, flags, out } = invocation
    const client = flags.text('client')
    const body = {
      job_id: argument(invocation, 'JOB'),
      ...(client === undefined ? {} : { client_id: client }),
    }
    const runs = runsOf(await api().post('/v1/runs', body, keyOf(flags)))
    if (flags.has('wait'))
      return watchRuns(
        invocation,
        runs.map((it) => text(it, 'run_id')),
      )
    out.list(runs, runsShown(out), 'the job has no client that it could run on')
    return EXIT.ok
  },
}

function event(name: 'start' | 'stop' | 'abort', summary: string, example: string, done: string): Command {
  return {
    name: `job ${name}`,
    summary,
    args: [JOB],
    options: [],
    examples: [[`firn job ${name} 4f0c2a3be1d94a53a8f5f4d1c1f7a911`, example]],
    async run(invocation) {
      const id = argument(invocation, 'JOB')
      const answer = object(await invocation.api().post(path`/v1/jobs/${id}/event`, { [name]: null }))
      const result = text(answer, 'result')
      invocation.out.done(answer, id, `job ${id}: ${result === 'success' ? done : result}`)
      return EXIT.ok
    },
  }
}

const rm: Command = {
  name: 'job rm',
  summary: 'Delete jobs; their backups stay',
  args: [{ ...JOB, repeats: true, help: 'their ids' }],
  options: [],
  examples: [['firn job rm 4f0c2a3be1d94a53a8f5f4d1c1f7a911', 'Delete one job']],
  run: (invocation) => removeEach(invocation, 'JOB', 'job', (id) => path`/v1/jobs/${id}`),
}

/** Deletes what an argument names, one after the other. */
export async function removeEach(
  { api, args, out }: Invocation,
  argument: string,
  kind: string,
  pathOf: (id: string) => string,
): Promise<number> {
  for (const id of list(args[argument]) as readonly string[]) {
    await api().request({ method: 'DELETE', path: pathOf(id) })
    out.done({ [`${kind}_id`]: id, deleted: true }, id, `${kind} ${id} deleted`)
  }
  return EXIT.ok
}

export const jobCommands: readonly Command[] = [
  ls,
  get,
  create,
  run,
  event(
    'start',
    'Let a job’s schedule start it; a job without one runs now',
    'Activate its schedule',
    'active',
  ),
  event(
    'stop',
    'Stop a job’s schedule; a run that is under way goes on',
    'No more scheduled runs',
    'stopped',
  ),
  event('abort', 'Cancel a job’s run', 'Stop what it is doing', 'its run is being cancelled'),
  ...jobSlots,
  rm,
]
