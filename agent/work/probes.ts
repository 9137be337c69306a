import type { Clock } from '../../core/clock.ts'
import type { EngineProbe } from '../../core/link.ts'
import type { Engine } from '../ports/engine.ts'
import type { Ability } from './admit.ts'

/** What a probe may take before its engine counts as not available. Milliseconds. */
const probeMs = 10_000

interface Known {
  readonly probe: EngineProbe
  readonly at: number
}

/** What the engines of this node can do, as of not too long ago. */
export class Probes {
  readonly #engines: ReadonlyMap<string, Engine>
  readonly #clock: Clock
  readonly #known = new Map<string, Known>()
  readonly #asking = new Map<string, Promise<void>>()

  constructor(engines: ReadonlyMap<string, Engine>, clock: Clock) {
    this.#engines = engines
    this.#clock = clock
  }

  all(): EngineProbe[] {
    return [...this.#engines.values()].map((engine) => this.#knownOf(engine).probe)
  }

  abilities(): ReadonlyMap<string, Ability> {
    return new Map(
      [...this.#engines.values()].map((engine) => [
        engine.name,
        { does: engine.does, probe: this.#knownOf(engine).probe },
      ]),
    )
  }

  /**
   * Asks those of these engines again that were last asked longer ago than `ageMs(available)`. Resolves at once when there
   * is nothing to ask. Never throws.
   */
  async fresh(names: Iterable<string>, ageMs: (available: boolean) => number): Promise<void> {
    const asked: Promise<void>[] = []
    for (const name of new Set(names)) {
      const engine = this.#engines.get(name)
      if (!engine) continue
      const known = this.#known.get(name)
      const old = !known || this.#clock.monotonic() - known.at >= ageMs(known.probe.available)
      if (old) asked.push(this.#ask(engine))
    }
    await Promise.all(asked)
  }

  #ask(engine: Engine): Promise<void> {
    const asking =
      this.#asking.get(engine.name) ?? this.#probe(engine).finally(() => this.#asking.delete(engine.name))
    this.#asking.set(engine.name, asking)
    return asking
  }

  async #probe(engine: Engine): Promise<void> {
    const over = new AbortController()
    const tooLong = this.#clock.sleep(probeMs, over.signal).then(
      () => unavailable(engine.name, `no answer within ${probeMs} ms`),
      () => unavailable(engine.name, 'not asked'),
    )
    const asked = engine
      .probe(over.signal)
      .catch((error: unknown) => unavailable(engine.name, error instanceof Error ? error.message : 'bug'))
    const probe = await Promise.race([asked, tooLong])
    over.abort()
    this.#known.set(engine.name, { probe, at: this.#clock.monotonic() })
  }

  #knownOf(engine: Engine): Known {
    return this.#known.get(engine.name) ?? { probe: unavailable(engine.name, 'not asked yet'), at: -Infinity }
  }
}

const unavailable = (engine: string, problem: string): EngineProbe => ({
  ...{ engine, available: false, capabilities: [], problems: [problem] },
})
