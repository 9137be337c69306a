// docs/cli.md, from the table of commands. A test holds the two together.
import type { Option } from './option.ts'
import { COMMANDS } from './commands/all.ts'
import { EXIT } from './failure.ts'
import { GROUPS, groupOf, optionHelp, optionNames, usageLine, type Described } from './help.ts'
import { GLOBAL_OPTIONS } from './parse.ts'
import { defaultServer } from './settings.ts'

const exitMeanings: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: 'all is well; of what was waited for, the result is `success`',
  failed: 'what was waited for ended `failed`, `aborted` or `lost`; or something unexpected happened',
  usage: 'the command line, or a file given to it, is wrong; nothing was done',
  partial: 'what was waited for ended `partial`: some sources could not be read, the rest is kept',
  notFound: 'there is no such thing',
  denied: 'no valid token, or one whose role may not do this',
  unreachable: 'the server cannot be reached, took too long, or cannot serve now',
  conflict: 'the state does not allow it: it exists already, is busy (hold-off), or its agent is offline',
  interrupted: 'Ctrl-C; after other signals 128 and their number',
}

/** The whole page, in Markdown as the formatter writes it. */
export function reference(): string {
  return [
    '# The command line',
    '',
    '`firn` talks to a server over its REST API, and launches the parts of Firn. In a checkout it is `npx firn`. This page',
    'is made from the same table as `firn --help`; a test keeps it up to date.',
    '',
    ...connection(),
    ...output(),
    ...waiting(),
    '## Exit codes',
    '',
    ...tableOf(
      ['code', 'meaning'],
      Object.entries(EXIT).map(([name, code]) => [`${code}`, exitMeanings[name as keyof typeof EXIT]]),
    ),
    '',
    '## Options for every command',
    '',
    ...optionTable(GLOBAL_OPTIONS),
    '',
    ...GROUPS.flatMap(([title, names]) => [
      `## ${title}`,
      '',
      ...COMMANDS.filter((command) => names.includes(groupOf(command))).flatMap(section),
    ]),
  ]
    .join('\n')
    .trimEnd()
    .concat('\n')
}

const connection = (): string[] => [
  '## Server and token',
  '',
  'Looked for in this order; the first that says something counts:',
  '',
  '1. the command line: `--server`, `--token-file` or `--token`, or a context by `--context`',
  '2. the environment: `FIRN_SERVER`, `FIRN_TOKEN_FILE` or `FIRN_TOKEN`, or a context by `FIRN_CONTEXT`',
  '3. the file that `FIRN_READY_FILE` names, if it is there: the one that `firn up --ready-file` writes',
  '4. the current context of the configuration file',
  '',
  `Without any, the server is \`${defaultServer}\`, and there is no token. A token that was stored together with a server (in a`,
  'context or a ready file) is sent to that server only. `--token` can be seen by other users of the machine for as long',
  'as the command runs: use a file, or `--token-file -` to read it from standard input.',
  '',
  'The configuration file is `~/.config/firn/config.yaml` (below `XDG_CONFIG_HOME` if that is set; `FIRN_CONFIG` names',
  'another), readable for its owner only. `firn config set-context` writes it:',
  '',
  '```yaml',
  'current: prod',
  'contexts:',
  '  prod:',
  '    server: https://backup.example.org',
  '    token_file: /home/alice/.firn-token # or token: with the token itself',
  '```',
  '',
  'A server whose certificate is signed by an own CA: `NODE_EXTRA_CA_CERTS=ca.pem firn …`.',
  '',
]

const output = (): string[] => [
  '## Output',
  '',
  'Tables are for people: their columns may change, and on a terminal long cells are cut to fit. `-o wide` shows more',
  'columns. Times are UTC. For programs: `-o json` (one document or an array), `-o jsonl` (one a line), `-o yaml` (the',
  'server’s documents as they are), and `-o name` (ids only, one a line). Text from the server is always printed with',
  'control characters spelled out, so that no description can act on a terminal.',
  '',
  'Results go to standard output; progress, notes and errors go to standard error. Colours and bars are for terminals:',
  'elsewhere, and with `TERM=dumb`, progress is plain lines, one for each change and at most one a second about amounts.',
  '`NO_COLOR` (set to anything) and `--no-color` switch colours off.',
  '',
]

const waiting = (): string[] => [
  '## Waiting',
  '',
  '`--wait` and `watch` show progress until the work has ended, and end with its result as exit code. The work belongs to',
  'the server: Ctrl-C ends the waiting only, and says how to follow or cancel the work. A server that is away for up to',
  'two minutes meanwhile is waited for.',
  '',
  'Commands that start something send an `Idempotency-Key`, and repeat the request when the connection breaks: the server',
  'starts it once. With `--key` the same holds for repeating the whole command, from cron for example.',
  '',
]

function section(command: Described): string[] {
  const { name, summary, details, args, options, examples } = command
  return [
    `### firn ${name}`,
    '',
    `${summary}.${details === undefined ? '' : ` ${details.replaceAll('\n', ' ')}`}`,
    '',
    '```text',
    usageLine(command),
    '```',
    '',
    ...(args.length + options.length === 0
      ? []
      : [
          ...tableOf(
            ['argument or option', 'meaning'],
            [
              ...args.map((it): [string, string] => [`\`${it.name}\``, it.help]),
              ...options.map((it): [string, string] => [`\`${optionNames(it)}\``, optionHelp(it)]),
            ],
          ),
          '',
        ]),
    '```sh',
    ...examples.flatMap(([line, does]) => [`# ${does}`, line]),
    '```',
    '',
  ]
}

const optionTable = (options: readonly Option[]): string[] =>
  tableOf(
    ['option', 'meaning'],
    options.map((it) => [`\`${optionNames(it)}\``, optionHelp(it)]),
  )

/** Narrow columns, as the formatter leaves them for tables that are wider than a line. */
function tableOf(titles: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.map((it) => it.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(titles), line(titles.map(() => '---')), ...rows.map(line)]
}
