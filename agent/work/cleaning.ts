import type { Clock } from '../../core/clock.ts'
import type { Order } from '../../core/link.ts'
import type { Report } from '../../core/run.ts'
import type { Engine, LogLine } from '../ports/engine.ts'
import type { Book } from './book.ts'
import { repositoryOf } from './policy.ts'

export interface CleaningTools {
  readonly engines: ReadonlyMap<string, Engine>
  readonly book: Book
  readonly clock: Clock
  readonly signal: AbortSignal
  engineDir(engine: string): string
  log(line: LogLine): void
}

/** Has the engines remove what a stopped attempt left in the repositories of this order. Never throws. */
export async function cleanBefore(order: Order, tools: CleaningTools): Promise<void> {
  const { book, engines } = tools
  for (const task of order.tasks) {
    const access = repositoryOf(order, task)
    const engine = engines.get(task.action.engine)
    if (!access || !engine || !book.state.dirty.has(access.id)) continue
    if (tools.signal.aborted) return
    await engine
      .cleanUp(access, {
        attemptId: `${order.run}.${order.attempt}`,
        stateDir: tools.engineDir(engine.name),
        signal: tools.signal,
        clock: tools.clock,
        children: book.ledger(order.run, order.attempt),
        log: (line) => tools.log(line),
      })
      .catch((error: unknown) =>
        tools.log({ level: 'warn', stream: 'agent', text: `cleaning up failed: ${String(error)}` }),
      )
    book.jot({ type: 'clean', repository: access.id })
  }
}

/** Remembers the repositories in which steps of this report were cut off. */
export async function noteDirty(
  tasks: readonly { readonly repository?: Order['repositories'][number]['id'] }[],
  report: Report,
  book: Book,
): Promise<void> {
  for (const { step, result } of report.steps) {
    const repository = tasks[step]?.repository
    if (repository !== undefined && (result === 'lost' || result === 'aborted'))
      await book.save({ type: 'dirty', repository })
  }
}
