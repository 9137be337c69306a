import type { JsonObject } from '../../core/action.ts'
import type { ForeignBackup } from '../../core/catalogue.ts'
import { Fault } from '../../core/fault.ts'
import { backupId, type BackupId } from '../../core/ids.ts'
import { put, ref, unchanged, type Stored } from '../state/documents.ts'
import type { Caller, Context } from './context.ts'
import { documentMax } from './jobs.ts'
import { retrying } from './retrying.ts'
import { masked } from './secret-fields.ts'

/** Keeps the record of a backup that another system's agent made. Throws Fault 'too_much', 'store_down'. */
export async function registerBackup(
  context: Context,
  { project, user, userName }: Caller,
  metadata: JsonObject,
): Promise<Stored<ForeignBackup>> {
  if (JSON.stringify(metadata).length > documentMax)
    throw new Fault('too_much', `the record has more than ${documentMax} characters`)
  const id = backupId(context.secrets.uuid())
  // Nothing here will ever need a secret of theirs.
  const value = { id, project, user, userName, metadata: masked(metadata), createdAt: context.clock.now() }
  const revision = await context.state.commit({
    requires: [unchanged('foreign', project, id, undefined)],
    puts: [put('foreign', project, id, value)],
  })
  return { value, revision }
}

/**
 * Deletes the record of a foreign backup. What lies in a repository is not deleted by its record: Fault 'unsupported'. Throws
 * 'not_found', 'store_down', too.
 */
export async function removeBackup(context: Context, { project }: Caller, id: BackupId): Promise<void> {
  const { state } = context
  await retrying(context, async () => {
    const foreign = state.get('foreign', project, id)
    if (foreign)
      return void (await state.commit({
        requires: [unchanged('foreign', project, id, foreign)],
        puts: [],
        deletes: [ref('foreign', project, id)],
      }))
    if (state.get('backup', project, id))
      throw new Fault('unsupported', `backup ${id} lies in a repository; this release does not delete it`)
    throw new Fault('not_found', `no backup ${id}`)
  })
}
