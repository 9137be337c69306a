import { isObject, type JsonObject } from '../../core/action.ts'
import { Fault } from '../../core/fault.ts'
import { actionId, type ActionId } from '../../core/ids.ts'
import { put, ref, unchanged, type ActionDocument, type Stored } from '../state/documents.ts'
import type { Caller, Context } from './context.ts'
import type { Expectation } from './expectation.ts'
import type { ActionEntry } from './job-actions.ts'
import { mergedExtensions } from './job-planning.ts'
import { documentMax } from './jobs.ts'
import { retrying } from './retrying.ts'
import { placeOf, sealed } from './secret-fields.ts'

/** What a document changes of an action; `freezer` and `extra.firn` are merged key by key. */
export type ActionChange = Partial<Omit<ActionEntry, 'actionId'>>

/** Stores an action by itself. Throws Fault 'conflict' when its id is taken, 'bad_request', 'store_down'. */
export async function createAction(
  context: Context,
  caller: Caller,
  entry: ActionEntry,
): Promise<Stored<ActionDocument>> {
  const id = entry.actionId ?? actionId(context.secrets.uuid())
  return retrying(context, async () => {
    if (context.state.get('action', caller.project, id))
      throw new Fault('conflict', `action_id: action ${id} is already there`, { field: 'action_id' })
    return store(context, caller, id, entry, undefined)
  })
}

/**
 * Stores an action under this id, or replaces the one that has it. Jobs keep what they have. Throws as `createAction`, and
 * 'precondition_failed'.
 */
export async function replaceAction(
  context: Context,
  caller: Caller,
  id: ActionId,
  entry: ActionEntry,
  expected?: Expectation,
): Promise<Stored<ActionDocument>> {
  return retrying(context, async () => {
    const before = context.state.get('action', caller.project, id)
    expected?.(before)
    return store(context, caller, id, entry, before)
  })
}

/** Throws Fault 'not_found', 'bad_request', 'precondition_failed', 'stale_write', 'store_down'. */
export async function patchAction(
  context: Context,
  caller: Caller,
  id: ActionId,
  change: ActionChange,
  expected?: Expectation,
): Promise<Stored<ActionDocument>> {
  return retrying(context, async () => {
    const before = existingAction(context, caller, id)
    expected?.(before)
    const { freezer, extra, ...rest } = change
    // What is not sent stays as it is, sealed as it is; what is sent is sealed anew.
    const fresh = freezer && sealedFor(context, caller, id, freezer, before)
    const action: ActionDocument = {
      ...before.value,
      ...rest,
      freezer: { ...before.value.freezer, ...fresh },
      ...(extra ? extraAfter(before.value.extra, extra) : {}),
      version: before.value.version + 1,
    }
    return commit(context, caller, action, before)
  })
}

/** Throws Fault 'not_found', 'precondition_failed', 'stale_write', 'store_down'. */
export async function removeAction(
  context: Context,
  caller: Caller,
  id: ActionId,
  expected?: Expectation,
): Promise<void> {
  await retrying(context, async () => {
    const before = existingAction(context, caller, id)
    expected?.(before)
    await context.state.commit({
      requires: [unchanged('action', caller.project, id, before)],
      puts: [],
      deletes: [ref('action', caller.project, id)],
    })
  })
}

/** The open fields of a document after a change. */
function extraAfter(before: JsonObject | undefined, change: JsonObject): { extra: JsonObject } {
  const { firn: old, ...kept } = before ?? {}
  const { firn: sent, ...others } = change
  const firn = mergedExtensions(isObject(old) ? old : undefined, isObject(sent) ? sent : undefined)
  return { extra: { ...kept, ...others, ...(firn ? { firn } : {}) } }
}

function existingAction({ state }: Context, { project }: Caller, id: ActionId): Stored<ActionDocument> {
  const action = state.get('action', project, id)
  if (!action) throw new Fault('not_found', `no action ${id}`)
  return action
}

async function store(
  context: Context,
  caller: Caller,
  id: ActionId,
  entry: ActionEntry,
  before: Stored<ActionDocument> | undefined,
): Promise<Stored<ActionDocument>> {
  const action: ActionDocument = {
    ...entry,
    ...(entry.extra ? extraAfter(undefined, entry.extra) : {}),
    actionId: id,
    freezer: sealedFor(context, caller, id, entry.freezer, before),
    project: caller.project,
    user: before?.value.user ?? caller.user,
    createdAt: before?.value.createdAt ?? context.clock.now(),
    version: (before?.value.version ?? 0) + 1,
  }
  return commit(context, caller, action, before)
}

function sealedFor(
  { sealer }: Context,
  { project }: Caller,
  id: ActionId,
  freezer: JsonObject,
  before: Stored<ActionDocument> | undefined,
): JsonObject {
  const place = (path: string) => placeOf(project, id, path)
  return sealed(sealer, freezer, place, before && { document: before.value.freezer, place })
}

async function commit(
  { state }: Context,
  { project }: Caller,
  action: ActionDocument,
  before: Stored<ActionDocument> | undefined,
): Promise<Stored<ActionDocument>> {
  if (JSON.stringify(action).length > documentMax)
    throw new Fault('too_much', `the action has more than ${documentMax} characters`)
  const revision = await state.commit({
    requires: [unchanged('action', project, action.actionId, before)],
    puts: [put('action', project, action.actionId, action)],
  })
  return { value: action, revision }
}
