import type { RepositoryAccess } from '../../../core/link.ts'
import { isObject, objectOf, textOf } from './messages.ts'
import type { ToolContext } from '../../ports/engine.ts'
import type { Call } from './call.ts'
import { failed, type Attempted, type Restic } from './tool.ts'

/** A snapshot as the repository lists it. */
export interface Snapshot {
  /** All 64 digits. */
  readonly id: string
  readonly tags: readonly string[]
}

/** What every question to a repository needs. */
export interface Asking {
  readonly tool: Restic
  readonly access: RepositoryAccess
  readonly context: ToolContext
}

/**
 * How long a short question may go without an answer and without reading anything: opening a repository is seconds of
 * arithmetic on a busy node, but restic from 0.17 on tries an unreachable one for 15 minutes. Milliseconds.
 */
const answerWithinMs = 60_000

/** The same repository and attempt for all questions of a step. */
export const asking = (tool: Restic, access: RepositoryAccess, context: ToolContext): Asking => ({
  tool,
  access,
  context,
})

const call = (ask: Asking, args: readonly string[]): Call => ({
  args,
  access: ask.access,
  stallMs: answerWithinMs,
  movement: 'reading',
})

/**
 * The repository's own id. With `init` a repository that is not there is made, unless one was known before: then its
 * disk is not mounted or it was deleted, and a new one would hide that. `config` when another one lies there.
 */
export async function openRepository(
  ask: Asking,
  how: { readonly init: boolean },
): Promise<Attempted<string>> {
  const { expectedId } = ask.access
  let id = await repositoryId(ask)
  if (!id.ok && id.failure.code === 'no_repository' && how.init && expectedId === undefined)
    id = await makeRepository(ask)
  if (id.ok && expectedId !== undefined && id.value !== expectedId)
    return failed('config', `another repository lies there: ${id.value} instead of ${expectedId}`)
  return id
}

/** By location, while one is being made. */
const making = new Map<string, Promise<Attempted<string>>>()

/**
 * Two `restic init` at once write two master keys for one config and so ruin the repository: on one node the first one
 * works for all. Nodes that share a repository need it made before they start together.
 */
async function makeRepository(ask: Asking): Promise<Attempted<string>> {
  const { location } = ask.access
  const underWay = making.get(location)
  if (underWay !== undefined) {
    await underWay
    return openRepository(ask, { init: false })
  }
  const made = initialized(ask)
  making.set(location, made)
  try {
    return await made
  } finally {
    making.delete(location)
  }
}

async function initialized(ask: Asking): Promise<Attempted<string>> {
  // Another one may have finished between the look and the turn.
  const before = await repositoryId(ask)
  if (before.ok || before.failure.code !== 'no_repository') return before
  const made = await ask.tool.collect(call(ask, ['init', '--json']), ask.context)
  const id = await repositoryId(ask)
  // Another node may have been faster: then the repository is there all the same.
  return id.ok || made.ok ? id : made
}

async function repositoryId(ask: Asking): Promise<Attempted<string>> {
  const config = await ask.tool.collect(call(ask, ['cat', 'config', '--no-lock']), ask.context)
  if (!config.ok) return config
  const id = textOf(objectOf(config.value.join('\n'))?.['id'])
  return id === undefined
    ? failed('unknown', 'restic shows no id of the repository')
    : { ok: true, value: id }
}

/** The snapshots that carry all of these tags. */
export async function snapshotsTagged(ask: Asking, tags: readonly string[]): Promise<Attempted<Snapshot[]>> {
  const answer = await ask.tool.collect(
    call(ask, ['snapshots', '--json', '--no-lock', '--tag', tags.join(',')]),
    ask.context,
  )
  return answer.ok ? { ok: true, value: snapshotsIn(answer.value.join('\n')) } : answer
}

/** The ids of all snapshots, without reading any of them. */
export async function snapshotIds(ask: Asking): Promise<Attempted<ReadonlySet<string>>> {
  const answer = await ask.tool.collect(call(ask, ['list', 'snapshots', '--no-lock']), ask.context)
  return answer.ok ? { ok: true, value: new Set(answer.value.filter(isSnapshotId)) } : answer
}

/** All 64 digits: a shorter name might mean another snapshot by the time it is used. */
export const isSnapshotId = (text: string): boolean => /^[0-9a-f]{64}$/.test(text)

export function snapshotsIn(json: string): Snapshot[] {
  let list: unknown
  try {
    list = JSON.parse(json)
  } catch {
    return []
  }
  if (!Array.isArray(list)) return []
  return list.flatMap((entry: unknown) => {
    const id = isObject(entry) ? textOf(entry['id']) : undefined
    if (id === undefined || !isSnapshotId(id) || !isObject(entry)) return []
    const tags = Array.isArray(entry['tags']) ? entry['tags'].filter((tag) => typeof tag === 'string') : []
    return [{ id, tags }]
  })
}

/** The snapshot of this id or beginning of an id; undefined when the repository has none. */
export async function snapshotNamed(ask: Asking, id: string): Promise<Attempted<Snapshot | undefined>> {
  const answer = await ask.tool.collect(
    call(ask, ['snapshots', '--json', '--no-lock', '--', id]),
    ask.context,
  )
  if (!answer.ok) return answer
  return {
    ok: true,
    value: snapshotsIn(answer.value.join('\n')).find((snapshot) => snapshot.id.startsWith(id)),
  }
}
