/** Why a stack cannot be brought up or go on: one line, and what the process in question wrote last. */
export class Problem extends Error {
  override readonly name = 'Problem'
  /** The last lines of a log; empty when there is nothing to see there. */
  readonly tail: readonly string[]

  constructor(message: string, tail: readonly string[] = [], cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.tail = tail
  }
}
