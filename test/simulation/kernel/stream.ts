import type { Network } from './network.ts'
import type { Process } from './process.ts'

/** A peer that sends nothing for about so long is taken for gone, as the beats of a line do. Milliseconds. */
const silence = { min: 6_000, max: 20_000 } as const

/** What an end of a stream hears. */
export interface Hearer<M> {
  received(message: M): void
  /** Once: the peer ended it, is gone, or silent. Not when this end ended it itself. */
  ended(why: 'lost' | 'silent'): void
}

/** One end of a stream: messages arrive in order, until it breaks. */
export interface End<Out> {
  readonly isOpen: boolean
  /** `false` when it is over. */
  send(message: Out): boolean
  /** The peer learns of it, if it can be reached. */
  close(): void
}

interface Side {
  readonly process: Process
  hearer: Hearer<unknown>
  isOpen: boolean
  /** Since when nothing can reach it from the other side. */
  deafSince: number | undefined
  /** On their way to it: one at a time is in flight, so that they keep their order. */
  readonly incoming: unknown[]
  inFlight: boolean
}

/**
 * A connection between two processes, as TCP gives it: what is sent arrives in order or not at all; a cut way holds it up until
 * it is open again, unless one side has given up before.
 */
export class Streams {
  readonly #network: Network
  readonly #open = new Set<readonly [Side, Side]>()
  /** Which messages may be lost or doubled one by one, as by a peer that forgets or repeats itself. */
  readonly #mayStray: (message: unknown) => boolean

  constructor(network: Network, mayStray: (message: unknown) => boolean) {
    this.#network = network
    this.#mayStray = mayStray
    network.onChange(() => this.#listen())
  }

  /** Both processes must be able to reach each other now. */
  connect<A, B>(
    a: { readonly process: Process; readonly hearer: Hearer<A> },
    b: { readonly process: Process; readonly hearer: Hearer<B> },
  ): readonly [End<B>, End<A>] {
    const sideOf = (process: Process, hearer: Hearer<never>): Side => ({
      ...{ process, hearer: hearer as Hearer<unknown>, isOpen: true },
      ...{ deafSince: undefined, incoming: [], inFlight: false },
    })
    const sides = [
      sideOf(a.process, a.hearer as Hearer<never>),
      sideOf(b.process, b.hearer as Hearer<never>),
    ] as const
    this.#open.add(sides)
    for (const [own, other] of [sides, [sides[1], sides[0]] as const])
      own.process.onEnd(() => this.#gone(sides, own, other))
    return [this.#end<B>(sides, sides[0], sides[1]), this.#end<A>(sides, sides[1], sides[0])]
  }

  #end<Out>(sides: readonly [Side, Side], own: Side, other: Side): End<Out> {
    return {
      get isOpen() {
        return own.isOpen
      },
      send: (message) => {
        if (!own.isOpen) return false
        this.#send(own, other, message)
        return true
      },
      close: () => {
        if (!own.isOpen) return
        this.#shut(sides, own)
        this.#network.carry(own.process, other.process.host.name, () => this.#hangUp(sides, other, 'lost'))
      },
    }
  }

  #send(own: Side, other: Side, message: unknown): void {
    const { chance, weather } = this.#network
    if (this.#mayStray(message)) {
      if (chance.happens(weather.lost)) return
      if (chance.happens(weather.doubled))
        this.#network.timeline.after(chance.between(0, 5_000), () => {
          if (own.isOpen && own.process.isRunning) this.#queue(own, other, message)
        })
    }
    this.#queue(own, other, message)
  }

  #queue(own: Side, other: Side, message: unknown): void {
    other.incoming.push(message)
    this.#fly(own, other)
  }

  #fly(own: Side, other: Side): void {
    if (other.inFlight || other.incoming.length === 0) return
    other.inFlight = true
    const land = (): void => {
      const { process } = own
      if (!other.isOpen) return
      // Sent by a process that was stopped just before, or on a way that is cut: it is sent again when that is over.
      if (process.isPaused && process.holdsBack)
        return process.act(() => void this.#network.timeline.after(0, land))
      if (this.#network.isCut(process.host.name, other.process.host.name))
        return void (other.inFlight = false)
      const message = other.incoming.shift()
      other.inFlight = false
      other.process.act(() => {
        if (other.isOpen) other.hearer.received(message)
      })
      this.#fly(own, other)
    }
    this.#network.timeline.after(this.#network.latency(), land)
  }

  /** A process that was killed: its machine says so, unless nothing gets through. */
  #gone(sides: readonly [Side, Side], own: Side, other: Side): void {
    if (!own.isOpen) return
    this.#shut(sides, own)
    this.#network.carry(own.process.host.name, other.process.host.name, () =>
      this.#hangUp(sides, other, 'lost'),
    )
  }

  #hangUp(sides: readonly [Side, Side], side: Side, why: 'lost' | 'silent'): void {
    side.process.act(() => {
      if (!side.isOpen) return
      this.#shut(sides, side)
      side.hearer.ended(why)
    })
  }

  #shut(sides: readonly [Side, Side], side: Side): void {
    side.isOpen = false
    if (!sides[0].isOpen && !sides[1].isOpen) this.#open.delete(sides)
    // Should the word of it be lost, the other side hears nothing any more.
    else this.#listenFor(sides, side === sides[0] ? sides[1] : sides[0], side)
  }

  /** Looks who cannot be heard any more, and lets go on what was held up. */
  #listen(): void {
    for (const sides of this.#open) {
      this.#listenFor(sides, sides[0], sides[1])
      this.#listenFor(sides, sides[1], sides[0])
    }
  }

  #listenFor(sides: readonly [Side, Side], own: Side, other: Side): void {
    if (!own.isOpen) return
    const { timeline, chance } = this.#network
    const from = other.process
    const hears =
      from.isRunning && other.isOpen && !this.#network.isCut(from.host.name, own.process.host.name)
    if (hears) {
      own.deafSince = undefined
      return this.#fly(other, own)
    }
    if (own.deafSince !== undefined) return
    const since = timeline.now
    own.deafSince = since
    timeline.after(chance.between(silence.min, silence.max), () => {
      if (own.deafSince === since) this.#hangUp(sides, own, 'silent')
    })
  }
}
