import { createHash } from 'node:crypto'
import { Fault, isFault } from '../../core/fault.ts'
import type { ProjectId } from '../../core/ids.ts'
import { put, ref, unchanged, type KeptAnswer, type Stored } from '../state/documents.ts'
import type { Caller, Context } from './context.ts'
import { retrying } from './retrying.ts'

/** A request that is to be answered once. */
export interface AskedOnce {
  /** `answerIdOf` of its key. */
  readonly id: string
  /** SHA-256 of what it asks for, hex. */
  readonly request: string
  /** The process that works on it. */
  readonly worker: string
  /** Whether it may be done again when nobody knows what became of the first time. */
  readonly mayRepeat: boolean
}

/** The right to do it, or why not. */
export type Claimed =
  | { readonly is: 'ours'; readonly claim: Stored<KeptAnswer> }
  | { readonly is: 'answered'; readonly status: number; readonly body: string; readonly etag?: string }
  /** The key was used for something else. */
  | { readonly is: 'other' }
  /** Another process works on it. */
  | { readonly is: 'under_way' }
  /** Whoever worked on it went away: it may be done or not. */
  | { readonly is: 'unknown' }

/** Answers of one project that are kept; the oldest goes for a new one. */
const keptMax = 10_000

/** Requests are over in less, however large; one that began before was left behind. Milliseconds. */
const workMs = 60_000

/** Sealed bodies up to this length fit beside others into etcd; a longer one is made again by doing it again. */
const bodyMax = 200_000

/** Keys are a caller's own: another user of the project may use the same. */
export const answerIdOf = ({ user }: Caller, key: string): string =>
  createHash('sha256').update(`${user}\0${key}`).digest('hex')

/** Takes the request in hand, unless it was answered or is in somebody else's. Throws Fault 'stale_write', 'store_down'. */
export async function claimAnswer(context: Context, { project }: Caller, asked: AskedOnce): Promise<Claimed> {
  const { id, request, worker, mayRepeat } = asked
  const { state, clock, sealer } = context
  return retrying(context, async (): Promise<Claimed> => {
    const found = state.get('answer', project, id)
    if (found && found.value.request !== request) return { is: 'other' }
    if (found?.value.answer) {
      const { body, ...rest } = found.value.answer
      return { is: 'answered', ...rest, body: sealer.open(body, placeOf(project, id)) }
    }
    if (found && !mayRepeat) {
      const { server, createdAt } = found.value
      const isElsewhere = server !== undefined && server !== worker && createdAt + workMs > clock.now()
      return { is: isElsewhere ? 'under_way' : 'unknown' }
    }
    const value: KeptAnswer = { id, project, request, server: worker, createdAt: clock.now() }
    const revision = await state.commit({
      requires: [unchanged('answer', project, id, found)],
      puts: [put('answer', project, id, value)],
      deletes: found ? [] : surplusOf(context, project),
    })
    return { is: 'ours', claim: { value, revision } }
  })
}

/** Two for one, so that a project that has more, for servers that did not know of each other's, has not for long. */
function surplusOf({ state }: Context, project: ProjectId) {
  const over = state.count('answer', project) - keptMax + 1
  const [first, second] = over > 0 ? state.of('answer', project) : []
  return [first, over > 1 ? second : undefined].flatMap((one) =>
    one ? [ref('answer', project, one.value.id)] : [],
  )
}

/** Keeps the answer. It stands even when it cannot be kept: so this throws nothing that the caller could act on. */
export async function keepAnswer(
  context: Context,
  { value, revision }: Stored<KeptAnswer>,
  answer: NonNullable<KeptAnswer['answer']>,
): Promise<void> {
  const { server: _, ...rest } = value
  const { project, id } = value
  const body = context.sealer.seal(answer.body, placeOf(project, id))
  const kept: KeptAnswer = body.length > bodyMax ? rest : { ...rest, answer: { ...answer, body } }
  await settle(context, { value, revision }, [put('answer', project, id, kept)])
}

/** Nothing was done: the key is free again. Throws nothing that the caller could act on. */
export async function releaseAnswer(context: Context, claim: Stored<KeptAnswer>): Promise<void> {
  await settle(context, claim, [])
}

async function settle(
  { state }: Context,
  { value: { project, id }, revision }: Stored<KeptAnswer>,
  puts: ReturnType<typeof put>[],
): Promise<void> {
  try {
    await state.commit({
      requires: [{ ...ref('answer', project, id), revision }],
      puts,
      deletes: puts.length > 0 ? [] : [ref('answer', project, id)],
    })
  } catch (error) {
    // Left behind, it counts as unknown; taken over, it is another's to settle.
    if (!isFault(error, 'stale_write', 'store_down', 'stopping')) throw error
  }
}

const placeOf = (project: string, id: string): string => `answer/${project}/${id}`

/** Whether a failure means that nothing was done, so that the same key may be used for a corrected request. */
export const isUndone = (error: unknown): boolean =>
  error instanceof Fault &&
  !['store_down', 'timeout', 'cancelled', 'stopping', 'tool_failed'].includes(error.code)
