import type { SessionId } from '../../core/ids.ts'
import type { State } from '../state/state.ts'
import type { Caller, Context } from './context.ts'
import { retrying } from './retrying.ts'

/**
 * How long one waits for one's turn: as long as a hundred others take. Then it goes ahead all the same, for whoever is before it
 * may be waiting for a store that is away. Milliseconds.
 */
const waitMs = 500

/** By state: the end of each line of work that is under way in this process. */
const lines = new WeakMap<State, Map<string, Promise<void>>>()

/**
 * As `retrying`, for changes of a session: as far as this process is concerned they are made one after the other. The jobs of a session
 * start and end all at once, and each change that meets another would have to be made anew. Between servers the store
 * compares, as for everything. Throws as `retrying`.
 */
export function retryingInLine<T>(
  context: Pick<Context, 'state' | 'clock'>,
  { project }: Pick<Caller, 'project'>,
  session: SessionId,
  attempt: () => Promise<T>,
): Promise<T> {
  const name = `${project}/${session}`
  let line = lines.get(context.state)
  if (!line) lines.set(context.state, (line = new Map()))
  const before = line.get(name)
  const work = () => retrying(context, attempt)
  const isWaiting = before !== undefined && context.state.staleMs === undefined
  const mine = isWaiting ? afterTurn(context.clock, before).then(work) : work()
  const end = mine.then(
    () => {},
    () => {},
  )
  line.set(name, end)
  void end.then(() => {
    if (line.get(name) === end) line.delete(name)
  })
  return mine
}

async function afterTurn(clock: Context['clock'], before: Promise<void>): Promise<void> {
  using stack = new DisposableStack()
  const over = stack.adopt(new AbortController(), (controller) => controller.abort())
  await Promise.race([before, clock.sleep(waitMs, over.signal).catch(() => {})])
}
