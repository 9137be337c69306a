import type { Readable } from 'node:stream'

export interface OutputLine {
  /** The name that the source was given. */
  readonly source: string
  /** Without its line end; bytes that are not UTF-8 are replaced. */
  readonly text: string
  /** The line was longer than the cap: the rest of it is gone. */
  readonly cut: boolean
}

type Line = Omit<OutputLine, 'source'>

/** Cuts a byte stream into lines, holding at most `maxBytes` of an unfinished one. */
export class LineSplitter {
  readonly #maxBytes: number
  #parts: Buffer[] = []
  #held = 0
  #cut = false

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  *feed(chunk: Buffer): Generator<Line> {
    let from = 0
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, from)) {
      this.#hold(chunk.subarray(from, at))
      yield this.#take()
      from = at + 1
    }
    this.#hold(chunk.subarray(from))
  }

  /** The last line, when the stream did not end in a line end. */
  *end(): Generator<Line> {
    if (this.#held > 0) yield this.#take()
  }

  #hold(bytes: Buffer): void {
    const room = this.#maxBytes - this.#held
    if (bytes.length > room) this.#cut = true
    const kept = bytes.subarray(0, room)
    if (kept.length === 0) return
    this.#parts.push(kept)
    this.#held += kept.length
  }

  #take(): Line {
    const whole = this.#parts.length === 1 ? this.#parts[0] : Buffer.concat(this.#parts)
    const text = (whole ?? Buffer.alloc(0)).toString('utf8')
    const line = { text: text.endsWith('\r') ? text.slice(0, -1) : text, cut: this.#cut }
    this.#parts = []
    this.#held = 0
    this.#cut = false
    return line
  }
}

export type Followed = AsyncGenerator<OutputLine, void, undefined> & {
  /** Reads on to the end without keeping anything; for a reader that never starts, whom `return` would not reach. */
  discard(): void
}

/** How many lines wait between a child and its reader before the child has to wait, too. */
const queueMax = 256

/**
 * The lines of several streams as they come. Reading starts with the call, since Node throws away what a child that has
 * ended wrote to a stream without a reader. A slow reader slows the writers down. Ends when all streams have ended or
 * failed. A reader that leaves early leaves the streams drained, not closed: a tool that is told to stop must not die of
 * a broken pipe while it tidies up.
 */
export function follow(
  sources: readonly { readonly name: string; readonly stream: Readable }[],
  maxLineBytes: number,
): Followed {
  const queue: OutputLine[] = []
  let open = sources.length
  let discarding = false
  let wakeReader = (): void => {}
  const wakeWriters: (() => void)[] = []

  async function pump(name: string, stream: Readable): Promise<void> {
    const splitter = new LineSplitter(maxLineBytes)
    const pass = async (lines: Iterable<Line>): Promise<void> => {
      for (const line of lines) {
        if (discarding) return
        queue.push({ source: name, ...line })
        wakeReader()
        if (queue.length >= queueMax) await new Promise<void>((go) => wakeWriters.push(go))
      }
    }
    try {
      for await (const chunk of stream) await pass(splitter.feed(chunk as Buffer))
    } catch {
      // A stream that breaks has ended; the exit code of its process says why.
    }
    await pass(splitter.end())
    open--
    wakeReader()
  }

  async function* read(): AsyncGenerator<OutputLine, void, undefined> {
    try {
      for (;;) {
        for (let line = queue.shift(); line !== undefined; line = queue.shift()) {
          if (queue.length < queueMax / 2) for (const go of wakeWriters.splice(0)) go()
          yield line
        }
        if (open === 0) return
        await new Promise<void>((wake) => (wakeReader = wake))
      }
    } finally {
      discard()
    }
  }

  function discard(): void {
    discarding = true
    queue.length = 0
    for (const go of wakeWriters.splice(0)) go()
  }

  for (const { name, stream } of sources) void pump(name, stream)
  return Object.assign(read(), { discard })
}
