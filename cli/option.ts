// What a command takes, as its table entry says it.

/** A `--name` of a command. */
export interface Option {
  readonly name: string
  /** One letter. */
  readonly short?: string
  /** What stands for its value in the help; without it the option is a switch. */
  readonly value?: string
  readonly choices?: readonly string[]
  readonly required?: boolean
  /** May be given more than once. */
  readonly repeats?: boolean
  readonly help: string
}

/** A word after the command. */
export interface Argument {
  readonly name: string
  readonly help: string
  readonly optional?: boolean
  /** Only the last argument may. */
  readonly repeats?: boolean
}
