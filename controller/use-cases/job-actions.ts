import { isDeepStrictEqual } from 'node:util'
import type { JobAction, JsonObject } from '../../core/action.ts'
import { badField } from '../../core/fault.ts'
import { actionId, type ActionId } from '../../core/ids.ts'
import type { Requirement } from '../ports/backend.ts'
import { put, unchanged, type ActionDocument, type Put } from '../state/documents.ts'
import type { Caller, Context } from './context.ts'
import { placeOf, sealed } from './secret-fields.ts'

/** An entry of `job_actions` as sent, its types checked. */
export interface ActionEntry {
  readonly actionId?: ActionId
  readonly maxRetries: number
  readonly maxRetriesIntervalS: number
  readonly mandatory: boolean
  readonly freezer: JsonObject
  readonly extra?: JsonObject
}

/** An entry that names a stored action, with what it says differently. */
export type NamedEntry = Partial<Omit<ActionEntry, 'actionId' | 'freezer'>> & {
  readonly actionId: ActionId
  readonly freezer?: undefined
}

/** An entry of a job: a whole action, or the id of a stored one. */
export type JobEntry = ActionEntry | NamedEntry

/** Each takes up to two operations of the transaction that stores the job. */
export const actionsMax = 40

interface Taken {
  readonly actions: readonly JobAction[]
  readonly puts: readonly Put[]
  readonly requires: readonly Requirement[]
}

/**
 * The actions of a job as they are stored, and the action documents to store beside it: every action of a job is one, too.
 * A known id with another `freezer_action` becomes a new action, so that other jobs keep theirs. Throws Fault('bad_request').
 */
export function takeActions(
  context: Context,
  caller: Caller,
  entries: readonly JobEntry[],
  before: readonly JobAction[],
): Taken {
  if (entries.length > actionsMax) throw badField('job_actions', `has more than ${actionsMax} entries`)
  const puts: Put[] = []
  const requires: Requirement[] = []
  const seen = new Map<ActionId, JsonObject>()
  const actions = entries.map((entry, index) => {
    const { action, isNew, known } = entry.freezer
      ? inField(`job_actions.${index}.freezer_action`, () => takeOne(context, caller, entry, before, seen))
      : storedOne(context, caller, entry, before, `job_actions.${index}.action_id`)
    if (isNew) {
      puts.push(put('action', caller.project, action.actionId, documentOf(context, caller, action)))
      if (known) requires.push(unchanged('action', caller.project, action.actionId, undefined))
    }
    seen.set(action.actionId, action.freezer)
    return action
  })
  return { actions, puts, requires }
}

/** What a job's entry comes to. */
interface TakenOne {
  readonly action: JobAction
  readonly isNew: boolean
  /** Its id was chosen by the caller, so that somebody else may take it meanwhile. */
  readonly known: boolean
}

/** A stored action as it is now, else what the job has of it. Throws Fault('bad_request') naming `field`. */
function storedOne(
  { state }: Context,
  { project }: Caller,
  entry: NamedEntry,
  before: readonly JobAction[],
  field: string,
): TakenOne {
  const id = entry.actionId
  const found = state.get('action', project, id)?.value ?? before.find(({ actionId }) => actionId === id)
  if (!found) throw badField(field, `there is no stored action ${id}`)
  const { maxRetries, maxRetriesIntervalS, mandatory, freezer } = found
  const extra = { ...found.extra, ...entry.extra }
  const action = {
    ...{ maxRetries, maxRetriesIntervalS, mandatory },
    ...entry,
    freezer,
    ...(Object.keys(extra).length > 0 ? { extra } : {}),
  }
  return { action, isNew: false, known: true }
}

function takeOne(
  { state, sealer, secrets }: Context,
  { project }: Caller,
  entry: ActionEntry,
  before: readonly JobAction[],
  seen: ReadonlyMap<ActionId, JsonObject>,
): TakenOne {
  const sealedFor = (id: ActionId, from?: { id: ActionId; document: JsonObject }) =>
    sealed(
      sealer,
      entry.freezer,
      (path) => placeOf(project, id, path),
      from && { document: from.document, place: (path) => placeOf(project, from.id, path) },
    )
  const { actionId: asked } = entry
  if (asked === undefined) {
    const id = actionId(secrets.uuid())
    return { action: { ...entry, actionId: id, freezer: sealedFor(id) }, isNew: true, known: false }
  }
  const stored = seen.get(asked) ?? state.get('action', project, asked)?.value.freezer
  const own = before.find((action) => action.actionId === asked)?.freezer ?? stored
  const from = own && { id: asked, document: own }
  const freezer = sealedFor(asked, from)
  if (stored === undefined)
    return { action: { ...entry, actionId: asked, freezer }, isNew: true, known: true }
  if (isDeepStrictEqual(freezer, stored))
    return { action: { ...entry, actionId: asked, freezer: stored }, isNew: false, known: true }
  const id = actionId(secrets.uuid())
  return { action: { ...entry, actionId: id, freezer: sealedFor(id, from) }, isNew: true, known: false }
}

function documentOf({ clock }: Context, { project, user }: Caller, action: JobAction): ActionDocument {
  return { ...action, project, user, createdAt: clock.now(), version: 1 }
}

/** Names the whole path of a field that was refused inside `field`. */
function inField<T>(field: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof Error && 'detail' in error) {
      const inner = (error.detail as { field?: string }).field
      if (inner !== undefined) throw badField(`${field}.${inner}`, error.message.slice(inner.length + 2))
    }
    throw error
  }
}
