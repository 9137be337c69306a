// What the servers say of slots, asked again and again, as they remember only the newest; and what the jobs wrote.
import path from 'node:path'
import type { Line, RunSeen, SkipSeen } from './judge.ts'
import type { Made } from './make.ts'
import { textOf, type Loose, type Stage } from './stage.ts'

export class Collector {
  readonly #stage: Stage
  readonly #made: readonly Made[]
  readonly #runs = new Map<string, RunSeen>()
  readonly #skips = new Map<string, SkipSeen>()

  constructor(stage: Stage, made: readonly Made[]) {
    this.#stage = stage
    this.#made = made
  }

  /** Asks a server for everything that it remembers. Throws when it does not answer. */
  async collect(): Promise<void> {
    for (const made of this.#made) {
      if (made.wanted.kind === 'session') await this.#session(made)
      else await this.#job(made)
    }
  }

  async #job({ id }: Made): Promise<void> {
    const { slots } = await this.#stage.must('GET', `/v1/jobs/${id}/slots?limit=500`)
    for (const slot of slots as Loose[]) {
      if (slot.outcome === 'run') this.#take(slot.run, id)
      else this.#skip(id, slot)
    }
  }

  /** A start is one thing; its members' runs are accounted for by it. */
  async #session({ id }: Made): Promise<void> {
    const { slots } = await this.#stage.must('GET', `/v1/sessions/${id}/slots?limit=500`)
    for (const slot of slots as Loose[])
      if (slot.outcome === 'skipped') this.#skip(id, slot)
      else
        this.#runs.set(slot.set.set_id, {
          ...{ run: slot.set.set_id, of: id, unit: 'start', slot: instantOf(slot.set.slot) },
          state: slot.set.phase === 'ended' ? 'finished' : slot.set.phase,
          ...{ attempt: 0, result: undefined },
        })
    const { runs } = await this.#stage.must('GET', `/v1/runs?session_id=${id}&limit=1000`)
    for (const run of runs as Loose[]) this.#take(run, id)
  }

  #take(run: Loose, of: string): void {
    this.#runs.set(run.run_id, {
      ...{ run: run.run_id, of, unit: run.client_id, slot: instantOf(run.slot) },
      ...{ state: run.state, attempt: run.attempt, result: run.result ?? undefined },
    })
  }

  #skip(of: string, { from, to, reason }: Loose): void {
    const [first, last] = [Date.parse(from), Date.parse(to)]
    const key = `${of} ${first} ${reason}`
    // An entry grows as long as nothing comes between.
    const before = this.#skips.get(key)
    if (!before || before.to < last) this.#skips.set(key, { of, from: first, to: last, reason })
  }

  get runs(): RunSeen[] {
    return [...this.#runs.values()]
  }

  get skips(): SkipSeen[] {
    return [...this.#skips.values()]
  }

  /** Every line that a job wrote. Throws for one that is none: evidence that cannot be read proves nothing. */
  lines(): Line[] {
    return this.#made.flatMap(({ evidence }) => evidence.flatMap((file) => linesOf(textOf(file), file)))
  }
}

const instantOf = (slot: string): number | undefined =>
  slot.startsWith('at:') ? Number(slot.slice(3)) : undefined

function linesOf(text: string, file: string): Line[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [, run, attempt, what, nanoseconds, state] =
        /^(\w+)\.(\d+) (begin|end|overlap) (\d+) \d+ \d+ (\S+)$/.exec(line) ?? []
      if (run === undefined || state === undefined)
        throw new Error(`${file} has a line that is none: ${line}`)
      const at = Number(BigInt(nanoseconds ?? 0) / 1_000_000n)
      return { run, attempt: Number(attempt), what: what as Line['what'], at, client: path.basename(state) }
    })
}
