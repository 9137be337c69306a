// From words to an exit code.
import { Failure, Interrupted, EXIT, usage } from './failure.ts'
import type { Command, Invocation, Launcher } from './command.ts'
import { COMMANDS } from './commands/all.ts'
import { Flags } from './flags.ts'
import { commandHelp, groupHelp, groupOf, overview, unknownCommand } from './help.ts'
import { Api } from './http.ts'
import { readAll } from './input.ts'
import type { Io } from './io.ts'
import { Output, type Format } from './output.ts'
import { findCommand, GLOBAL_OPTIONS, parse, type Parsed } from './parse.ts'
import { paint, wantsColour } from './render/colour.ts'
import { visible } from './render/width.ts'
import { settle, type Settings } from './settings.ts'
import { version } from './version.ts'

/** How long a request may take when nothing is said. Seconds. */
const REQUEST_SECONDS = 30
/** Node's timers hold no more. Milliseconds. */
const REQUEST_MAX_MS = 2 ** 31 - 1

/** Runs a command line and answers its exit code. Never throws. */
export async function runProgram(argv: readonly string[], io: Io): Promise<number> {
  try {
    return await dispatch(argv, io)
  } catch (error) {
    return tell(error, io)
  }
}

async function dispatch(argv: readonly string[], io: Io): Promise<number> {
  if (argv[0] === '--version') return print(io, [`firn ${version()}`])
  const found = findCommand(COMMANDS, argv)
  if (found.is === 'none') return withoutCommand(found.words, found.help, io)
  const { command, rest } = found
  if ('launch' in command) return launch(command, rest, io)
  const parsed = parse(command, rest)
  if (parsed.help) return print(io, commandHelp(command))
  return runCommand(command, parsed, io)
}

function withoutCommand(words: readonly string[], help: boolean, io: Io): number {
  const [group, verb] = words
  if (group === undefined || (group === 'help' && verb === undefined)) {
    if (help || group !== undefined) return print(io, overview(COMMANDS))
    io.stderr.write(`${overview(COMMANDS).join('\n')}\n`)
    return EXIT.usage
  }
  if (group === 'help') return withoutCommand(words.slice(1), true, io)
  const isGroup = COMMANDS.some((command) => groupOf(command) === group)
  if (isGroup && help && verb === undefined) return print(io, groupHelp(COMMANDS, group))
  if (isGroup && verb === undefined) {
    io.stderr.write(`${groupHelp(COMMANDS, group).join('\n')}\n`)
    return EXIT.usage
  }
  const [problem, hint] = unknownCommand(COMMANDS, words)
  throw usage(problem, hint)
}

/** A launcher reads its words itself; only a plea for help is answered here. */
async function launch(command: Launcher, words: string[], io: Io): Promise<number> {
  const end = words.indexOf('--')
  const own = end < 0 ? words : words.slice(0, end)
  if (own.includes('--help') || own.includes('-h')) return print(io, commandHelp(command))
  try {
    return await command.launch(words, io)
  } catch (error) {
    const { code, message } = error as { code?: unknown; message?: string }
    // Node's own parser of options, which the parts of Firn use.
    if (typeof code === 'string' && code.startsWith('ERR_PARSE_ARGS'))
      throw usage(message ?? code, `how to use it: firn ${command.name} --help`)
    throw error
  }
}

async function runCommand(command: Command, parsed: Parsed, io: Io): Promise<number> {
  const flags = new Flags([...command.options, ...GLOBAL_OPTIONS], parsed.options)
  const format = (flags.text('output') ?? 'table') as Format
  const out = new Output(io, format, !flags.has('no-color'))
  const readsToken = flags.text('token-file') === '-'
  if (readsToken && flagsReadInput(command, flags))
    throw usage('standard input holds either the token or the document: one of them must be a file')
  const token = readsToken ? await readAll(io.stdin) : flags.text('token')
  let settings: Settings | undefined
  let api: Api | undefined
  const settingsNow = (): Settings => {
    settings ??= settle({
      server: flags.text('server'),
      token,
      tokenFile: readsToken ? undefined : flags.text('token-file'),
      context: flags.text('context'),
      env: io.env,
      home: io.home,
    })
    return settings
  }
  const timeoutMs = (flags.seconds('timeout') ?? REQUEST_SECONDS) * 1000
  if (timeoutMs === 0) throw usage('--timeout: a request needs more than no time')
  if (timeoutMs > REQUEST_MAX_MS) throw usage('--timeout: no request may take more than 24 days')
  const invocation: Invocation = {
    io,
    flags,
    args: parsed.args,
    out,
    givenToken: token,
    get settings() {
      return settingsNow()
    },
    api: () => {
      if (api !== undefined) return api
      const { server, token, warnings } = settingsNow()
      for (const warning of warnings) out.note(`warning: ${warning}`)
      api = new Api({
        server,
        token,
        timeoutMs,
        signal: io.signal,
        retryMs: io.pace.retryMs,
        note: (text) => out.note(`note: ${text}`),
      })
      return api
    },
  }
  try {
    return await command.run(invocation)
  } finally {
    api?.close()
  }
}

const flagsReadInput = ({ options }: Command, flags: Flags) =>
  options.some(
    ({ name, value }) => value === 'FILE' && name !== 'token-file' && flags.all(name).includes('-'),
  )

function print(io: Io, lines: readonly string[]): number {
  io.stdout.write(`${lines.join('\n')}\n`)
  return EXIT.ok
}

/** Says on standard error what went wrong and what to do next. */
function tell(error: unknown, io: Io): number {
  const { bad, dim } = paint(wantsColour(io.stderr, io.env))
  const say = (message: string, hint?: string) => {
    // A terminal has just shown ^C where the message would begin.
    if (io.signal.aborted && io.stderr.isTTY) io.stderr.write('\n')
    io.stderr.write(
      `${bad('firn:')} ${visible(message)}\n${hint === undefined ? '' : `${dim(`  ${visible(hint)}`)}\n`}`,
    )
  }
  if (error instanceof Failure) {
    say(error.message, error.hint)
    return error.exit
  }
  if (error instanceof Interrupted) {
    say(error.message)
    return error.exit
  }
  const unexpected = error instanceof Error ? error : new Error(String(error))
  say(`unexpected: ${unexpected.message}`, 'this is a bug; FIRN_DEBUG=1 shows where')
  if (io.env['FIRN_DEBUG']) io.stderr.write(`${visible(unexpected.stack ?? '').replaceAll('\\n', '\n')}\n`)
  return EXIT.failed
}
