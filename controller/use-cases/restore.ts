import { keeperOf, type JobAction, type JsonObject } from '../../core/action.ts'
import type { Backup } from '../../core/catalogue.ts'
import { badField, Fault } from '../../core/fault.ts'
import {
  manualSlot,
  restoreIdOf,
  type ActionId,
  type BackupId,
  type ClientId,
  type SessionId,
} from '../../core/ids.ts'
import type { Run } from '../../core/run.ts'
import { setIdOf } from '../../core/set.ts'
import type { Stored } from '../state/documents.ts'
import { scoped } from '../state/indexes.ts'
import type { Caller, Context } from './context.ts'
import type { RunRequest } from './new-run.ts'
import { createRuns } from './start-run.ts'

export interface RestoreRequest {
  readonly from:
    | { readonly is: 'set'; readonly session: SessionId; readonly tag: number }
    | { readonly is: 'backup'; readonly id: BackupId }
  /** Directory on the node; `{client}`, `{job}` and `{backup}` are filled in. */
  readonly target: string
  /** Restore on another node than the one that made the backup: its repository must be reachable from there. */
  readonly client?: ClientId
  /** Paths of the backup; empty: all. */
  readonly include: readonly string[]
  readonly overwrite: boolean
  /** The same user's same key is the same request. */
  readonly key: string
}

const runsAtOnce = 25

/**
 * Restores a backup, or every backup of a set on the nodes that made them. One run for each; they share the restore's id.
 * Throws Fault 'not_found', 'bad_request', 'conflict' (nothing to restore, a partial set) or 'store_down'.
 */
export async function restore(
  context: Context,
  caller: Caller,
  request: RestoreRequest,
): Promise<{ restoreId: string; runs: Stored<Run>[] }> {
  checkPath('target', request.target)
  request.include.forEach((at, index) => checkPath(`include.${index}`, at))
  const backups = backupsOf(context, caller, request)
  manualSlot(request.key) // a key as for a run, or a fault
  const restoreId = restoreIdOf(caller.project, caller.user, request.key)
  const requests = backups.map((backup): RunRequest => ({
    project: caller.project,
    user: caller.user,
    job: backup.job,
    client: request.client ?? backup.client,
    // Not of the key itself: with the backup's id it might be too long.
    slot: manualSlot(`${restoreId}:${backup.id}`),
    actions: [actionFor(backup, request, targetOf(backup, backups, request))],
    purpose: 'restore',
    restore: restoreId,
  }))
  const runs: Stored<Run>[] = []
  for (let from = 0; from < requests.length; from += runsAtOnce)
    runs.push(...(await createRuns(context, requests.slice(from, from + runsAtOnce))))
  return { restoreId, runs }
}

function checkPath(field: string, path: string): void {
  if (!path.startsWith('/') || path.includes('\0')) throw badField(field, 'must be an absolute path')
  if (path.split('/').includes('..')) throw badField(field, 'must not hold ".."')
}

function backupsOf(context: Context, caller: Caller, { from }: RestoreRequest): Backup[] {
  const { state } = context
  if (from.is === 'backup') {
    const backup = state.get('backup', caller.project, from.id)?.value
    if (!backup) throw new Fault('not_found', `no backup ${from.id}`)
    if (backup.forgetting !== undefined) throw new Fault('conflict', `backup ${from.id} is being deleted`)
    return [backup]
  }
  const id = setIdOf(from.session, from.tag)
  const set = state.get('set', caller.project, id)?.value
  if (!set) throw new Fault('not_found', `no set ${from.session} ${from.tag}`)
  if (set.phase.is !== 'ended') throw new Fault('busy', `set ${from.session} ${from.tag} is still being made`)
  const found = [...state.where('backup', 'set', scoped(caller.project, id))].map(({ value }) => value)
  if (found.length === 0) throw new Fault('conflict', `set ${from.session} ${from.tag} holds no backup`)
  return found
}

/** Where a backup goes: of a set each into a folder of its own, named for its client and, where that is not enough, its job. */
function targetOf(backup: Backup, all: readonly Backup[], { from, target }: RestoreRequest): string {
  const same = all.filter(({ client }) => client === backup.client)
  const sameJob = same.filter(({ job }) => job === backup.job)
  const folders = [
    '{client}',
    ...(same.length > 1 ? ['{job}'] : []),
    ...(sameJob.length > 1 ? ['{backup}'] : []),
  ]
  const template =
    from.is === 'backup' || target.includes('{') ? target : [target.replace(/\/+$/, ''), ...folders].join('/')
  return template
    .replaceAll('{client}', backup.client)
    .replaceAll('{job}', backup.job)
    .replaceAll('{backup}', backup.id)
}

function actionFor(backup: Backup, request: RestoreRequest, target: string): JobAction {
  const freezer: JsonObject = {
    action: 'restore',
    // A database's copy comes back as files: making a database of it is another request.
    engine_name: keeperOf(backup.engine),
    backup_id: backup.id,
    restore_abs_path: target,
    overwrite: request.overwrite,
    include: [...request.include],
  }
  return {
    actionId: backup.id as string as ActionId,
    maxRetries: 0,
    maxRetriesIntervalS: 60,
    mandatory: false,
    freezer,
  }
}
