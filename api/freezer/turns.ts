/** A turn of long work keeps the process to itself for no longer than this. Milliseconds. */
const turnMs = 3

/**
 * Lets long pieces of work go on in turns, one turn in each round of the event loop however many there are, so that
 * requests in between are answered.
 */
class Turns {
  readonly #waiting: (() => void)[] = []
  #until = 0

  /** Whether the present turn is over. */
  get isOver(): boolean {
    return performance.now() >= this.#until
  }

  /** Resolves when it is the caller's turn. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      if (this.#waiting.length === 1) setImmediate(this.#serve)
    })
  }

  readonly #serve = (): void => {
    this.#until = performance.now() + turnMs
    this.#waiting.shift()?.()
    if (this.#waiting.length > 0) setImmediate(this.#serve)
  }
}

const turns = new Turns()

/**
 * Does something to its end: `step` goes on until nothing is left to do (true), or `isOver` says that its turn is over (false).
 * What is done before that is first asked needs no promise: little, for many may begin at once. `check` is asked before each
 * turn, and may throw.
 */
export function inTurns(
  step: (isOver: () => boolean) => boolean,
  check: () => void,
): undefined | Promise<void> {
  return step(() => true) ? undefined : goOn(step, check)
}

async function goOn(step: (isOver: () => boolean) => boolean, check: () => void): Promise<void> {
  do {
    await turns.next()
    check()
  } while (!step(() => turns.isOver))
}
