import type { JsonObject } from '../../core/action.ts'
import type { Backup, ForeignBackup } from '../../core/catalogue.ts'
import { Fault } from '../../core/fault.ts'
import { backupId, type BackupId } from '../../core/ids.ts'
import { setIdOf, type SetRecord } from '../../core/set.ts'
import { put, ref, unchanged, type Stored } from '../state/documents.ts'
import { scoped } from '../state/indexes.ts'
import type { State } from '../state/state.ts'
import type { Caller, Context } from './context.ts'
import { forgetRun } from './forgetting.ts'
import { documentMax } from './jobs.ts'
import { creating } from './new-run.ts'
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
 * Deletes the record of a foreign backup at once, and one of the catalogue together with its data: its node removes that, and
 * the entry stays until it has. Done again meanwhile it changes nothing. Throws Fault 'not_found', 'conflict' (it is part of
 * a set that stands, or a database's backup, which is deleted by its own record), 'busy' (a run reads it or builds on it),
 * 'store_down'.
 */
export async function removeBackup(context: Context, { project, user }: Caller, id: BackupId): Promise<void> {
  const { state } = context
  await retrying(context, async () => {
    const foreign = state.get('foreign', project, id)
    if (foreign)
      return void (await state.commit({
        requires: [unchanged('foreign', project, id, foreign)],
        puts: [],
        deletes: [ref('foreign', project, id)],
      }))
    const stored = state.get('backup', project, id)
    if (!stored) throw new Fault('not_found', `no backup ${id}`)
    const backup = stored.value
    if (backup.forgetting !== undefined) return
    refuseIfNeeded(state, backup)
    const made = forgetRun(context, {
      ...{ project, user, job: backup.job, client: backup.client, backups: [backup] },
      // Each try is a run of its own.
      key: `forget:${id}:${stored.revision}`,
    })
    const runs = creating([made])
    await state.commit({
      requires: [unchanged('backup', project, id, stored), ...runs.requires],
      puts: [put('backup', project, id, { ...backup, forgetting: made.run.id }), ...runs.puts],
    })
  })
}

function refuseIfNeeded(state: State, { id, project, client, run, session }: Backup): void {
  const set = session && state.get('set', project, setIdOf(session.id, session.tag))?.value
  if (session && set && isStanding(set))
    throw new Fault('conflict', `backup ${id} is part of set ${session.id} ${session.tag}`)
  for (const { value } of state.where('instance_backup', 'run', scoped(project, run)))
    if (value.run === run)
      throw new Fault('conflict', `backup ${id} is the data of database backup ${value.id}: delete that`)
  for (const { value } of state.where('run', 'openOfClient', scoped(project, client)))
    for (const { parent, sources = [] } of value.tasks)
      if (parent?.backup === id || sources.some(({ backup }) => backup === id))
        throw new Fault('busy', `run ${value.id} needs backup ${id}`)
}

/** Whether a set may still be restored as a whole, or is being made. */
const isStanding = ({ phase }: SetRecord): boolean =>
  phase.is !== 'ended' || phase.outcome.result === 'success' || phase.outcome.result === 'partial'
