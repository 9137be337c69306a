import type { Child, Exit } from '../process/child.ts'
import { resticLadder } from '../process/ladder.ts'
import { follow, type Followed, type OutputLine } from '../process/lines.ts'
import { bytesReadBy } from '../process/proc.ts'
import { StallWatch } from '../process/stall.ts'
import { codeOfText, failureOf, type Failure } from './failures.ts'
import { parseLine, type ResticMessage } from './messages.ts'
import { redactor } from './redact.ts'
import type { ToolContext } from '../../ports/engine.ts'
import type { Call } from './call.ts'

export interface SessionEnd {
  readonly exit: Exit
  /** Absent after exit code 0. Of exit code 3 the caller knows better. */
  readonly failure?: Failure
}

/** Lines of stderr that are remembered for the reason of a failure. */
const saidMax = 50
/** Longest line that goes to the log. Characters. */
const logLengthMax = 4_096
/** Bytes read by restic below this are its own housekeeping, not work. */
const readingStep = 64 * 1024

/** A running restic command: its lines, its stop by signal, by stall or by its reader leaving, and its end. */
export class Session implements AsyncDisposable {
  readonly #child: Child
  readonly #context: ToolContext
  readonly #lines: Followed
  readonly #watch: StallWatch
  readonly #stallMs: number
  readonly #listening: Disposable
  readonly #redact: (text: string) => string
  readonly #onUnclean: () => void
  readonly #said: string[] = []
  #stalled = false
  #ended = false

  constructor(child: Child, call: Call, context: ToolContext, maxLineBytes: number, onUnclean: () => void) {
    this.#child = child
    this.#context = context
    this.#stallMs = call.stallMs
    this.#redact = redactor(call.access)
    this.#onUnclean = onUnclean
    this.#lines = follow(child.outputs, maxLineBytes)
    this.#listening = child.stopOn(context.signal, resticLadder)
    this.#watch = new StallWatch(context.clock, call.stallMs)
    this.#watch.start(
      () => {
        this.#stalled = true
        void child.stop(resticLadder)
      },
      call.movement === 'reading' ? () => readingOf(child.pid) : undefined,
    )
  }

  /** The output as it comes. While the reader is busy with a line, the stall watch rests. */
  async *lines(): AsyncGenerator<OutputLine, void, undefined> {
    for await (const line of this.#lines) {
      this.#watch.hold()
      yield line
      this.#watch.release()
    }
  }

  /** A value that moves as long as the work does. */
  saw(value: unknown): void {
    this.#watch.saw(value)
  }

  /** What a line means. Text goes to the log, and what stderr says is kept for the reason of a failure. */
  note(line: OutputLine): ResticMessage {
    const message = parseLine(line.text)
    if (message.type === 'exit_error') this.#say(message.text)
    if (message.type !== 'text' || line.text.trim() === '') return message
    const text = this.#redact(line.text)
    const onStderr = line.source === 'stderr'
    if (onStderr) this.#say(line.text)
    const level = message.json ? 'debug' : onStderr ? 'warn' : 'info'
    this.#context.log({ level, stream: onStderr ? 'stderr' : 'stdout', text: text.slice(0, logLengthMax) })
    return message
  }

  /** Waits for the process after its lines have been read. Never rejects. */
  async end(): Promise<SessionEnd> {
    const exit = await this.#child.ended
    this.#ended = true
    const { signal } = this.#context
    if (signal.aborted || this.#stalled) await this.#child.stop(resticLadder)
    // Also after SIGINT: one that comes while restic writes its lock leaves it behind (seen with 0.14).
    if (this.#child.stoppedBy !== undefined || exit.is !== 'exited' || exit.code > 128) this.#onUnclean()
    if (exit.is === 'exited' && exit.code === 0) return { exit }
    if (signal.aborted) return { exit, failure: { code: 'cancelled', text: wordsOf(signal.reason) } }
    if (this.#stalled) {
      return { exit, failure: stallOf(this.#stallMs, this.#said) }
    }
    return { exit, failure: failureOf(exit, this.#said) }
  }

  /** Stops what still runs, and waits for it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#watch[Symbol.dispose]()
    this.#lines.discard()
    if (!this.#ended) {
      await this.#child.stop(resticLadder)
      await this.end()
    }
    this.#listening[Symbol.dispose]()
  }

  #say(text: string): void {
    this.#said.push(this.#redact(text).slice(0, 2_000))
    if (this.#said.length > saidMax) this.#said.shift()
  }
}

/** restic that tries an unreachable server again and again says so, and else nothing. */
function stallOf(stallMs: number, said: readonly string[]): Failure {
  const text = `restic did not get on for ${Math.round(stallMs / 1000)} s`
  const last = said.findLast((line) => codeOfText(line) === 'unreachable')
  return last === undefined
    ? { code: 'stalled', text }
    : { code: 'unreachable', text: `${text}: ${last.trim()}` }
}

const readingOf = (pid: number): number | undefined => {
  const bytes = bytesReadBy(pid)
  return bytes === undefined ? undefined : Math.floor(bytes / readingStep)
}

/** Why somebody asked for it to stop. */
export const wordsOf = (reason: unknown): string =>
  reason instanceof Error && reason.name !== 'AbortError' ? reason.message : 'stopped on request'
