import { Fault, type FaultCode } from '../../../core/fault.ts'
import type { Chance } from './chance.ts'
import type { Process } from './process.ts'
import type { Timeline } from './timeline.ts'

/** How bad the network is. Probabilities for each message. */
export interface Weather {
  /** Never arrives. */
  readonly lost: number
  /** Is said twice, the second time some seconds later. */
  readonly doubled: number
  /** Takes some tens or hundreds of milliseconds. */
  readonly slow: number
  /** Takes some seconds. */
  readonly verySlow: number
}

export const fair: Weather = { lost: 0, doubled: 0, slow: 0, verySlow: 0 }

/** What was in flight when the way was cut arrives with this probability once it is open again. */
const lateArrival = 0.5

/** Ways between hosts, each in one direction: cut, slow, lossy. */
export class Network {
  readonly timeline: Timeline
  readonly chance: Chance
  weather: Weather = fair
  readonly #cuts = new Set<string>()
  readonly #held = new Map<string, (() => void)[]>()
  readonly #watchers = new Set<() => void>()

  constructor(timeline: Timeline, chance: Chance) {
    this.timeline = timeline
    this.chance = chance
  }

  isCut(from: string, to: string): boolean {
    return this.#cuts.size > 0 && this.#cuts.has(`${from}>${to}`)
  }

  get isWhole(): boolean {
    return this.#cuts.size === 0
  }

  cut(from: string, to: string): void {
    this.#cuts.add(`${from}>${to}`)
    this.changed()
  }

  heal(from: string, to: string): void {
    const way = `${from}>${to}`
    if (!this.#cuts.delete(way)) return
    const held = this.#held.get(way) ?? []
    this.#held.delete(way)
    for (const arrive of held) this.timeline.after(this.latency(), arrive)
    this.changed()
  }

  /** Told of after each change of who can reach whom: cuts, pauses, deaths. */
  onChange(look: () => void): void {
    this.#watchers.add(look)
  }

  changed(): void {
    for (const look of this.#watchers) look()
  }

  /** How long a message is on its way. Milliseconds. */
  latency(): number {
    const { chance, weather } = this
    if (chance.happens(weather.verySlow)) return chance.between(1_000, 6_000)
    if (chance.happens(weather.slow)) return chance.between(10, 600)
    return chance.between(0.1, 2)
  }

  /** One message on its way: it arrives, late or never. */
  carry(from: Process | string, to: string, arrive: () => void): void {
    if (this.chance.happens(this.weather.lost)) return
    this.timeline.after(this.latency(), () => this.#arrive(from, to, arrive))
  }

  #arrive(from: Process | string, to: string, arrive: () => void): void {
    if (typeof from !== 'string' && from.isPaused && from.holdsBack)
      return from.act(() => this.carry(from, to, arrive))
    const name = typeof from === 'string' ? from : from.host.name
    if (!this.isCut(name, to)) return arrive()
    if (!this.chance.happens(lateArrival)) return
    const way = `${name}>${to}`
    const held = this.#held.get(way)
    if (held) held.push(arrive)
    else this.#held.set(way, [arrive])
  }

  /**
   * Asks another host and waits for its answer, at most for a time: then the fault of that code is thrown, and whether it was
   * done is not known. `work` throws what is to be thrown here.
   */
  call<T>(
    from: Process,
    to: string,
    limit: { readonly withinMs: number; readonly code: FaultCode },
    work: () => T | Promise<T>,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const late = this.timeline.after(limit.withinMs, () =>
        from.act(() => reject(new Fault(limit.code, `${to} does not answer`))),
      )
      const answer = (settle: () => void): void =>
        this.carry(to, from.host.name, () =>
          from.act(() => {
            late.cancel()
            settle()
          }),
        )
      this.carry(from, to, () => {
        try {
          const done = work()
          if (!(done instanceof Promise)) return answer(() => resolve(done))
          done.then(
            (value) => answer(() => resolve(value)),
            (error: unknown) => answer(() => reject(error as Error)),
          )
        } catch (error) {
          answer(() => reject(error as Error))
        }
      })
    })
  }
}
