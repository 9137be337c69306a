import type { RunId } from '../../core/ids.ts'
import type { Progress } from '../../core/link.ts'

/** Runs whose progress is kept; beyond, the one that was silent longest is dropped. */
const runsMax = 100_000

/** The newest progress of each run under way, as far as this server has heard. */
export class ProgressBoard {
  readonly #newest = new Map<RunId, Progress>()

  note(progress: Progress): void {
    this.#newest.delete(progress.run)
    this.#newest.set(progress.run, progress)
    if (this.#newest.size <= runsMax) return
    const [oldest] = this.#newest.keys()
    if (oldest !== undefined) this.#newest.delete(oldest)
  }

  of(run: RunId): Progress | undefined {
    return this.#newest.get(run)
  }

  drop(run: RunId): void {
    this.#newest.delete(run)
  }
}
