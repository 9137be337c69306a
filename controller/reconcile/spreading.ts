import { later, monotonic, type Instant, type Monotonic } from '../../core/clock.ts'
import type { ServerId } from '../../core/ids.ts'
import { reliefOf } from '../plan/spread.ts'
import { scoped } from '../state/indexes.ts'
import type { Context } from '../use-cases/context.ts'
import type { LineBook } from './line-book.ts'

/** After servers or lines have changed they are left alone for so long: most of what is uneven then is on its way. Milliseconds. */
const settleMs = 5_000

/** Agents that are told to go do so within this time, each at a moment of its own. Milliseconds. */
const withinMs = 10_000

/** Looked at again only when those have gone and come to where they were sent. Milliseconds. */
const pauseMs = 15_000

/** At once: another server takes some hundred new ones a second. */
const movesMax = 500

/** Where all that hold still have something to do. Milliseconds. */
const busyMs = 300_000

/** An agent that came back is where it can be: nobody sends it away again for so long. Milliseconds. */
const stayMs = 3_600_000

export interface SpreadingOptions {
  readonly context: Pick<Context, 'state' | 'clock'>
  readonly lines: LineBook
  readonly server: ServerId
}

/**
 * Has some agents of a server that holds clearly more than its share go to those that hold less, a few hundred at a time. Who holds
 * how many is known from the clients' documents: nothing is written for it. Agents that have something to do are left alone.
 */
export class Spreading {
  readonly #options: SpreadingOptions
  /** When clients were told to go. */
  readonly #sentAway = new Map<string, Monotonic>()
  #notBefore: Monotonic | undefined

  constructor(options: SpreadingOptions) {
    this.#options = options
  }

  /** Resolves with when to look again, if ever. */
  async look(): Promise<Instant | undefined> {
    const { clock } = this.#options.context
    const { moves, to } = reliefOf({ own: this.#options.lines.size, others: this.#others() })
    if (moves === 0 || this.#isDraining()) {
      this.#notBefore = undefined
      return undefined
    }
    const now = clock.monotonic()
    this.#notBefore ??= monotonic(now + settleMs)
    if (now >= this.#notBefore) {
      const told = this.#send(Math.min(moves, movesMax), to, now)
      this.#notBefore = monotonic(now + (told > 0 ? pauseMs : busyMs))
    }
    return later(clock.now(), Math.ceil(this.#notBefore - now))
  }

  #send(count: number, addresses: readonly string[], now: Monotonic): number {
    for (const [key, at] of this.#sentAway) if (at + stayMs < now) this.#sentAway.delete(key)
    let told = 0
    for (const line of this.#options.lines.all()) {
      const key = scoped(line.project, line.client)
      if (told === count || this.#sentAway.has(key) || this.#isBusy(key)) continue
      this.#sentAway.set(key, now)
      line.send({ type: 'servers', addresses })
      line.send({ type: 'drain', withinMs })
      told++
    }
    return told
  }

  /** How many agents the other servers hold, by the address for agents. */
  #others(): Map<string, number> {
    const { context, server } = this.#options
    const others = [...context.state.all('server')].filter(
      ({ value }) => value.id !== server && !value.draining,
    )
    return new Map(
      others.map(({ value }) => [value.agents, context.state.countWhere('client', 'server', value.id)]),
    )
  }

  #isDraining(): boolean {
    const { context, server } = this.#options
    return context.state.get('server', '', server)?.value.draining === true
  }

  /** Whether it has a run that is open: a start that is being prepared keeps its clocks. */
  #isBusy(client: string): boolean {
    return this.#options.context.state.countWhere('run', 'openOfClient', client) > 0
  }
}
