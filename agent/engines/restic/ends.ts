import type { ItemError } from '../../../core/run.ts'
import type { EngineEnd, EngineEvent } from '../../ports/engine.ts'
import { isRetryable, reasonOf, type Failure } from './failures.ts'

/** The end of a step that failed or was stopped. `saved` goes with it when a backup was made all the same. */
export function endOf(
  failure: Failure,
  more: Pick<EngineEnd, 'saved' | 'stats' | 'repositoryId'> = {},
): EngineEnd {
  return {
    type: 'end',
    result: failure.code === 'cancelled' ? 'aborted' : 'failed',
    reason: reasonOf(failure),
    retryable: isRetryable(failure),
    ...more,
  }
}

/** What every action of the engine is: events, and at last how it ended. */
export type Step = AsyncGenerator<EngineEvent, EngineEnd, undefined>

/** Paths that are told apart; restic names a folder that it cannot read once while counting and once while saving. */
const distinctMax = 10_000

/** Counts the items that failed, each path once. */
export class ItemErrors {
  count = 0
  readonly first: ItemError[] = []
  readonly #firstMax: number
  readonly #paths = new Set<string>()

  constructor(firstMax: number) {
    this.#firstMax = firstMax
  }

  /** Whether it is a new one. */
  add(error: ItemError): boolean {
    if (error.path !== undefined) {
      if (this.#paths.has(error.path)) return false
      if (this.#paths.size < distinctMax) this.#paths.add(error.path)
    }
    this.count++
    if (this.first.length < this.#firstMax) this.first.push(error)
    return true
  }
}
