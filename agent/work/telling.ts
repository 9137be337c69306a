import type { Decided } from '../../core/autonomy.ts'
import type { Clock } from '../../core/clock.ts'
import type { ToServer } from '../../core/link.ts'

type Say = (message: Extract<ToServer, { type: 'decided' | 'settled' }>) => void

/** What has no answer is said again after this, then after twice as long, up to the most. Milliseconds: a server writes it down first. */
const againMs = 5_000
const againMostMs = 60_000

/**
 * Tells a server, one message after the other, what was decided without any; each until it is noted. Numbers grow over the
 * whole life of the process, so that an answer that comes late is never taken for another's.
 */
export class Telling {
  readonly #clock: Clock
  readonly #send: Say
  #sequence = 0
  #waiting: { readonly sequence: number; readonly noted: () => void } | undefined

  constructor(clock: Clock, send: Say) {
    this.#clock = clock
    this.#send = send
  }

  /** Resolves when it is noted; rejects when the signal aborts. Without a page: that there are no more. */
  async tell(page: Omit<Decided, 'sequence'> | undefined, signal: AbortSignal): Promise<void> {
    const sequence = ++this.#sequence
    const noted = new AbortController()
    this.#waiting = { sequence, noted: () => noted.abort() }
    const ends = AbortSignal.any([signal, noted.signal])
    for (let pauseMs = againMs; !noted.signal.aborted; pauseMs = Math.min(2 * pauseMs, againMostMs)) {
      signal.throwIfAborted()
      this.#send(page ? { type: 'decided', decided: { ...page, sequence } } : { type: 'settled', sequence })
      await this.#clock.sleep(pauseMs, ends).catch(() => undefined)
    }
  }

  noted(sequence: number): void {
    if (this.#waiting?.sequence === sequence) this.#waiting.noted()
  }
}
