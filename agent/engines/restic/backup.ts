import type { Stats } from '../../../core/run.ts'
import type { EngineContext, EngineEnd, EngineEvent, EngineTask } from '../../ports/engine.ts'
import { backupArguments, tagOf } from './backup-arguments.ts'
import { endOf, ItemErrors, type Step } from './ends.ts'
import type { Failure } from './failures.ts'
import type { Status, Summary } from './messages.ts'
import { forgetOldOutcomes, recall, remember, rememberedErrorsMax, type Outcome } from './outcomes.ts'
import {
  asking,
  isSnapshotId,
  openRepository,
  snapshotNamed,
  snapshotsTagged,
  type Asking,
} from './repository.ts'
import { wordsOf, type SessionEnd } from './session.ts'
import { lookAtSources, type Sources } from './sources.ts'
import type { Restic } from './tool.ts'

type Backup = Extract<EngineTask, { do: 'backup' }>

/**
 * Saves the sources as one snapshot. It counts only when restic ended with 0 or 3, gave its summary, and the repository
 * shows the snapshot. Sources that could not be read make it `partial`, or `failed` where the action says so; the
 * snapshot is kept either way.
 */
export async function* backup(tool: Restic, task: Backup, context: EngineContext): Step {
  const startedAt = context.clock.monotonic()
  const ask = asking(tool, task.repository, context)
  yield { type: 'phase', phase: 'prepare' }
  const sources = await lookAtSources(task.action.paths, context.clock, context.signal)
  if (context.signal.aborted) return endOf({ code: 'cancelled', text: wordsOf(context.signal.reason) })
  if (sources.present.length === 0) {
    for (const error of sources.missing) yield { type: 'item_error', error }
    return endOf({
      code: 'source_missing',
      text: `none of the sources is there: ${task.action.paths.join(', ')}`,
    })
  }
  const repository = await openRepository(ask, { init: true })
  if (!repository.ok) return endOf(repository.failure)

  const before = await earlierTries(ask, task, context, repository.value)
  if (before.is === 'failed') return endOf(before.failure)
  if (before.is === 'done') {
    context.log({
      level: 'info',
      stream: 'agent',
      text: `snapshot ${before.outcome.snapshot} of this step is there already`,
    })
    for (const error of before.outcome.itemErrors) yield { type: 'item_error', error }
    return endOfBackup(tool, task, before.outcome)
  }
  for (const error of sources.missing) yield { type: 'item_error', error }

  yield { type: 'phase', phase: 'transfer' }
  const parent = before.parent ?? (task.level > 0 ? task.parent?.engineRef : undefined)
  const taken = yield* takeOn(tool, task, context, sources, parent)
  const summary = completeSummaryOf(taken)
  if (!summary) return endOf(taken.end?.failure ?? taken.failure ?? noSummary)

  yield { type: 'phase', phase: 'commit' }
  const outcome: Outcome = {
    snapshot: summary.snapshotId,
    repositoryId: repository.value,
    paths: sources.present,
    stats: statsOf(summary, context.clock.monotonic() - startedAt),
    itemErrors: taken.errors.first,
    itemErrorCount: Math.max(taken.errors.count, isIncomplete(taken.end) ? 1 : 0),
  }
  return settle(ask, tool, task, context, outcome)
}

/** The end of a snapshot that restic has reported: it counts when the repository shows it. */
async function settle(
  ask: Asking,
  tool: Restic,
  task: Backup,
  context: EngineContext,
  reported: Outcome,
): Promise<EngineEnd> {
  const found = await snapshotNamed(ask, reported.snapshot)
  if (found.ok && found.value !== undefined) {
    const outcome: Outcome = { ...reported, snapshot: found.value.id }
    await write(task, context, outcome)
    return endOfBackup(tool, task, outcome)
  }
  const failure: Failure = found.ok
    ? {
        code: 'unknown',
        text: `restic reported snapshot ${reported.snapshot}, but the repository does not show it`,
      }
    : found.failure
  // Whoever stopped it now should still learn of the snapshot that is there.
  const known = !found.ok && isSnapshotId(reported.snapshot)
  return endOf(failure, { stats: reported.stats, ...(known ? { saved: savedOf(tool, reported) } : {}) })
}

type Earlier =
  | { readonly is: 'failed'; readonly failure: Failure }
  | { readonly is: 'done'; readonly outcome: Outcome }
  | { readonly is: 'open'; readonly parent?: string }

/**
 * What an earlier attempt at this step left. Its snapshot is taken over when the node remembers how it turned out and
 * the repository still has it; one that nothing is remembered of may lack files, so that it only serves as parent.
 */
async function earlierTries(
  ask: Asking,
  task: Backup,
  context: EngineContext,
  repositoryId: string,
): Promise<Earlier> {
  const { run, step } = context.tags
  if (run === undefined || step === undefined) return { is: 'open' }
  const outcome = await recall(context.stateDir, run, step)
  const isFirst = context.attemptId.endsWith('.1')
  if (outcome === undefined && isFirst) return { is: 'open' }
  const made = await snapshotsTagged(ask, [tagOf('run', run), tagOf('step', step)])
  if (!made.ok) return { is: 'failed', failure: made.failure }
  const counts =
    outcome !== undefined &&
    outcome.repositoryId === repositoryId &&
    (outcome.itemErrorCount === 0 || task.action.onUnreadable === 'partial')
  if (counts && made.value.some(({ id }) => id === outcome.snapshot)) return { is: 'done', outcome }
  const newest = made.value.at(-1)?.id
  return { is: 'open', ...(newest === undefined ? {} : { parent: newest }) }
}

interface Taken {
  /** Absent when restic could not even be started. */
  readonly end?: SessionEnd
  readonly failure?: Failure
  readonly summary?: Summary
  readonly errors: ItemErrors
}

