import type { JsonObject } from '../../core/action.ts'
import type { Backup, ForeignBackup } from '../../core/catalogue.ts'
import { backupId } from '../../core/ids.ts'
import { registerBackup, removeBackup } from '../../controller/use-cases/backups.ts'
import { documentOf, refusal } from '../fields.ts'
import type { Ask, Route } from '../route.ts'
import { answerList } from './listing.ts'
import { backupView, foreignBackupView, type Version } from './views.ts'
import { found, seen } from './visible.ts'

/** Entries of our own catalogue and records of other systems' agents, in one list. */
type Listed = Backup | ForeignBackup

const isForeign = (backup: Listed): backup is ForeignBackup => 'metadata' in backup
const createdAt = (backup: Listed): number => (isForeign(backup) ? backup.createdAt : backup.endedAt)

/** `base` is `/v1` or `/v2/:project_id`. */
export function backupRoutes(base: string, version: Version): Route[] {
  const all = `${base}/backups`
  const one = `${all}/:backup_id`
  const errors = 'freezer'
  const view = (ask: Ask, backup: Listed): JsonObject =>
    isForeign(backup)
      ? foreignBackupView(backup, version)
      : backupView({ state: ask.served.context.state, recent: ask.served.recent }, backup, version)
  return [
    {
      ...{ method: 'GET', path: all, role: 'viewer', errors },
      answer: (ask) =>
        answerList(ask, 'backups', {
          documents: () => both(ask, version),
          show: (backup) => view(ask, backup),
        }),
    },
    { method: 'POST', path: all, role: 'operator', errors, answer: register },
    {
      ...{ method: 'GET', path: one, role: 'viewer', errors },
      answer: (ask) => ask.json(view(ask, backupOf(ask, version))),
    },
    {
      ...{ method: 'DELETE', path: one, role: 'operator', errors },
      async answer(ask) {
        await removeBackup(ask.served.context, ask.caller, backupOf(ask, version).id)
        return ask.nothing()
      },
    },
  ]
}

function backupOf(ask: Ask, version: Version): Listed {
  const { state } = ask.served.context
  const { project } = ask.caller
  const id = backupId(ask.param('backup_id'))
  return found<Listed>(
    ask,
    version,
    'backup',
    state.get('backup', project, id) ?? state.get('foreign', project, id),
  )
}

/** Both kinds in order of creation. */
function* both(ask: Ask, version: Version): IterableIterator<Listed> {
  const { state } = ask.served.context
  const { project } = ask.caller
  const own = seen(ask, version, state.of('backup', project))
  const foreign = seen(ask, version, state.of('foreign', project))
  let a = own.next()
  let b = foreign.next()
  while (!a.done || !b.done) {
    if (!a.done && (b.done || createdAt(a.value) <= createdAt(b.value))) {
      yield a.value
      a = own.next()
    } else if (!b.done) {
      yield b.value
      b = foreign.next()
    }
  }
}

async function register(ask: Ask): Promise<Response> {
  const metadata = documentOf(await ask.body())
  for (const key of ['container', 'hostname', 'backup_name'])
    if (metadata[key] === undefined || metadata[key] === null || metadata[key] === '')
      throw refusal(key, 'must be there and not empty')
  const { value } = await registerBackup(ask.served.context, ask.caller, metadata)
  return ask.json({ backup_id: value.id }, 201)
}
