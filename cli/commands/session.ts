import { argument, type Command } from '../command.ts'
import { EXIT, usage } from '../failure.ts'
import { path } from '../http.ts'
import { readDocuments } from '../input.ts'
import { at, object, text, type Document } from '../json.ts'
import { freezerList, LIST_OPTIONS, moreNote } from '../lists.ts'
import type { Output, Shown } from '../output.ts'
import { paintState } from '../render/colour.ts'
import { formatInstant } from '../render/format.ts'
import { KEY_OPTION, keyOf } from '../runs.ts'
import { newestTag, watchSet } from '../sets.ts'
import { tagOf } from '../views/sets.ts'
import { dueOf, removeEach } from './job.ts'
import { sessionSlots } from './slots.ts'

const idOf = (session: unknown): string => text(session, 'session_id')
const SESSION = { name: 'SESSION', help: 'its id' } as const
const jobsOf = (session: unknown): [string, Document][] =>
  Object.entries(object(at(session, 'jobs'))).map(([id, job]) => [id, object(job)])

const shown = ({ paint }: Output): Shown<Document> => ({
  name: idOf,
  columns: [
    { title: 'SESSION', cell: idOf },
    { title: 'DESCRIPTION', cell: (session) => text(session, 'description'), shrinks: true },
    { title: 'JOBS', cell: (session) => String(jobsOf(session).length), align: 'right' },
    { title: 'TAG', cell: (session) => text(session, 'session_tag'), align: 'right' },
    { title: 'STATUS', cell: (session) => text(session, 'status') },
    {
      title: 'RESULT',
      cell: (session) => text(session, 'result'),
      style: (session, cell) => paintState(text(session, 'result'), paint)(cell),
    },
    { title: 'STARTED', cell: (session) => formatInstant(session['time_start']) },
    { title: 'SCHEDULE', cell: (session) => dueOf(session, 'schedule'), shrinks: true },
    { title: 'HOLD-OFF', cell: (session) => `${text(session, 'hold_off')} s`, wide: true, align: 'right' },
    { title: 'ENDED', cell: (session) => formatInstant(session['time_end']), wide: true },
  ],
})

const ls: Command = {
  name: 'session ls',
  summary: 'List the sessions',
  args: [],
  options: LIST_OPTIONS,
  examples: [['firn session ls', 'All sessions, with how often they were started']],
  async run({ api, flags, out }) {
    const { rows, more } = await freezerList(api(), '/v1/sessions', 'sessions', flags)
    out.list(rows, shown(out), 'no sessions: "firn session create -f FILE" makes one')
    if (more) out.note(moreNote(rows.length))
    return EXIT.ok
  },
}

const get: Command = {
  name: 'session get',
  summary: 'Show one session',
  args: [SESSION],
  options: [],
  examples: [['firn session get 53cb0690614349a48e7699e1f35c3832', 'Its jobs and its last start']],
  async run(invocation) {
    const { api, out } = invocation
    const session = object(await api().get(path`/v1/sessions/${argument(invocation, 'SESSION')}`))
    out.one(session, idOf, () => [
      ...out.details([
        ['session', idOf(session)],
        ['description', text(session, 'description')],
        ['schedule', dueOf(session, 'schedule')],
        ['hold-off', `${text(session, 'hold_off')} s`],
        ['tag', text(session, 'session_tag')],
        ['status', text(session, 'status')],
        ['result', text(session, 'result')],
        ['started', formatInstant(session['time_start'])],
        ['ended', formatInstant(session['time_end'])],
      ]),
      '',
      ...out.table(jobsOf(session), [
        { title: 'JOB', cell: ([id]) => id },
        { title: 'CLIENT', cell: ([, job]) => text(job, 'client_id') },
        { title: 'STATUS', cell: ([, job]) => text(job, 'status') },
        { title: 'RESULT', cell: ([, job]) => text(job, 'result') },
      ]),
    ])
    return EXIT.ok
  },
}

