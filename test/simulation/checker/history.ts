import type { Client } from '../../../core/catalogue.ts'
import type { Job, Session } from '../../../core/job.ts'
import type { Run } from '../../../core/run.ts'
import type { SetRecord } from '../../../core/set.ts'
import { decode } from '../../../controller/state/codec.ts'
import type { Documents } from '../../../controller/state/documents.ts'
import type { Kind } from '../../../controller/ports/backend.ts'
import type { Step } from '../ports/store.ts'

/** One document before and after a step of the store. */
export interface Turn<T> {
  readonly before: T | undefined
  readonly after: T | undefined
}

/** A step of the store as far as schedules and runs are concerned. */
export interface Turns {
  readonly step: Step
  readonly jobs: readonly Turn<Job>[]
  readonly sessions: readonly Turn<Session>[]
  readonly sets: readonly Turn<SetRecord>[]
  readonly runs: readonly Turn<Run>[]
}

/** What the store has said at any time: the one truth that every server's view is late of. */
export class StoredHistory {
  readonly jobs = new Map<string, Job>()
  /** Whatever became of them since. */
  readonly everStored = new Map<string, Job>()
  readonly sessions = new Map<string, Session>()
  readonly sets = new Map<string, SetRecord>()
  readonly runs = new Map<string, Run>()
  readonly clients = new Map<string, Client>()
  /** Whatever became of them since. */
  readonly everMade = new Map<string, Run>()
  /** By job, in the order in which they were made. */
  readonly #ofJob = new Map<string, string[]>()

  take(step: Step): Turns {
    this.#turns(this.clients, 'client', step)
    const turns = {
      jobs: this.#turns(this.jobs, 'job', step),
      sessions: this.#turns(this.sessions, 'session', step),
      sets: this.#turns(this.sets, 'set', step),
      runs: this.#turns(this.runs, 'run', step),
    }
    for (const { after } of turns.jobs) if (after) this.everStored.set(after.id, after)
    for (const { before, after } of turns.runs) {
      if (!after) continue
      this.everMade.set(after.id, after)
      if (before) continue
      const ofJob = this.#ofJob.get(after.job)
      if (ofJob) ofJob.push(after.id)
      else this.#ofJob.set(after.job, [after.id])
    }
    return { step, ...turns }
  }

  /** Every run that a job ever had, as it was last. */
  *runsOf(job: string): IterableIterator<Run> {
    for (const id of this.#ofJob.get(job) ?? []) {
      const run = this.everMade.get(id)
      if (run) yield run
    }
  }

  #turns<K extends Kind>(known: Map<string, Documents[K]>, kind: K, step: Step): Turn<Documents[K]>[] {
    return step.changes.flatMap((change) => {
      if (change.kind !== kind) return []
      const before = known.get(change.id)
      const reading = change.text === undefined ? undefined : decode(kind, change.text)
      const after = reading?.is === 'read' ? reading.value : undefined
      if (after) known.set(change.id, after)
      else known.delete(change.id)
      return [{ before, after }]
    })
  }
}
