// Turns words into a command, its arguments and its options.
import type { Command, Launcher } from './command.ts'
import type { Argument, Option } from './option.ts'
import { usage } from './failure.ts'

/** Options that every command takes. */
export const GLOBAL_OPTIONS: readonly Option[] = [
  { name: 'server', value: 'URL', help: 'the server, e.g. http://127.0.0.1:9090' },
  {
    name: 'token',
    value: 'TOKEN',
    help: 'the token; other users of this machine can see it, --token-file is safer',
  },
  { name: 'token-file', value: 'FILE', help: 'a file that holds the token; - reads standard input' },
  { name: 'context', value: 'NAME', help: 'the context of the configuration file to use' },
  {
    name: 'output',
    short: 'o',
    value: 'FORMAT',
    choices: ['table', 'wide', 'json', 'jsonl', 'yaml', 'name'],
    help: 'how to print: table, wide, json, jsonl, yaml or name',
  },
  { name: 'timeout', value: 'TIME', help: 'how long a request may take, e.g. 30s (the default) or 2m' },
  { name: 'no-color', help: 'print without colours; so does the environment variable NO_COLOR' },
  { name: 'help', short: 'h', help: 'show how to use the command' },
]

/** Words as a command's arguments and options. */
export interface Parsed {
  readonly args: Readonly<Record<string, readonly string[]>>
  readonly options: ReadonlyMap<string, readonly string[]>
  readonly help: boolean
}

/** The command that words call, and the words besides its name; without one, what they named as far as it is known. */
export type Found<C> =
  | { readonly is: 'command'; readonly command: C; readonly rest: string[] }
  | { readonly is: 'none'; readonly words: readonly string[]; readonly help: boolean }

/** Finds the command in a command line. Options for all commands may stand before it. */
export function findCommand<C extends Command | Launcher>(
  commands: readonly C[],
  argv: readonly string[],
): Found<C> {
  const words: string[] = []
  const places: number[] = []
  let found: Found<C> | undefined
  for (let at = 0; at < argv.length && words.length < 2; at++) {
    const word = argv[at] ?? ''
    if (word === '--') break
    if (word.startsWith('-') && word !== '-') {
      if (takesNextWord(word)) at++
      continue
    }
    words.push(word)
    places.push(at)
    const command = commands.find(({ name }) => name === words.join(' '))
    // The longer name counts: `agent enrol` is not `agent` with an argument.
    if (command !== undefined) found = { is: 'command', command, rest: without(argv, places) }
  }
  if (found !== undefined) return found
  const help = argv.some((word) => word === '--help' || word === '-h')
  return { is: 'none', words, help }
}

const without = (argv: readonly string[], places: readonly number[]) =>
  argv.filter((_, place) => !places.includes(place))

function takesNextWord(word: string): boolean {
  const option = GLOBAL_OPTIONS.find(({ name, short }) => word === `--${name}` || word === `-${short}`)
  return option?.value !== undefined
}

/** Reads a command's words. Throws Failure that names what is wrong with which of them. */
export function parse(command: Command | Launcher, words: readonly string[]): Parsed {
  const options = [...command.options, ...GLOBAL_OPTIONS]
  const values = new Map<string, string[]>()
  const given: string[] = []
  const queue = [...words]
  for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
    if (word === '--') given.push(...queue.splice(0))
    else if (word === '-' || !word.startsWith('-')) given.push(word)
    else takeOption(word, queue, options, values, command)
  }
  const help = values.has('help')
  if (!help) {
    for (const { name, required } of command.options)
      if (required === true && !values.has(name)) throw mistake(command, `--${name} is needed`)
  }
  return { args: help ? {} : takeArguments(command, given), options: values, help }
}

function takeOption(
  word: string,
  queue: string[],
  options: readonly Option[],
  values: Map<string, string[]>,
  command: Command | Launcher,
): void {
  const { shown, option, inline, more } = split(word, options)
  if (option === undefined) {
    const near = closest(
      shown,
      options.map(({ name }) => `--${name}`),
    )
    throw mistake(
      command,
      `there is no option ${shown}${near === undefined ? '' : `; did you mean ${near}?`}`,
    )
  }
  if (option.value === undefined) {
    if (inline !== undefined) throw mistake(command, `${shown} takes no value`)
    if (more !== undefined) queue.unshift(`-${more}`)
    values.set(option.name, ['true'])
    return
  }
  const value = inline ?? more ?? queue.shift()
  // A forgotten value would otherwise swallow the option after it.
  const looksForgotten = inline === undefined && more === undefined && /^-./.test(value ?? '')
  if (value === undefined || looksForgotten)
    throw mistake(command, `${shown} needs a value: ${shown} ${option.value}`)
  if (option.choices !== undefined && !option.choices.includes(value))
    throw mistake(command, `${shown}: "${value}" is none of ${option.choices.join(', ')}`)
  const earlier = values.get(option.name) ?? []
  values.set(option.name, option.repeats === true ? [...earlier, value] : [value])
}

/** `--name=value`, `--name`, `-n`, `-nvalue`. */
function split(word: string, options: readonly Option[]) {
  if (word.startsWith('--')) {
    const equals = word.indexOf('=')
    const shown = equals < 0 ? word : word.slice(0, equals)
    const option = options.find(({ name }) => `--${name}` === shown)
    return { shown, option, inline: equals < 0 ? undefined : word.slice(equals + 1), more: undefined }
  }
  const shown = word.slice(0, 2)
  const option = options.find(({ short }) => short !== undefined && `-${short}` === shown)
  const more = word.length > 2 ? word.slice(2).replace(/^=/, '') : undefined
  return { shown, option, inline: undefined, more }
}

function takeArguments(
  command: Command | Launcher,
  given: readonly string[],
): Record<string, readonly string[]> {
  const rest = [...given]
  const taken = command.args.map((arg: Argument) => {
    const values = arg.repeats === true ? rest.splice(0) : rest.splice(0, 1)
    if (values.length === 0 && arg.optional !== true)
      throw mistake(command, `${arg.name} is missing: ${arg.help}`)
    return [arg.name, values] as const
  })
  if (rest[0] !== undefined) throw mistake(command, `"${rest[0]}" is one word too many`)
  return Object.fromEntries(taken)
}

const mistake = (command: Command | Launcher, message: string) =>
  usage(message, `how to use it: firn ${command.name} --help`)

/** The candidate that a word was probably meant to be: at most two letters away, or one that it begins. */
export function closest(word: string, candidates: readonly string[]): string | undefined {
  const ranked = candidates
    .map((candidate) => ({
      candidate,
      far: candidate.startsWith(word) && word.length > 2 ? 1 : distance(word, candidate),
    }))
    .toSorted((a, b) => a.far - b.far)
  const [best] = ranked
  return best !== undefined && best.far <= 2 && best.far < word.length ? best.candidate : undefined
}

/** Letters to insert, drop or change. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1]
    for (let j = 0; j < b.length; j++) {
      const change = (row[j] ?? 0) + (a[i] === b[j] ? 0 : 1)
      next.push(Math.min(change, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}
