import { spawn, type ChildProcess } from 'node:child_process'
import fs from 'node:fs'
import type { Readable } from 'node:stream'
import type { Limits } from '../../../core/action.ts'
import type { Clock } from '../../../core/clock.ts'
import type { ChildLedger } from '../../ports/engine.ts'
import { defaultPath } from './environment.ts'
import { stopGroup, type Ladder } from './ladder.ts'
import { groupLives, processStat } from './proc.ts'
import { findProgram, priorityPrefix } from './program.ts'
import { secretFile } from './secret-file.ts'

export interface Launch {
  /** An absolute path, or a name to look for in the PATH of `env`. */
  readonly program: string
  readonly args: readonly string[]
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>
  /** Pipes of the caller's; absent: no input, and `stdout` and `stderr` as outputs of the child. */
  readonly pipes?: ChildPipes
  /** The child reads the first as /dev/fd/3, the second as /dev/fd/4 … */
  readonly secrets?: readonly string[]
  readonly limits?: Limits
}

/** Descriptors for the child, and the streams that this process reads of what it writes there. */
export interface ChildPipes {
  readonly stdin: number | 'ignore'
  readonly stdout: number
  readonly stderr: number
  readonly outputs: readonly Output[]
}

export interface Output {
  readonly name: string
  readonly stream: Readable
}

/** How a process ended. `abandoned`: not even SIGKILL ended it in time (it hangs in the kernel). */
export type Exit =
  | { readonly is: 'exited'; readonly code: number }
  | { readonly is: 'signalled'; readonly signal: NodeJS.Signals }
  | { readonly is: 'abandoned' }

export type Launched =
  | { readonly ok: true; readonly child: Child }
  /** `code`: ENOENT, EACCES, EAGAIN, ENOMEM, E2BIG … */
  | { readonly ok: false; readonly code: string; readonly text: string }

export interface ChildCare {
  readonly clock: Clock
  readonly children: ChildLedger
}

/**
 * Starts a program without a shell, in a process group of its own and in `/`, so that it holds no mount. Never throws:
 * a program that cannot be started is an answer. The ledger knows the child before anything is read from it; when the
 * ledger cannot be written, the child is killed, because nobody could find it after a crash.
 */
export async function launch(what: Launch, care: ChildCare): Promise<Launched> {
  const searchPath = what.env['PATH'] ?? defaultPath
  const found = findProgram(what.program, searchPath)
  if (!found.ok) return { ok: false, code: found.code, text: `${what.program} cannot be run (${found.code})` }
  const words = [...priorityPrefix(what.limits ?? {}, searchPath), found.file, ...what.args]
  const secrets: number[] = []
  try {
    for (const secret of what.secrets ?? []) secrets.push(secretFile(secret))
    return await started(words, what, secrets, care)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown'
    return { ok: false, code, text: `${what.program} cannot be started: ${(error as Error).message}` }
  } finally {
    for (const fd of secrets) fs.closeSync(fd)
  }
}

async function started(words: string[], what: Launch, secrets: number[], care: ChildCare): Promise<Launched> {
  const [file = '', ...args] = words
  const spawned = spawn(file, args, {
    cwd: '/',
    env: { ...what.env },
    detached: true,
    stdio: [
      what.pipes?.stdin ?? 'ignore',
      what.pipes?.stdout ?? 'pipe',
      what.pipes?.stderr ?? 'pipe',
      ...secrets,
    ],
  })
  const { pid } = spawned
  // Without a pid it has failed, and says why in the error event that follows.
  if (pid === undefined) throw await new Promise<Error>((resolve) => spawned.once('error', resolve))
  const child = new Child(spawned, pid, what.pipes?.outputs ?? outputsOf(spawned), care)
  try {
    care.children.started({ pid, startTime: processStat(pid)?.startTime ?? '', command: what.program })
  } catch (error) {
    await child.stop([{ signal: 'SIGKILL', waitMs: 5_000 }])
    throw error
  }
  return { ok: true, child }
}

