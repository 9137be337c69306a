// The launcher's side of the watchdog.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { chargeVariable, type Charge } from './charge.ts'

const program = fileURLToPath(new URL('watchdog.ts', import.meta.url))

/** How long a watchdog may take to see that nothing is left. Milliseconds; its own limit is shorter. */
const endMsMax = 6_000
/** A watchdog that died is replaced at once, but not so often, should it be unable to start. Milliseconds. */
const againMs = 200

/**
 * Keeps a watchdog in a session of its own that ends the stack when this process is gone. A watchdog that dies is
 * replaced; only when both are killed at one moment is nobody left, and then the next start on the same data cleans up.
 */
export class Guard {
  readonly #log: string
  #charge: Charge
  #child: ChildProcess
  #isOver = false

  /** `log`: a file for what the watchdog has to say, which should be nothing. */
  constructor(charge: Charge, log: string) {
    this.#charge = charge
    this.#log = log
    this.#child = this.#start()
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Replaces what the watchdog would end. */
  tell(charge: Charge): void {
    this.#charge = charge
    this.#child.stdin?.write(`${JSON.stringify(charge)}\n`)
  }

  /** Lets the watchdog make sure that nothing is left, and waits for that. */
  async end(): Promise<void> {
    this.#isOver = true
    const child = this.#child
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit', { signal: AbortSignal.timeout(endMsMax) }).catch(() => undefined)
    child.ref()
    child.stdin?.end()
    await ended
  }

  #start(): ChildProcess {
    const log = openSync(this.#log, 'a', 0o600)
    const startedAt = performance.now()
    const child = spawn(process.execPath, [program], {
      stdio: ['pipe', log, log],
      // From its first moment it knows what to do, even if this process has no other.
      env: { ...process.env, [chargeVariable]: JSON.stringify(this.#charge) },
      detached: true,
      cwd: '/',
    })
    closeSync(log)
    child.unref()
    // What is written to one that has just died is written again to the next.
    child.stdin?.on('error', () => {})
    child.on('error', () => {})
    child.once('exit', () => {
      if (this.#isOver) return
      const again = (): void => {
        if (!this.#isOver) this.#child = this.#start()
      }
      if (performance.now() - startedAt > againMs) again()
      else setTimeout(again, againMs).unref()
    })
    return child
  }
}
