// One process of a stack.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, fstatSync, openSync, readFileSync, renameSync, statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { processStat } from '../../agent/engines/process/proc.ts'
import { Problem } from './problem.ts'
import type { ProcessName } from './processes.ts'

export type Kind = 'etcd' | 'nats' | 'server' | 'agent'

/** How a process is started, and how to see that it is ready. */
export interface Recipe {
  readonly name: string
  readonly kind: Kind
  readonly file: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** Another user, when the caller may do that. */
  readonly uid?: number
  /** Its output goes to the end of this file. */
  readonly log: string
  /** Before each start. */
  prepare?(): Promise<void>
  /** Whether it takes work. Called until it does; a failure means not yet. `sinceMs`: when it was started, Unix time. */
  isReady(sinceMs: number): Promise<boolean>
  /** How long SIGTERM may take before SIGKILL. Milliseconds. */
  readonly stopMs: number
}

/** How a process ended by itself. */
export interface Crash {
  readonly process: StackProcess
  /** `exit code 1`, `SIGKILL`. */
  readonly how: string
  /** The last lines that it wrote. */
  readonly tail: readonly string[]
}

/** How long a start may take on a machine that is slow and busy. Milliseconds. */
const readyMsMax = 120_000
const lookEveryMs = 25
/** What SIGKILL may take. Milliseconds. */
const killMsMax = 5_000
/** A log that has grown so large is set aside when its process starts. Bytes. */
const logMax = 16 * 1024 * 1024
const tailLines = 12

/** A process that can be killed and started again; data and ports stay. */
export class StackProcess {
  readonly name: string
  readonly kind: Kind
  /** The file that it writes to. */
  readonly log: string
  readonly #recipe: Recipe
  readonly #changed: () => void
  readonly #crashed: (crash: Crash) => void
  #child: ChildProcess | undefined
  #startTime = ''
  /** Where in the log its last start begins. Bytes. */
  #logFrom = 0
  #isStopping = false

  constructor(recipe: Recipe, changed: () => void, crashed: (crash: Crash) => void) {
    this.name = recipe.name
    this.kind = recipe.kind
    this.log = recipe.log
    this.#recipe = recipe
    this.#changed = changed
    this.#crashed = crashed
  }

  /** undefined while it does not run. */
  get pid(): number | undefined {
    return this.isRunning ? this.#child?.pid : undefined
  }

  get isRunning(): boolean {
    return this.#child !== undefined && !hasEnded(this.#child)
  }

  /** Pid and start time; undefined while it does not run. */
  get identity(): ProcessName | undefined {
    const { pid } = this
    return pid === undefined ? undefined : { pid, startTime: this.#startTime }
  }

  /** The last lines that it wrote since its last start. */
  tail(lines = tailLines): string[] {
    try {
      const text = readFileSync(this.log).subarray(this.#logFrom).toString('utf8').trimEnd()
      return text === '' ? [] : text.split('\n').slice(-lines)
    } catch {
      return []
    }
  }

  /**
   * Starts it and waits until it is ready. Does nothing while it runs. Throws a Problem when it ends or does not get
   * ready, and the signal's reason when that aborts.
   */
  async start(signal?: AbortSignal): Promise<void> {
    if (this.isRunning) return
    await this.#recipe.prepare?.()
    signal?.throwIfAborted()
    const sinceMs = Date.now()
    const child = this.#spawn()
    await this.#untilReady(child, sinceMs, signal)
    // Before it was ready, its end is a failed start; from now on it is a crash.
    const ended = (): void => {
      this.#changed()
      if (this.#isStopping || this.#child !== child) return
      this.#crashed({ process: this, how: howOf(child), tail: this.tail() })
    }
    if (hasEnded(child)) ended()
    else child.once('exit', ended)
  }

  /** Sends a signal, as a fault does: its end is then a crash. SIGSTOP freezes it, SIGCONT lets it go on. */
  kill(signal: NodeJS.Signals): void {
    this.#child?.kill(signal)
  }

  /** Kills it as a crash does, and waits for its end. No crash is told. */
  async crash(): Promise<void> {
    await this.stop('SIGKILL')
  }

  /** Asks it to end, and makes it end when that takes too long. Resolves when it is gone. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#child
    if (child === undefined || hasEnded(child)) return
    this.#isStopping = true
    try {
      child.kill(signal)
      child.kill('SIGCONT')
      if (await endsWithin(child, this.#recipe.stopMs)) return
      child.kill('SIGKILL')
      await endsWithin(child, killMsMax)
    } finally {
      this.#isStopping = false
    }
  }

  #spawn(): ChildProcess {
    const { file, args, env, uid, log } = this.#recipe
    setAside(log)
    const output = openSync(log, 'a', 0o600)
    this.#logFrom = fstatSync(output).size
    try {
      const child = spawn(file, args, {
        stdio: ['ignore', output, output],
        env,
        // In a group of its own: Ctrl-C at the terminal is for the launcher, which ends the parts in order.
        detached: true,
        cwd: '/',
        ...(uid === undefined ? {} : { uid, gid: uid }),
      })
      child.on('error', () => {})
      this.#child = child
      this.#startTime = child.pid === undefined ? '' : (processStat(child.pid)?.startTime ?? '')
      this.#changed()
      return child
    } finally {
      closeSync(output)
    }
  }

  async #untilReady(child: ChildProcess, sinceMs: number, signal: AbortSignal | undefined): Promise<void> {
    const giveUpAt = performance.now() + readyMsMax
    while (!(await this.#recipe.isReady(sinceMs).catch(() => false))) {
      signal?.throwIfAborted()
      if (hasEnded(child) || child.pid === undefined)
        throw new Problem(`${this.name} does not start (${howOf(child)})`, this.tail())
      if (performance.now() > giveUpAt) {
        await this.stop()
        throw new Problem(`${this.name} is not ready after ${readyMsMax / 1000} s`, this.tail())
      }
      await sleep(lookEveryMs)
    }
  }
}

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null

const howOf = ({ exitCode, signalCode }: ChildProcess): string =>
  signalCode ?? (exitCode === null ? 'it cannot be run' : `exit code ${exitCode}`)

async function endsWithin(child: ChildProcess, ms: number): Promise<boolean> {
  if (hasEnded(child)) return true
  await once(child, 'exit', { signal: AbortSignal.timeout(ms) }).catch(() => undefined)
  return hasEnded(child)
}

function setAside(log: string): void {
  try {
    if (statSync(log).size > logMax) renameSync(log, `${log}.1`)
  } catch {
    // There is none yet.
  }
}
