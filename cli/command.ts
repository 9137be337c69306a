// What a command is: a value in a table. The parser, the help, the completion and docs/cli.md all read that table.
import type { Flags } from './flags.ts'
import type { Api } from './http.ts'
import type { Io } from './io.ts'
import type { Argument, Option } from './option.ts'
import type { Output } from './output.ts'
import type { Settings } from './settings.ts'

/** An example line and what it does. */
export type Example = readonly [line: string, does: string]

interface Described {
  /** One word, or a group and a verb: `job ls`. */
  readonly name: string
  /** One sentence without a full stop, in the imperative. */
  readonly summary: string
  /** More, for the help of this command alone. */
  readonly details?: string
  readonly args: readonly Argument[]
  readonly options: readonly Option[]
  readonly examples: readonly [Example, ...Example[]]
}

/** A command that talks to a server. `run` resolves with the exit code and throws a Failure. */
export interface Command extends Described {
  run(invocation: Invocation): Promise<number>
}

/** A command that takes its words itself: it launches a part of Firn. */
export interface Launcher extends Described {
  launch(args: string[], io: Io): Promise<number>
}

/** What a running command works with. */
export interface Invocation {
  readonly io: Io
  readonly flags: Flags
  /** The words after the command, by the names of its arguments. */
  readonly args: Readonly<Record<string, readonly string[]>>
  readonly out: Output
  readonly settings: Settings
  /** The token of the command line, or what `--token-file -` read. */
  readonly givenToken: string | undefined
  /** The server, as flags, environment and configuration say. Throws Failure. */
  readonly api: () => Api
}

/** The value of a required argument. */
export function argument({ args }: Invocation, name: string): string {
  const value = args[name]?.[0]
  if (value === undefined) throw new Error(`the command has no argument ${name}`)
  return value
}