function outputsOf({ stdout, stderr }: ChildProcess): Output[] {
  return [
    ...(stdout === null ? [] : [{ name: 'stdout', stream: stdout }]),
    ...(stderr === null ? [] : [{ name: 'stderr', stream: stderr }]),
  ]
}

/** How long those that a process leaves behind in its group may go on, and how long an output may stay open silently. */
const lingerMs = 2_000
const lookEveryMs = 100
const leftoverLadder: Ladder = [
  { signal: 'SIGTERM', waitMs: 1_000 },
  { signal: 'SIGKILL', waitMs: 1_000 },
]

/** A running child and its process group. */
export class Child {
  readonly pid: number
  /** What it writes, for `follow`. */
  readonly outputs: readonly Output[]
  /** The end of the process itself. Its outputs may still hold unread lines. Never rejects. */
  readonly ended: Promise<Exit>
  /** The hardest signal that `stop` needed. */
  stoppedBy: NodeJS.Signals | undefined

  readonly #care: ChildCare
  readonly #abandon: () => void
  #stopping: Promise<void> | undefined
  #over = false

  constructor(spawned: ChildProcess, pid: number, outputs: readonly Output[], care: ChildCare) {
    this.pid = pid
    this.outputs = outputs
    this.#care = care
    // An unheard error event would end the agent; what is wrong shows in the exit code.
    for (const emitter of [spawned, ...outputs.map(({ stream }) => stream)]) emitter.on('error', () => {})
    const { promise, resolve } = Promise.withResolvers<Exit>()
    this.ended = promise
    this.#abandon = () => resolve({ is: 'abandoned' })
    spawned.once('exit', (code, signal) => {
      resolve(signal === null ? { is: 'exited', code: code ?? -1 } : { is: 'signalled', signal })
      void this.#tidy().catch(() => {})
    })
  }

  /**
   * Stops the whole group by the ladder. Resolves when none of it is left, or at the ladder's end; a second call waits
   * for the first, and one after the end does nothing (the number may be another group's by then).
   */
  stop(ladder: Ladder): Promise<void> {
    this.#stopping ??= this.#over ? Promise.resolve() : this.#climb(ladder)
    return this.#stopping
  }

  /** Stops the group when the signal aborts, also when it has already. Disposing takes the listener off again. */
  stopOn(signal: AbortSignal, ladder: Ladder): Disposable {
    const stop = (): void => void this.stop(ladder)
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
    return { [Symbol.dispose]: () => signal.removeEventListener('abort', stop) }
  }

  async #climb(ladder: Ladder): Promise<void> {
    const { gone, signal } = await stopGroup(this.pid, ladder, this.#care.clock)
    this.stoppedBy = signal
    if (gone) return
    this.#abandon()
    for (const { stream } of this.outputs) stream.destroy()
  }

  /** After the process itself has ended: what it left in its group is stopped, and outputs that others hold are let go. */
  async #tidy(): Promise<void> {
    const { clock } = this.#care
    await this.#until(() => !groupLives(this.pid), lingerMs)
    if (groupLives(this.pid)) await stopGroup(this.pid, leftoverLadder, clock)
    this.#over = true
    this.#care.children.ended(this.pid)
    await Promise.all(this.outputs.map(({ stream }) => this.#letGo(stream)))
  }

  /** Closes an output that a process outside the group still holds: all is read, and nothing has come for a while. */
  async #letGo(output: Readable): Promise<void> {
    const seen = (): number => (output as Readable & { readonly bytesRead?: number }).bytesRead ?? 0
    while (!output.readableEnded && !output.destroyed) {
      const before = seen()
      const moved = await this.#until(
        () => output.closed || output.readableLength > 0 || seen() !== before,
        lingerMs,
      )
      if (!moved) output.destroy()
      else await this.#care.clock.sleep(lookEveryMs)
    }
  }

  async #until(done: () => boolean, limitMs: number): Promise<boolean> {
    const { clock } = this.#care
    const end = clock.monotonic() + limitMs
    while (!done()) {
      if (clock.monotonic() >= end) return false
      await clock.sleep(lookEveryMs)
    }
    return true
  }
}
