import type { Option } from './option.ts'
import { usage } from './failure.ts'

/** The options that were given to a command. Asking for one that the command does not have is a bug, and throws. */
export class Flags {
  readonly #values: ReadonlyMap<string, readonly string[]>
  readonly #options: ReadonlyMap<string, Option>

  constructor(options: readonly Option[], values: ReadonlyMap<string, readonly string[]>) {
    this.#options = new Map(options.map((option) => [option.name, option]))
    this.#values = values
  }

  /** All values of an option, in their order. */
  all(name: string): readonly string[] {
    if (!this.#options.has(name)) throw new Error(`the command has no option --${name}`)
    return this.#values.get(name) ?? []
  }

  /** Whether it was given. */
  has(name: string): boolean {
    return this.all(name).length > 0
  }

  /** The last value given. */
  text(name: string): string | undefined {
    return this.all(name).at(-1)
  }

  /** The value of a required option: the parser has seen to it. */
  needed(name: string): string {
    const value = this.text(name)
    if (value === undefined) throw usage(`--${name} is needed`)
    return value
  }

  /** A whole number of at least `least`. */
  whole(name: string, least = 0): number | undefined {
    const value = this.text(name)
    if (value === undefined) return undefined
    const number = Number(value)
    if (/^\d+$/.test(value) && Number.isSafeInteger(number) && number >= least) return number
    throw usage(`--${name}: "${value}" is no whole number from ${least} on`)
  }

  /** A duration such as `90s`, `15m`, `12h`, `7d`; bare numbers are seconds. Answered in seconds. */
  seconds(name: string): number | undefined {
    const value = this.text(name)
    if (value === undefined) return undefined
    const [, digits, unit = 's'] = /^(\d{1,9})([smhd])?$/.exec(value) ?? []
    if (digits === undefined) throw usage(`--${name}: "${value}" is no duration such as 90s, 15m, 12h or 7d`)
    return Number(digits) * ({ s: 1, m: 60, h: 3600, d: 86_400 }[unit] ?? 1)
  }
}
