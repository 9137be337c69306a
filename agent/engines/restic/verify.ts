import type { EngineContext, EngineTask } from '../../ports/engine.ts'
import { endOf, ItemErrors, type Step } from './ends.ts'
import { codeOfText } from './failures.ts'
import { asking, openRepository } from './repository.ts'
import type { OutputLine } from '../process/lines.ts'
import type { Restic } from './tool.ts'

type Verify = Extract<EngineTask, { do: 'verify' }>

/** restic's own bound for `--read-data-subset=n/t`. */
const partsMax = 256
const errorsKept = 200

/**
 * Checks the repository: its structure, or besides it every byte, or one of n parts of them. It takes an exclusive lock.
 * Damage is `failed` with `damaged`, each finding an item error. Text instead of JSON, since only that shows progress.
 */
export async function* verify(tool: Restic, task: Verify, context: EngineContext): Step {
  const { scope, part, limits } = task.action
  const startedAt = context.clock.monotonic()
  if (part !== undefined && !isPart(part)) {
    const text = `part ${part.n} of ${part.of} cannot be read: restic takes 1 to ${partsMax} parts`
    return endOf({ code: 'config', text })
  }
  yield { type: 'phase', phase: 'prepare' }
  const ask = asking(tool, task.repository, context)
  const repository = await openRepository(ask, { init: false })
  if (!repository.ok) return endOf(repository.failure)
  const repositoryId = repository.value

  yield { type: 'phase', phase: 'verify' }
  const data = part === undefined ? '--read-data' : `--read-data-subset=${part.n}/${part.of}`
  const started = await tool.start(
    {
      args: ['check', ...(scope === 'data' ? [data] : [])],
      access: task.repository,
      limits,
      stallMs: context.stallMs,
      movement: 'reading',
    },
    context,
  )
  if (!started.ok) return endOf(started.failure)
  await using session = started.value
  const errors = new ItemErrors(errorsKept)
  for await (const line of session.lines()) {
    const message = session.note(line)
    if (message.type === 'bar') {
      const { done, total, unit } = message
      // Several bars follow one another; only the longest is the work as a whole.
      const whole = unit.startsWith(scope === 'data' ? 'pack' : 'snapshot')
      const fraction = whole && total > 0 ? { total, fraction: Math.min(done / total, 1) } : {}
      yield { type: 'progress', progress: { phase: 'verify', done, errors: errors.count, ...fraction } }
    }
    const finding = findingIn(line)
    if (finding !== undefined && errors.add({ message: finding }))
      yield { type: 'item_error', error: { message: finding } }
  }
  const end = await session.end()
  const stats = { durationMs: Math.round(context.clock.monotonic() - startedAt) }
  if (end.failure === undefined)
    return { type: 'end', result: 'success', retryable: false, stats, repositoryId }
  const { code, text } = end.failure
  // A tool that found damage and nothing else to complain of says so in many ways.
  const damaged = code === 'damaged' || (code === 'unknown' && errors.count > 0)
  if (!damaged) return endOf(end.failure, { stats, repositoryId })
  return endOf(
    { code: 'damaged', text: [text, errors.first[0]?.message].filter(Boolean).join(': ') },
    { stats, repositoryId },
  )
}

const isPart = ({ n, of }: { readonly n: number; readonly of: number }): boolean =>
  Number.isInteger(n) && Number.isInteger(of) && n >= 1 && n <= of && of <= partsMax

/** What a check finds is a line of stderr that speaks of damage; its advice and its last word are not findings. */
function findingIn({ source, text }: OutputLine): string | undefined {
  if (source !== 'stderr' || /^(fatal|restic|the repository|damaged pack|retrying)/i.test(text))
    return undefined
  return codeOfText(text) === 'damaged' || /^(pack|error for|blob|tree|snapshot) /i.test(text)
    ? text.slice(0, 500)
    : undefined
}
