import { argument, type Command } from '../command.ts'
import { EXIT } from '../failure.ts'
import { path } from '../http.ts'
import { at, list, object, text, type Document } from '../json.ts'
import { clientOf, freezerList, LIST_OPTIONS, moreNote } from '../lists.ts'
import type { Output, Shown } from '../output.ts'
import { paintState } from '../render/colour.ts'
import { formatInstant } from '../render/format.ts'

const idOf = (client: unknown): string => text(clientOf(client), 'client_id')
const lineOf = (client: unknown): string => text(client, 'firn', 'line')

const shown = ({ paint }: Output): Shown<Document> => ({
  name: idOf,
  columns: [
    { title: 'CLIENT', cell: idOf },
    { title: 'HOSTNAME', cell: (client) => text(clientOf(client), 'hostname'), shrinks: true },
    { title: 'LINE', cell: lineOf, style: (client, cell) => paintState(lineOf(client), paint)(cell) },
    { title: 'SINCE', cell: (client) => formatInstant(at(client, 'firn', 'since')) },
    { title: 'AGENT', cell: (client) => text(client, 'firn', 'agent', 'version') },
    { title: 'ENGINES', cell: enginesOf },
    { title: 'OS', cell: (client) => text(client, 'firn', 'agent', 'os'), wide: true },
    { title: 'ENROLLED', cell: (client) => formatInstant(at(client, 'firn', 'enrolled_at')), wide: true },
    { title: 'LABELS', cell: labelsOf, wide: true },
    {
      title: 'DESCRIPTION',
      cell: (client) => text(clientOf(client), 'description'),
      shrinks: true,
      wide: true,
    },
  ],
})

/** The engines that work there, with their versions. */
function enginesOf(client: unknown): string {
  return list(at(client, 'firn', 'agent', 'engines'))
    .filter((engine) => object(engine)['available'] !== false)
    .map((engine) =>
      typeof engine === 'string' ? engine : `${text(engine, 'engine')} ${text(engine, 'version')}`.trim(),
    )
    .join(', ')
}

const labelsOf = (client: unknown): string =>
  Object.entries(object(at(client, 'firn', 'labels')))
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(' ')

const ls: Command = {
  name: 'client ls',
  summary: 'List the nodes',
  args: [],
  options: LIST_OPTIONS,
  examples: [
    ['firn client ls', 'All nodes, and whether their agents are connected'],
    ['firn client ls -o name', 'Only their ids, one a line'],
  ],
  async run({ api, flags, out }) {
    const { rows, more } = await freezerList(api(), '/v1/clients', 'clients', flags)
    out.list(rows, shown(out), 'no clients yet: "firn client token" makes a token with which an agent enrols')
    if (more) out.note(moreNote(rows.length))
    return EXIT.ok
  },
}

const get: Command = {
  name: 'client get',
  summary: 'Show one node',
  args: [{ name: 'CLIENT', help: 'its id' }],
  options: [],
  examples: [['firn client get node-1', 'What is known of node-1']],
  async run(invocation) {
    const { api, out } = invocation
    const client = object(await api().get(path`/v1/clients/${argument(invocation, 'CLIENT')}`))
    out.one(client, idOf, () => out.details(pairsOf(client)))
    return EXIT.ok
  },
}

const pairsOf = (client: Document) =>
  [
    ['client', idOf(client)],
    ['hostname', text(clientOf(client), 'hostname')],
    ['description', text(clientOf(client), 'description')],
    ['line', lineOf(client)],
    ['since', formatInstant(at(client, 'firn', 'since'))],
    ['enrolled', formatInstant(at(client, 'firn', 'enrolled_at'))],
    ['agent', text(client, 'firn', 'agent', 'version')],
    ['os', text(client, 'firn', 'agent', 'os')],
    ['engines', enginesOf(client)],
    ['labels', labelsOf(client)],
  ] as const

const token: Command = {
  name: 'client token',
  summary: 'Make a join token, with which one agent can enrol once',
  details: 'The token is shown this once only. Give it to the agent in a file that only its user can read.',
  args: [
    { name: 'CLIENT', help: 'the only id that may enrol with it; any new one when left out', optional: true },
  ],
  options: [{ name: 'ttl', value: 'TIME', help: 'how long it is valid, e.g. 15m or 24h' }],
  examples: [
    ['firn client token node-4', 'A token for node-4 alone'],
    [
      'firn client token --ttl 15m -o name > join-token',
      'Only the token, for a script; mind the file’s mode',
    ],
  ],
  async run({ api, args, flags, out }) {
    const seconds = flags.seconds('ttl')
    const client = args['CLIENT']?.[0]
    const body = {
      ...(client === undefined ? {} : { client_id: client }),
      ...(seconds === undefined ? {} : { ttl_seconds: seconds }),
    }
    const made = object(await api().post('/v1/join-tokens', body))
    const secret = text(made, 'join_token')
    out.one(
      made,
      () => secret,
      () =>
        out.details([
          ['join token', secret],
          ['expires', formatInstant(made['expires_at'])],
        ]),
    )
    if (out.isForPeople) out.note('it is shown only now')
    return EXIT.ok
  },
}

const revoke: Command = {
  name: 'client revoke',
  summary: 'Take a node’s certificate away: its agent is disconnected and cannot come back',
  args: [{ name: 'CLIENT', help: 'its id' }],
  options: [],
  examples: [['firn client revoke node-4', 'After node-4 was stolen']],
  async run(invocation) {
    const id = argument(invocation, 'CLIENT')
    await invocation.api().post(path`/v1/clients/${id}/revoke`, {})
    invocation.out.done({ client_id: id, revoked: true }, id, `client ${id} is revoked`)
    return EXIT.ok
  },
}

export const clientCommands: readonly Command[] = [ls, get, token, revoke]
