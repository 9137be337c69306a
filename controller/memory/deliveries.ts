import type { Clock } from '../../core/clock.ts'
import type { Delivery, ReportHandler } from '../ports/feed.ts'

type Message = Omit<Delivery, 'delivered'>

/** A message whose server was killed comes again after this, as with JetStream. Milliseconds. */
const ackWaitMs = 30_000
/** The first pause after a failed handling, and the longest. Milliseconds. */
const againMinMs = 250
const againMaxMs = 60_000

/** One server that takes messages. */
export interface Member {
  readonly open: boolean
  /** Takes no more, and resolves when what it has is handled. */
  leave(): Promise<void>
  /** Takes no more, and what it has is not taken as handled. */
  crash(): void
}

/** Hands each message to one of the members, again until one has handled it. */
export class Deliveries {
  readonly #clock: Clock
  readonly #members: Server[] = []
  readonly #waiting: { readonly message: Message; readonly delivered: number }[] = []
  #away = false
  #turn = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  setAway(away: boolean): void {
    this.#away = away
    this.#handOut()
  }

  add(message: Message): void {
    this.#waiting.push({ message, delivered: 1 })
    this.#handOut()
  }

  join(handle: ReportHandler, atOnce: number): Member {
    const server = new Server(handle, atOnce, () => this.#handOut())
    this.#members.push(server)
    this.#handOut()
    return server
  }

  #handOut(): void {
    while (!this.#away && this.#waiting.length > 0) {
      const server = this.#nextWithRoom()
      const next = server === undefined ? undefined : this.#waiting.shift()
      if (server === undefined || next === undefined) return
      void this.#deliver(server, next.message, next.delivered)
    }
  }

  #nextWithRoom(): Server | undefined {
    for (let tries = 0; tries < this.#members.length; tries++) {
      const server = this.#members[this.#turn++ % this.#members.length]
      if (server?.hasRoom()) return server
    }
    return undefined
  }

  async #deliver(server: Server, message: Message, delivered: number): Promise<void> {
    const outcome = await server.handle({ ...message, delivered })
    if (outcome === 'handled') return
    const pauseMs =
      outcome === 'lost' ? ackWaitMs : Math.min(againMaxMs, againMinMs * 2 ** Math.min(delivered - 1, 16))
    await this.#clock.sleep(pauseMs)
    this.#waiting.push({ message, delivered: delivered + 1 })
    this.#handOut()
  }
}

class Server implements Member {
  open = true
  readonly #handle: ReportHandler
  readonly #atOnce: number
  readonly #freed: () => void
  #crashed = false
  #underWay = 0
  readonly #idle = Promise.withResolvers<void>()

  constructor(handle: ReportHandler, atOnce: number, freed: () => void) {
    this.#handle = handle
    this.#atOnce = atOnce
    this.#freed = freed
  }

  hasRoom(): boolean {
    return this.open && this.#underWay < this.#atOnce
  }

  async handle(delivery: Delivery): Promise<'handled' | 'failed' | 'lost'> {
    this.#underWay++
    try {
      await this.#handle(delivery)
      return this.#crashed ? 'lost' : 'handled'
    } catch {
      return this.#crashed ? 'lost' : 'failed'
    } finally {
      this.#underWay--
      if (this.#underWay === 0 && !this.open) this.#idle.resolve()
      this.#freed()
    }
  }

  async leave(): Promise<void> {
    this.open = false
    if (this.#underWay > 0 && !this.#crashed) await this.#idle.promise
  }

  crash(): void {
    this.open = false
    this.#crashed = true
  }
}
