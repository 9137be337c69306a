// What `--help` prints, from the table of commands.
import type { Command, Launcher } from './command.ts'
import type { Option } from './option.ts'
import { closest, GLOBAL_OPTIONS } from './parse.ts'
import { details } from './render/table.ts'

/** What the help needs to know of a command. */
export type Described = Omit<Command, 'run'> | Omit<Launcher, 'launch'>

/** Groups of commands in the order of the overview. */
export const GROUPS: readonly (readonly [title: string, names: readonly string[]])[] = [
  ['Run Firn', ['up', 'server', 'agent', 'demo']],
  ['Plan and start work', ['job', 'session']],
  ['Follow work', ['run', 'set', 'events']],
  ['Use backups', ['backup']],
  ['Administer', ['client', 'instance', 'token']],
  ['This command line', ['config', 'whoami', 'completion']],
]

/** The first word of a command's name. */
export const groupOf = ({ name }: Described): string => name.split(' ')[0] ?? name

/** `firn --help`. */
export function overview(commands: readonly Described[]): string[] {
  const lines = GROUPS.flatMap(([title, names]) => [
    `${title}:`,
    ...indent(details(names.flatMap((name) => summariesOf(commands, name)))),
    '',
  ])
  return [
    'firn: coordinated backup of many nodes as one set, restored by one command',
    '',
    'usage: firn COMMAND [ARGUMENTS] [OPTIONS]',
    '',
    ...lines,
    'firn COMMAND --help tells more. Options for every command:',
    ...indent(optionLines(GLOBAL_OPTIONS)),
  ]
}

function summariesOf(commands: readonly Described[], group: string): [string, string][] {
  const members = commands.filter((command) => groupOf(command) === group)
  const [only] = members
  if (only?.name === group) return members.map(({ name, summary }) => [name, summary])
  return [[group, members.map(({ name }) => name.slice(group.length + 1)).join(', ')]]
}

/** `firn GROUP --help`. */
export function groupHelp(commands: readonly Described[], group: string): string[] {
  const members = commands.filter((command) => groupOf(command) === group)
  return [
    `usage: firn ${group} COMMAND [ARGUMENTS] [OPTIONS]`,
    '',
    ...indent(details(members.map(({ name, summary }) => [name, summary]))),
    '',
    `firn ${group} COMMAND --help tells more.`,
  ]
}

/** `firn COMMAND --help`. */
export function commandHelp(command: Described): string[] {
  const { summary, details: more, args, options, examples } = command
  return [
    `${summary}.`,
    '',
    `usage: ${usageLine(command)}`,
    ...(more === undefined ? [] : ['', more]),
    ...(args.length === 0
      ? []
      : ['', 'Arguments:', ...indent(details(args.map((it) => [it.name, it.help])))]),
    ...(options.length === 0 ? [] : ['', 'Options:', ...indent(optionLines(options))]),
    '',
    'Examples:',
    ...examples.flatMap(([line, does]) => [`  # ${does}`, `  ${line}`]),
    ...('run' in command ? ['', 'firn --help lists the options for every command.'] : []),
  ]
}

/** `firn session start SESSION [--wait]`. */
export function usageLine({ name, args, options }: Described): string {
  const words = args.map(({ name, optional, repeats }) => {
    const word = repeats === true ? `${name}...` : name
    return optional === true ? `[${word}]` : word
  })
  const flags = options.map((option) => {
    const shown = option.value === undefined ? flagOf(option) : `${flagOf(option)} ${option.value}`
    return option.required === true ? shown : `[${shown}]${option.repeats === true ? '...' : ''}`
  })
  return ['firn', name, ...words, ...flags].join(' ')
}

const flagOf = ({ name, short }: Option) => (short === undefined ? `--${name}` : `-${short}`)

function optionLines(options: readonly Option[]): string[] {
  return details(options.map((option) => [optionNames(option), optionHelp(option)]))
}

/** `-o, --output FORMAT`. */
export const optionNames = ({ name, short, value }: Option): string =>
  `${short === undefined ? '' : `-${short}, `}--${name}${value === undefined ? '' : ` ${value}`}`

/** What an option does, and how often and whether it must be given. */
export function optionHelp({ help, required, repeats }: Option): string {
  const marks = [required === true ? 'needed' : '', repeats === true ? 'may be repeated' : '']
  const shown = marks.filter((it) => it !== '').join(', ')
  return shown === '' ? help : `${help} (${shown})`
}

const indent = (lines: readonly string[]) => lines.map((line) => (line === '' ? '' : `  ${line}`))

/** What to say when words call no command: the problem, and what was probably meant. */
export function unknownCommand(commands: readonly Described[], words: readonly string[]): [string, string] {
  const [group = '', verb] = words
  const members = commands.filter((command) => groupOf(command) === group)
  if (members.length > 0 && verb !== undefined) {
    const verbs = members.map(({ name }) => name.slice(group.length + 1))
    return [`firn ${group} has no command "${verb}"`, meant(verb, verbs) ?? `it has: ${verbs.join(', ')}`]
  }
  const groups = [...new Set(commands.map(groupOf))]
  return [`there is no command "${group}"`, meant(group, groups) ?? 'firn --help lists them']
}

function meant(word: string, candidates: readonly string[]): string | undefined {
  const near = closest(word, candidates)
  return near === undefined ? undefined : `did you mean ${near}?`
}
