import type { EngineContext, EngineEnd, EngineEvent, EngineTask } from '../../ports/engine.ts'
import type { Call } from './call.ts'
import { cleanUp } from './clean-up.ts'
import { endOf, type Step } from './ends.ts'
import type { Failure } from './failures.ts'
import { asking, isSnapshotId, openRepository, snapshotIds } from './repository.ts'
import type { Restic } from './tool.ts'

type Forget = Extract<EngineTask, { do: 'forget' }>

/** Ids in one command line: 500 × 65 characters stay far below the kernel's 2 MiB. */
const idsPerCall = 500

/**
 * How long somebody else's lock is waited for: a reader's goes soon, while runs of this agent that write never meet here.
 * Milliseconds. restic's own waiting came with 0.16.
 */
const lockWaitMs = 60_000
const lockPauseMs = 1_000
const lockPauseMsMax = 8_000

/**
 * Drops snapshots by their whole ids. With `free` what only they needed is removed from the repository as well; otherwise a
 * later prune does that. Whether it worked is decided by listing again: restic ends with 0 also when an append-only server
 * refused. Ids that are gone already are fine, and with `free` a repository that is gone, too: then there is nothing left.
 */
export async function* forget(tool: Restic, task: Forget, context: EngineContext): Step {
  const startedAt = context.clock.monotonic()
  const wanted = [...new Set(task.sources.map((source) => source.engineRef))]
  const odd = wanted.find((id) => !isSnapshotId(id))
  if (odd !== undefined) return endOf({ code: 'config', text: `${odd} is not the whole id of a snapshot` })
  yield { type: 'phase', phase: 'prepare' }
  const ask = asking(tool, task.repository, context)
  const repository = await openRepository(ask, { init: false })
  if (!repository.ok) {
    if (task.action.free !== true || repository.failure.code !== 'no_repository')
      return endOf(repository.failure)
    context.log({ level: 'warn', stream: 'agent', text: `nothing is left: ${repository.failure.text}` })
    return { type: 'end', result: 'success', retryable: false, stats: statsSince(startedAt, context) }
  }
  const repositoryId = repository.value
  const listed = await snapshotIds(ask)
  if (!listed.ok) return endOf(listed.failure)

  yield { type: 'phase', phase: 'cleanup' }
  const present = wanted.filter((id) => listed.value.has(id))
  const dropping = yield* patiently(() => drop(tool, task, context, present), tool, task, context)
  if (dropping) return endOf(dropping, { repositoryId })
  const after = present.length === 0 ? listed : await snapshotIds(ask)
  if (!after.ok) return endOf(after.failure, { repositoryId })
  const left = present.filter((id) => after.value.has(id))
  if (left.length > 0) {
    for (const id of left) yield { type: 'item_error', error: { path: id, message: 'is still there' } }
    const text = `the repository keeps ${left.length} of ${present.length}: this credential may not delete`
    return endOf({ code: 'auth', text }, { stats: statsSince(startedAt, context), repositoryId })
  }
  // Also when nothing was left to drop: an attempt before this one may have come so far, and no further.
  const freeing =
    task.action.free === true
      ? yield* patiently(() => free(tool, task, context), tool, task, context)
      : undefined
  const stats = statsSince(startedAt, context)
  if (freeing) return endOf(freeing, { stats, repositoryId })
  return { type: 'end', result: 'success', retryable: false, stats, repositoryId }
}

const statsSince = (startedAt: number, { clock }: EngineContext): NonNullable<EngineEnd['stats']> => ({
  durationMs: Math.round(clock.monotonic() - startedAt),
})

type Part = AsyncGenerator<EngineEvent, Failure | undefined, undefined>

const callOf = (task: Forget, context: EngineContext, args: readonly string[]): Call => ({
  args,
  access: task.repository,
  limits: task.action.limits,
  stallMs: context.stallMs,
  movement: 'reading',
})

/** Does it again while the repository is locked. Locks that nobody holds any more are removed meanwhile. */
async function* patiently(part: () => Part, tool: Restic, task: Forget, context: EngineContext): Part {
  const { clock, signal } = context
  const until = clock.monotonic() + lockWaitMs
  for (let pauseMs = lockPauseMs; ; pauseMs = Math.min(2 * pauseMs, lockPauseMsMax)) {
    const failure = yield* part()
    if (failure?.code !== 'locked' || clock.monotonic() >= until) return failure
    await cleanUp(tool, task.repository, context)
    await clock.sleep(pauseMs * (0.5 + clock.random()), signal).catch(() => undefined)
  }
}

async function* drop(tool: Restic, task: Forget, context: EngineContext, present: readonly string[]): Part {
  for (let from = 0; from < present.length; from += idsPerCall) {
    const ids = present.slice(from, from + idsPerCall)
    const dropped = await tool.collect(callOf(task, context, ['forget', '--', ...ids]), context)
    if (!dropped.ok) return dropped.failure
    const done = Math.min(from + idsPerCall, present.length)
    const fraction = (done / present.length) * (task.action.free === true ? dropShare : 1)
    const progress = { phase: 'cleanup', done, total: present.length, errors: 0, fraction } as const
    yield { type: 'progress', progress }
  }
  return undefined
}

/** Fraction of a step that also frees. */
const dropShare = 0.1

/** Removes what no snapshot needs, to the last byte: packs that hold a part of it are written anew. */
async function* free(tool: Restic, task: Forget, context: EngineContext): Part {
  yield { type: 'phase', phase: 'commit' }
  const started = await tool.start(callOf(task, context, ['prune', '--max-unused=0']), context)
  if (!started.ok) return started.failure
  await using session = started.value
  for await (const line of session.lines()) {
    const message = session.note(line)
    // Bars follow one another: of snapshots, of packs that are written anew, of files that are removed.
    if (message.type === 'bar') {
      const { done, total } = message
      yield {
        type: 'progress',
        progress: { phase: 'commit', done, total, errors: 0, fraction: dropShare },
      }
    }
  }
  return (await session.end()).failure
}
