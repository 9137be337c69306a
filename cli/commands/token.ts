import type { Command } from '../command.ts'
import { EXIT } from '../failure.ts'
import { path } from '../http.ts'
import { at, object, text, type Document } from '../json.ts'
import { LIST_OPTIONS, moreNote, nativeList } from '../lists.ts'
import type { Shown } from '../output.ts'
import { formatInstant } from '../render/format.ts'
import { removeEach } from './job.ts'

const idOf = (token: unknown): string => text(token, 'token_id') || text(token, 'id')

const shown: Shown<Document> = {
  name: idOf,
  columns: [
    { title: 'TOKEN', cell: idOf },
    { title: 'PROJECT', cell: (token) => text(token, 'project_id') },
    { title: 'USER', cell: (token) => text(token, 'user_name') || text(token, 'user_id') },
    { title: 'ROLE', cell: (token) => text(token, 'role') },
    { title: 'CREATED', cell: (token) => formatInstant(at(token, 'created_at')) },
    { title: 'EXPIRES', cell: (token) => formatInstant(at(token, 'expires_at')) },
    { title: 'REVOKED', cell: (token) => formatInstant(at(token, 'revoked_at')), wide: true },
  ],
}

const create: Command = {
  name: 'token create',
  summary: 'Make a token for the REST API and this command line',
  details:
    'The token is shown this once only. A viewer looks, an operator also changes and starts, an admin is the administrator of the whole installation.',
  args: [],
  options: [
    {
      ...{ name: 'user', value: 'ID', required: true },
      help: 'who will use it; things made with it belong to that user',
    },
    { name: 'project', value: 'ID', help: 'what it acts in; your own project when left out' },
    { name: 'role', value: 'ROLE', choices: ['viewer', 'operator', 'admin'], help: 'viewer when left out' },
    { name: 'name', value: 'NAME', help: 'the user’s name to show; the id when left out' },
    { name: 'ttl', value: 'TIME', help: 'how long it is valid, e.g. 12h or 90d; for ever when left out' },
  ],
  examples: [
    ['firn token create --project shop --user alice --role operator', 'A token for alice'],
    [
      '(umask 077; firn token create --user ci --ttl 30d -o name > ci.token)',
      'Only the token, into a file of one’s own',
    ],
  ],
  async run({ api, flags, out }) {
    const seconds = flags.seconds('ttl')
    const [name, project] = [flags.text('name'), flags.text('project')]
    const body = {
      user_id: flags.text('user'),
      ...(project === undefined ? {} : { project_id: project }),
      ...(name === undefined ? {} : { user_name: name }),
      role: flags.text('role') ?? 'viewer',
      ...(seconds === undefined ? {} : { ttl_seconds: seconds }),
    }
    const made = object(await api().post('/v1/tokens', body))
    const secret = text(made, 'token') || text(made, 'secret')
    out.one(
      made,
      () => secret,
      () =>
        out.details([
          ['token', secret],
          ['id', idOf(made)],
          ['project', text(made, 'project_id')],
          ['user', text(made, 'user_name')],
          ['role', text(made, 'role')],
          ['expires', text(made, 'expires_at') && formatInstant(made['expires_at'])],
        ]),
    )
    if (out.isForPeople) out.note('the token is shown only now')
    return EXIT.ok
  },
}

const ls: Command = {
  name: 'token ls',
  summary: 'List the tokens, without their secrets',
  args: [],
  options: [...LIST_OPTIONS, { name: 'all-projects', help: 'those of all projects' }],
  examples: [
    ['firn token ls', 'Who may do what in your project, and until when'],
    ['firn token ls --all-projects', 'The same of the whole installation'],
  ],
  async run({ api, flags, out }) {
    const query = flags.has('all-projects') ? { all_projects: 'true' } : {}
    const { rows, more } = await nativeList(api(), '/v1/tokens', 'tokens', flags, query)
    out.list(rows, shown, 'no tokens')
    if (more) out.note(moreNote(rows.length))
    return EXIT.ok
  },
}

const revoke: Command = {
  name: 'token revoke',
  summary: 'Make tokens invalid',
  details: 'Of any project. The last valid token of an administrator stays: make another one first.',
  args: [{ name: 'TOKEN', help: 'their ids, as firn token ls shows them', repeats: true }],
  options: [],
  examples: [['firn token revoke 7c1e', 'The token with this id is refused from now on']],
  run: (invocation) => removeEach(invocation, 'TOKEN', 'token', (id) => path`/v1/tokens/${id}`),
}

export const tokenCommands: readonly Command[] = [create, ls, revoke]
