import type { Clock } from '../../core/clock.ts'
import { isFault } from '../../core/fault.ts'
import type { Answer, Ask } from '../../core/link.ts'
import type { ChildLedger, Engine } from '../ports/engine.ts'
import type { Policy } from '../ports/policy.ts'
import { forbiddenRepository, placesAskedAbout, type RealPaths } from './policy.ts'

/** Questions at once; whoever asks more is told to come back. */
const asksMax = 4
/** Somebody waits for the answer. Milliseconds. */
const askMs = 60_000

export interface AskTools {
  readonly engines: ReadonlyMap<string, Engine>
  readonly policy: Policy
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly engineDir: (engine: string) => string
  readonly realPaths: (paths: readonly string[]) => Promise<RealPaths>
}

/** Answers questions about repositories. */
export class Asks {
  readonly #tools: AskTools
  #busy = 0

  constructor(tools: AskTools) {
    this.#tools = tools
  }

  /** Never throws. */
  async answer(ask: Ask): Promise<Answer> {
    if (this.#busy >= asksMax) return no(ask, 'busy', 'the node is answering other questions')
    this.#busy++
    const over = new AbortController()
    try {
      return await this.#browse(ask, over)
    } catch (error) {
      const code = isFault(error) ? error.code : 'failed'
      return no(ask, code, error instanceof Error ? error.message : String(error))
    } finally {
      over.abort()
      this.#busy--
    }
  }

  async #browse(ask: Ask, over: AbortController): Promise<Answer> {
    const { engines, policy, clock, signal, engineDir, realPaths } = this.#tools
    const { repository } = ask
    const engine = engines.get(repository.engine)
    if (!engine) return no(ask, 'engine_unknown', `this node has no engine ${repository.engine}`)
    const real = await realPaths(placesAskedAbout(repository, policy))
    const why = forbiddenRepository(repository, policy, real)
    if (why) return { id: ask.id, ok: false, reason: why }
    void clock.sleep(askMs, over.signal).then(
      () => over.abort(new Error('it took too long')),
      () => undefined,
    )
    const found = await engine.browse(repository, ask.engineRef, ask.path, ask.limit, {
      attemptId: `ask-${ask.id}`,
      stateDir: engineDir(engine.name),
      signal: AbortSignal.any([signal, over.signal]),
      children: noLedger,
      log: () => undefined,
      clock,
    })
    return { id: ask.id, ok: true, ...found }
  }
}

/** Nothing depends on these children: after a crash they are found by their environment and ended. */
const noLedger: ChildLedger = { started: () => undefined, ended: () => undefined }

const no = (ask: Ask, code: string, text: string): Answer => ({
  id: ask.id,
  ok: false,
  reason: { code, text },
})
