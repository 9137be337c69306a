import type { Command, Launcher } from '../command.ts'
import type { Option } from '../option.ts'
import { EXIT } from '../failure.ts'
import { GLOBAL_OPTIONS } from '../parse.ts'

/** The command that prints a completion script for the given commands and itself. */
export function completionCommand(others: readonly (Command | Launcher)[]): Command {
  const command: Command = {
    name: 'completion bash',
    summary: 'Print a script that completes commands and options in bash',
    args: [],
    options: [],
    examples: [['source <(firn completion bash)', 'Complete in this shell']],
    async run({ io }) {
      io.stdout.write(bashScript([...others, command]))
      return EXIT.ok
    },
  }
  return command
}

const flagsOf = (options: readonly Option[]) =>
  [...options, ...GLOBAL_OPTIONS]
    .flatMap(({ name, short }) => (short === undefined ? [`--${name}`] : [`--${name}`, `-${short}`]))
    .join(' ')

/** Words only: nothing of a server's answers reaches the shell. */
function bashScript(commands: readonly (Command | Launcher)[]): string {
  const groups = new Map<string, string[]>()
  for (const { name } of commands) {
    const [group = name, verb] = name.split(' ')
    groups.set(group, [...(groups.get(group) ?? []), ...(verb === undefined ? [] : [verb])])
  }
  const verbCases = [...groups].filter(([, verbs]) => verbs.length > 0)
  return [
    '_firn() {',
    '  local word="${COMP_WORDS[COMP_CWORD]}" words=""',
    '  local path="${COMP_WORDS[1]:-}"',
    '  if [[ $COMP_CWORD -eq 1 ]]; then',
    `    words="${[...groups.keys()].join(' ')}"`,
    '  else',
    '    case "$path" in',
    ...verbCases.map(([group, verbs]) => `      ${group}) words="${verbs.join(' ')}" ;;`),
    '    esac',
    '    [[ $COMP_CWORD -gt 2 ]] && words=""',
    '  fi',
    '  if [[ $word == -* ]]; then',
    '    case "$path ${COMP_WORDS[2]:-}" in',
    ...commands.map(({ name, options }) => `      "${name}"*) words="${flagsOf(options)}" ;;`),
    '    esac',
    '  fi',
    '  COMPREPLY=($(compgen -W "$words" -- "$word"))',
    '}',
    'complete -o default -F _firn firn',
    '',
  ].join('\n')
}
