import { z } from 'zod'
import type { JsonObject } from '../../core/action.ts'
import type { Backup, ForeignBackup } from '../../core/catalogue.ts'
import { isFault } from '../../core/fault.ts'
import { registerBackup, removeBackup } from '../../controller/use-cases/backups.ts'
import { EdgeFault } from '../faults.ts'
import { operation } from '../operation.ts'
import type { Ask, Route } from '../route.ts'
import { shownBackup } from './answers.ts'
import { backupForm } from './backup-document.ts'
import { backupView, foreignBackupView } from './backup-view.ts'
import { sentDocument } from './forms.ts'
import { answerList, listOf, listSpec, type Candidates } from './listing.ts'
import type { Seen, Version } from './shown.ts'
import { changes, looks, spec, type Group } from './spec.ts'
import { candidates, found, seenBy } from './visible.ts'

/** Entries of our own catalogue and records of other systems' agents, in one list. */
type Listed = Backup | ForeignBackup

const isForeign = (backup: Listed): backup is ForeignBackup => 'metadata' in backup
const createdAt = (backup: Listed): number => (isForeign(backup) ? backup.createdAt : backup.endedAt)

/** Freezer's backups. */
export function backupRoutes(group: Group): Route[] {
  const { base, version } = group
  const all = `${base}/backups`
  const one = `${all}/:backup_id`
  return [
    operation({
      ...spec(group, 'listBackups', 'List backups'),
      ...{ ...listSpec, path: all, answers: { 200: listOf('backups', shownBackup) } },
      answer: (ask, input) => {
        const seen = seenBy(ask)
        return answerList(ask, input, 'backups', {
          documents: (_search, skip) => backupsFor(ask, version, skip),
          show: (backup) => view(seen, backup, version),
        })
      },
    }),
    operation({
      ...spec(group, 'registerBackup', "Keep the record of another system's backup"),
      ...{ ...changes, method: 'POST', path: all, body: backupForm },
      answers: { 201: z.object({ backup_id: z.string() }) },
      answer: async (ask, input) => {
        const metadata = await metadataIn(sentDocument(ask, input))
        const { value } = await registerBackup(ask.served.context, ask.caller, metadata)
        return ask.json({ backup_id: value.id }, 201)
      },
    }),
    operation({
      ...spec(group, 'showBackup', 'Show a backup'),
      ...{ ...looks, path: one, answers: { 200: shownBackup } },
      answer: (ask) => ask.json(view(seenBy(ask), backupOf(ask, version), version)),
    }),
    operation({
      ...spec(group, 'deleteBackup', 'Delete the record of a backup'),
      ...{ ...changes, method: 'DELETE', path: one, answers: { 204: 'nothing' } },
      answer: async (ask) => {
        await removeBackup(ask.served.context, ask.caller, backupOf(ask, version).id)
        return ask.nothing()
      },
    }),
  ]
}

const view = (seen: Seen, backup: Listed, version: Version): JsonObject =>
  isForeign(backup) ? foreignBackupView(backup, version) : backupView(seen, backup, version)

function backupOf(ask: Ask, version: Version): Listed {
  const { state } = ask.served.context
  const { project } = ask.caller
  const id = ask.param('backup_id')
  const stored = state.get('backup', project, id) ?? state.get('foreign', project, id)
  return found<{ readonly value: Listed }>(ask, version, 'backup', stored).value
}

function backupsFor(ask: Ask, version: Version, skip: number): Candidates<Listed> {
  const { state } = ask.served.context
  const { project } = ask.caller
  if (state.count('foreign', project) === 0)
    return candidates<Listed>(ask, version, (from) => state.of('backup', project, from), skip)
  if (state.count('backup', project) === 0)
    return candidates<Listed>(ask, version, (from) => state.of('foreign', project, from), skip)
  return { ...candidates<Listed>(ask, version, () => both(state, project), skip), skipped: 0 }
}

/** Both kinds in order of creation. */
function* both(state: Seen['state'], project: string): IterableIterator<{ readonly value: Listed }> {
  const own = state.of('backup', project)
  const foreign = state.of('foreign', project)
  let a = own.next()
  let b = foreign.next()
  while (!a.done || !b.done) {
    if (!a.done && (b.done || createdAt(a.value.value) <= createdAt(b.value.value))) {
      yield a.value
      a = own.next()
    } else if (!b.done) {
      yield b.value
      b = foreign.next()
    }
  }
}

/** Freezer has a title of its own for metadata that lack something. */
async function metadataIn(sent: Promise<JsonObject>): Promise<JsonObject> {
  try {
    return await sent
  } catch (error) {
    throw isFault(error, 'bad_request') ? new EdgeFault('bad_data', error.message) : error
  }
}
