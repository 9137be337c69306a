import type { EngineContext, EngineTask } from '../../ports/engine.ts'
import { endOf, type Step } from './ends.ts'
import { asking, isSnapshotId, openRepository, snapshotIds } from './repository.ts'
import type { Restic } from './tool.ts'

type Forget = Extract<EngineTask, { do: 'forget' }>

/** Ids in one command line: 500 × 65 characters stay far below the kernel's 2 MiB. */
const idsPerCall = 500

/**
 * Drops snapshots by their whole ids; the space they took is freed by a later prune. Whether it worked is decided by
 * listing again: restic ends with 0 also when an append-only server refused. Ids that are gone already are fine.
 */
export async function* forget(tool: Restic, task: Forget, context: EngineContext): Step {
  const startedAt = context.clock.monotonic()
  const wanted = [...new Set(task.sources.map((source) => source.engineRef))]
  const odd = wanted.find((id) => !isSnapshotId(id))
  if (odd !== undefined) return endOf({ code: 'config', text: `${odd} is not the whole id of a snapshot` })
  yield { type: 'phase', phase: 'prepare' }
  const ask = asking(tool, task.repository, context)
  const repository = await openRepository(ask, { init: false })
  if (!repository.ok) return endOf(repository.failure)
  const repositoryId = repository.value
  const listed = await snapshotIds(ask)
  if (!listed.ok) return endOf(listed.failure)

  yield { type: 'phase', phase: 'cleanup' }
  const present = wanted.filter((id) => listed.value.has(id))
  for (let from = 0; from < present.length; from += idsPerCall) {
    const ids = present.slice(from, from + idsPerCall)
    const dropped = await tool.collect(
      {
        args: ['forget', '--', ...ids],
        access: task.repository,
        limits: task.action.limits,
        stallMs: context.stallMs,
        movement: 'reading',
      },
      context,
    )
    if (!dropped.ok) return endOf(dropped.failure, { repositoryId })
    const done = Math.min(from + idsPerCall, present.length)
    yield { type: 'progress', progress: { phase: 'cleanup', done, total: present.length, errors: 0 } }
  }

  yield { type: 'phase', phase: 'commit' }
  const after = present.length === 0 ? listed : await snapshotIds(ask)
  if (!after.ok) return endOf(after.failure, { repositoryId })
  const left = present.filter((id) => after.value.has(id))
  const stats = { durationMs: Math.round(context.clock.monotonic() - startedAt) }
  if (left.length === 0) return { type: 'end', result: 'success', retryable: false, stats, repositoryId }
  for (const id of left) yield { type: 'item_error', error: { path: id, message: 'is still there' } }
  const text = `the repository keeps ${left.length} of ${present.length}: this credential may not delete`
  return endOf({ code: 'auth', text }, { stats, repositoryId })
}