const create: Command = {
  name: 'session create',
  summary: 'Create a session',
  args: [],
  options: [
    { name: 'file', short: 'f', value: 'FILE', help: 'its document in YAML or JSON; - reads standard input' },
    { name: 'description', value: 'TEXT', help: 'without a file: what it is for' },
    { name: 'job', value: 'JOB', repeats: true, help: 'a job to add to it' },
  ],
  examples: [
    ['firn session create -f web-tier.yaml', 'A session from a file'],
    [
      'firn session create --description "web tier" --job JOB1 --job JOB2',
      'A session of two jobs, started by hand',
    ],
  ],
  async run({ api, flags, out, io }) {
    const file = flags.text('file')
    const description = flags.text('description')
    if (file === undefined && description === undefined) throw usage('--file or --description is needed')
    const documents = file === undefined ? [{ schedule: {} }] : await readDocuments(file, io)
    for (const document of documents) {
      const body = { ...document, ...(description === undefined ? {} : { description }) }
      const own = text(document, 'session_id')
      const target = own === '' ? '/v1/sessions' : path`/v1/sessions/${own}`
      const answer = object(await api().post(target, body))
      const id = idOf(answer)
      for (const job of flags.all('job'))
        await api().request({ method: 'PUT', path: path`/v1/sessions/${id}/jobs/${job}` })
      out.done(answer, id, `session ${id} created`)
    }
    return EXIT.ok
  },
}

function jobs(method: 'PUT' | 'DELETE'): Command {
  const adds = method === 'PUT'
  return {
    name: adds ? 'session add-job' : 'session remove-job',
    summary: adds ? 'Add jobs to a session' : 'Take jobs out of a session',
    args: [SESSION, { name: 'JOB', help: 'their ids', repeats: true }],
    options: [],
    examples: [
      [
        `firn session ${adds ? 'add-job' : 'remove-job'} 53cb0690614349a48e7699e1f35c3832 4f0c2a3be1d94a53a8f5f4d1c1f7a911`,
        adds
          ? 'From now on the job starts with the session'
          : 'The job stays, stopped, and no longer starts with it',
      ],
    ],
    async run(invocation) {
      const session = argument(invocation, 'SESSION')
      for (const job of invocation.args['JOB'] ?? []) {
        await invocation.api().request({ method, path: path`/v1/sessions/${session}/jobs/${job}` })
        const sentence = `job ${job} is ${adds ? 'in' : 'no longer in'} session ${session}`
        invocation.out.done({ session_id: session, job_id: job }, job, sentence)
      }
      return EXIT.ok
    },
  }
}

const start: Command = {
  name: 'session start',
  summary: 'Start all jobs of a session together',
  details: 'All that is made under the new session tag is one set: see firn set --help.',
  args: [SESSION],
  options: [{ name: 'wait', help: 'wait for its end; the exit code then tells the result' }, KEY_OPTION],
  examples: [
    ['firn session start 53cb0690614349a48e7699e1f35c3832 --wait', 'A backup of all members, with progress'],
    [
      'firn session start 53cb0690614349a48e7699e1f35c3832 --key nightly-0412',
      'At most once, however often it is repeated',
    ],
  ],
  async run(invocation) {
    const { api, flags, out } = invocation
    const session = argument(invocation, 'SESSION')
    const set = object(await api().post(path`/v1/sessions/${session}/start`, {}, keyOf(flags)))
    const tag = tagOf(set)
    if (flags.has('wait')) return watchSet(invocation, text(set, 'session_id') || session, tag)
    out.done(set, `${session} ${tag}`, `session ${session} started, tag ${tag}`)
    if (out.isForPeople) out.note(`follow it: firn session watch ${session}`)
    return EXIT.ok
  },
}

const watch: Command = {
  name: 'session watch',
  summary: 'Follow a session’s newest start to its end',
  args: [SESSION],
  options: [{ name: 'tag', value: 'TAG', help: 'another start than the newest' }],
  examples: [['firn session watch 53cb0690614349a48e7699e1f35c3832', 'Progress of all its members']],
  async run(invocation) {
    const session = argument(invocation, 'SESSION')
    const tag = invocation.flags.whole('tag', 1)
    return watchSet(
      invocation,
      session,
      tag === undefined ? await newestTag(invocation.api(), session) : String(tag),
    )
  },
}

const rm: Command = {
  name: 'session rm',
  summary: 'Delete sessions; their jobs, sets and backups stay',
  args: [{ ...SESSION, repeats: true, help: 'their ids' }],
  options: [],
  examples: [['firn session rm 53cb0690614349a48e7699e1f35c3832', 'Delete one session']],
  run: (invocation) => removeEach(invocation, 'SESSION', 'session', (id) => path`/v1/sessions/${id}`),
}

export const sessionCommands: readonly Command[] = [
  ls,
  get,
  create,
  jobs('PUT'),
  jobs('DELETE'),
  start,
  watch,
  ...sessionSlots,
  rm,
]
