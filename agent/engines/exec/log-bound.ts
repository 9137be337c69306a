import type { LogLine } from '../../ports/engine.ts'

/** What of a command's output goes to the log: its beginning, and its last lines, where errors are. */
const headLinesMax = 2_000
const headBytesMax = 1_000_000
const tailLinesMax = 100

/** Passes the beginning of a flood on, keeps its end, and counts what lies between. */
export class BoundedLog {
  readonly #log: (line: LogLine) => void
  readonly #tail: LogLine[] = []
  #lines = 0
  #bytes = 0
  #dropped = 0

  constructor(log: (line: LogLine) => void) {
    this.#log = log
  }

  add(line: LogLine): void {
    this.#lines++
    this.#bytes += line.text.length
    if (this.#lines <= headLinesMax && this.#bytes <= headBytesMax) return this.#log(line)
    this.#tail.push(line)
    if (this.#tail.length <= tailLinesMax) return
    this.#tail.shift()
    this.#dropped++
  }

  /** After the last line. */
  end(): void {
    if (this.#dropped > 0)
      this.#log({
        level: 'warn',
        stream: 'agent',
        text: `${this.#dropped} lines of output are left out here`,
      })
    for (const line of this.#tail) this.#log(line)
  }
}
