// Small values for tests of the feed.
import { instant } from '../../core/clock.ts'
import { clientId, jobId, projectId, runId } from '../../core/ids.ts'
import type { Report } from '../../core/run.ts'
import type { DomainEvent } from '../../controller/ports/feed.ts'

export const project = projectId('p1')
export const client = clientId('web.example.org')
export const job = jobId('nightly')

/** A report of run number `n`, of one successful step. */
export function reportOf(n: number, by = client): Report {
  const at = instant(1_800_000_000_000 + n)
  return {
    run: runId(`run-${n}`),
    attempt: 1,
    client: by,
    end: 'ended',
    at,
    steps: [
      {
        step: 0,
        result: 'success',
        stats: { bytesAdded: n, durationMs: 5 },
        itemErrors: [],
        itemErrorCount: 0,
        startedAt: at,
        endedAt: at,
      },
    ],
  }
}

/** The event that run number `n` finished. */
export const finished = (n: number, of = project): DomainEvent => ({
  type: 'run.finished',
  project: of,
  client,
  job,
  run: runId(`run-${n}`),
  data: { result: 'success', n },
})