/** As `take`, and once more from nothing when the parent turns out to be gone. */
async function* takeOn(
  tool: Restic,
  task: Backup,
  context: EngineContext,
  sources: Sources,
  parent: string | undefined,
): AsyncGenerator<EngineEvent, Taken, undefined> {
  const taken = yield* take(tool, task, context, sources, parent)
  const failure = taken.end?.failure
  if (parent === undefined || failure === undefined || !isParentGone(failure, parent)) return taken
  const text = `parent ${parent} is gone: every file is read again`
  context.log({ level: 'warn', stream: 'agent', text })
  return yield* take(tool, task, context, sources, undefined)
}

const noSummary: Failure = { code: 'unknown', text: 'restic ended without a summary' }

/** restic's 3: a snapshot was made, and some sources could not be read. */
const isIncomplete = (end: SessionEnd | undefined): boolean =>
  end?.exit.is === 'exited' && end.exit.code === 3

/** The summary of a restic that ended well, or almost, and named its snapshot. */
function completeSummaryOf({ end, summary }: Taken): (Summary & { readonly snapshotId: string }) | undefined {
  const endedWell = end?.exit.is === 'exited' && (end.exit.code === 0 || end.exit.code === 3)
  const snapshotId = summary?.snapshotId
  return endedWell && snapshotId !== undefined ? { ...summary, snapshotId } : undefined
}

async function* take(
  tool: Restic,
  task: Backup,
  context: EngineContext,
  sources: Sources,
  parent: string | undefined,
): AsyncGenerator<EngineEvent, Taken, undefined> {
  const errors = new ItemErrors(rememberedErrorsMax)
  for (const error of sources.missing) errors.add(error)
  const started = await tool.start(
    {
      args: backupArguments(task, context, sources.present, parent),
      access: task.repository,
      limits: task.action.limits,
      stallMs: context.stallMs,
      movement: 'values',
    },
    context,
  )
  if (!started.ok) return { failure: started.failure, errors }
  await using session = started.value
  let summary: Summary | undefined
  for await (const line of session.lines()) {
    const message = session.note(line)
    if (message.type === 'status') {
      session.saw(valueOf(message))
      yield { type: 'progress', progress: progressOf(message, errors.count) }
    }
    if (message.type === 'item_error' && errors.add(message.error)) yield message
    if (message.type === 'summary') summary = message
  }
  return { end: await session.end(), errors, ...(summary === undefined ? {} : { summary }) }
}

/** Both versions of restic name it; 0.14 calls the id invalid, later ones fail to load it. */
const isParentGone = (failure: Failure, parent: string): boolean =>
  failure.text.includes(parent.slice(0, 8)) &&
  /invalid id|no matching id|failed to (load|find)/i.test(failure.text)

const valueOf = (status: Status): string =>
  [status.bytesDone, status.bytesTotal, status.filesDone, status.filesTotal, status.fraction].join('/')

/** The total grows while restic still counts, and the fraction may fall; whoever shows it holds it. */
function progressOf(status: Status, errors: number) {
  const { bytesTotal, filesDone, filesTotal, fraction, current } = status
  return {
    phase: 'transfer',
    done: status.bytesDone ?? 0,
    errors,
    ...(bytesTotal === undefined ? {} : { total: bytesTotal }),
    ...(filesDone === undefined ? {} : { filesDone }),
    ...(filesTotal === undefined ? {} : { filesTotal }),
    ...(fraction === undefined ? {} : { fraction }),
    ...(current === undefined ? {} : { current }),
  } as const
}

function statsOf(summary: Summary, durationMs: number): Stats {
  const { filesNew, filesChanged, filesUnmodified, bytesProcessed, bytesAdded, bytesStored } = summary
  return {
    durationMs: Math.round(durationMs),
    filesNew: filesNew ?? 0,
    filesChanged: filesChanged ?? 0,
    filesUnmodified: filesUnmodified ?? 0,
    bytesProcessed: bytesProcessed ?? 0,
    bytesAdded: bytesAdded ?? 0,
    ...(bytesStored === undefined ? {} : { bytesStored }),
  }
}

const savedOf = (tool: Restic, outcome: Outcome) => ({
  engineRef: outcome.snapshot,
  engineVersion: `restic ${tool.version.text}`,
  paths: outcome.paths,
})

function endOfBackup(tool: Restic, task: Backup, outcome: Outcome): EngineEnd {
  const { itemErrorCount: count, itemErrors, stats, repositoryId } = outcome
  const more = { type: 'end', retryable: false, stats, saved: savedOf(tool, outcome), repositoryId } as const
  if (count === 0) return { ...more, result: 'success' }
  const example = itemErrors[0]?.path
  const onlyMissing =
    count === itemErrors.length && itemErrors.every((error) => task.action.paths.includes(error.path ?? ''))
  return {
    ...more,
    result: task.action.onUnreadable === 'fail' ? 'failed' : 'partial',
    reason: {
      code: onlyMissing ? 'source_missing' : 'unreadable',
      text: `${count} could not be read${example === undefined ? '' : `, such as ${example}`}; the rest is saved`,
    },
  }
}

/** A node that cannot remember it only loses the short cut after a crash. */
async function write(task: Backup, context: EngineContext, outcome: Outcome): Promise<void> {
  const { run, step } = context.tags
  if (run === undefined || step === undefined) return
  try {
    await forgetOldOutcomes(context.stateDir, context.clock)
    await remember(context.stateDir, run, step, outcome)
  } catch (error) {
    const text = `what became of ${task.action.backupName} cannot be remembered: ${(error as Error).message}`
    context.log({ level: 'warn', stream: 'agent', text })
  }
}
