import type { Clock } from '../core/clock.ts'
import type { ToAgent, ToServer } from '../core/link.ts'
import { identityDir, keepCredentials } from './enrol.ts'
import type { Recorder } from './ports/events.ts'
import { makeCsr } from './security/csr.ts'
import { caFingerprint, renewalDue, storeIdentity, type Identity } from './security/identity.ts'

/** How often the agent looks whether its certificate is due. Milliseconds: a renewal that failed is tried again so often. */
const lookMs = 3_600_000
/** When it is due and no line is open, as at each start: it is asked for soon after. Milliseconds. */
const soonMs = 10_000

export interface RenewalParts {
  readonly stateDir: string
  readonly clock: Clock
  readonly record: Recorder
  readonly send: (message: Extract<ToServer, { type: 'renew' }>) => boolean
  readonly useCredentials: (text: string) => void
}

/**
 * Keeps the agent's certificate and NATS credentials from running out: asks for new ones over the line at two thirds of
 * their time, keeps them on disk, and uses them from the next connection on.
 */
export class Renewal {
  readonly #parts: RenewalParts
  #identity: Identity

  constructor(identity: Identity, parts: RenewalParts) {
    this.#identity = identity
    this.#parts = parts
  }

  get identity(): Identity {
    return this.#identity
  }

  /** Asks when it is due, now and every hour, until the signal aborts. */
  async keepUp(signal: AbortSignal): Promise<void> {
    const { clock, record } = this.#parts
    while (!signal.aborted) {
      const done = await this.#askIfDue().catch((err: unknown) => {
        record('bug', { err, where: 'renewal' })
        return true
      })
      await clock.sleep(done ? lookMs : soonMs, signal).catch(() => undefined)
    }
  }

  /** False when it is due and no server could be asked. */
  async #askIfDue(): Promise<boolean> {
    const { clock, send } = this.#parts
    if (clock.now() < renewalDue(this.#identity)) return true
    return send({ type: 'renew', csr: await makeCsr(this.#identity.key) })
  }

  /** What a server answered. A certificate that is not ours or not from our CA is refused, and nothing is kept. */
  async renewed(message: Extract<ToAgent, { type: 'renewed' }>): Promise<void> {
    const { stateDir, record, useCredentials } = this.#parts
    try {
      const before = this.#identity
      const after = await storeIdentity(identityDir(stateDir), message, caFingerprint(before))
      if (after.project !== before.project || after.client !== before.client)
        return record('certificate.refused', { why: 'it names another client' })
      this.#identity = after
      await keepCredentials(stateDir, message.natsCredentials)
      useCredentials(message.natsCredentials)
      record('certificate.renewed', { notAfter: new Date(after.notAfter).toISOString() })
    } catch (error) {
      record('certificate.refused', { why: error instanceof Error ? error.message : String(error) })
    }
  }
}
