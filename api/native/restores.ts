import { overall } from '../../core/steps.ts'
import { backupId, clientId, sessionId } from '../../core/ids.ts'
import { restore, type RestoreRequest } from '../../controller/use-cases/restore.ts'
import { openBackup } from '../../controller/use-cases/repositories.ts'
import type { JsonObject } from '../../core/action.ts'
import {
  arrayIn,
  closed,
  documentOf,
  flagIn,
  integerIn,
  missing,
  objectIn,
  refusal,
  some,
  textIn,
} from '../fields.ts'
import type { Ask, Route } from '../route.ts'
import { keyOf, runsOfRestore } from './runs.ts'
import { runView, treeEntryView } from './views.ts'

const errors = 'problem'

export const restoreRoutes: readonly Route[] = [
  { method: 'POST', path: '/v1/restores', role: 'operator', errors, answer: start },
  { method: 'GET', path: '/v1/restores/:restore_id', role: 'viewer', errors, answer: show },
  { method: 'GET', path: '/v1/backups/:backup_id/tree', role: 'viewer', errors, answer: tree },
]

async function start(ask: Ask): Promise<Response> {
  const request = readRestore(documentOf(await ask.body()), keyOf(ask))
  const { restoreId, runs } = await restore(ask.served.context, ask.caller, request)
  const views = runs.map(({ value }) => runView(value, ask.served.live))
  return ask.json({ restore_id: restoreId, runs: views }, 202)
}

const keys: ReadonlySet<string> = new Set(['set', 'backup_id', 'client_id', 'target', 'include', 'overwrite'])

function readRestore(document: JsonObject, key: string): RestoreRequest {
  closed(document, keys)
  const target = textIn(document, 'target', { max: 4096 })
  if (target === undefined) throw missing('target')
  const client = document['client_id']
  return {
    from: sourceIn(document),
    target,
    ...some('client', client === undefined ? undefined : clientId(client)),
    include: (arrayIn(document, 'include') ?? []).map((path, index) => {
      if (typeof path !== 'string' || path === '') throw refusal(`include.${index}`, 'must be a path')
      return path
    }),
    overwrite: flagIn(document, 'overwrite') ?? false,
    key,
  }
}

function sourceIn(document: JsonObject): RestoreRequest['from'] {
  const set = objectIn(document, 'set')
  const backup = document['backup_id']
  if ((set === undefined) === (backup === undefined))
    throw refusal('set', 'either set or backup_id must be there')
  if (!set) return { is: 'backup', id: backupId(backup) }
  closed(set, new Set(['session_id', 'tag']), 'set.')
  const tag = integerIn(set, 'tag', { at: 'set.', min: 0 })
  if (tag === undefined) throw missing('set.tag')
  return { is: 'set', session: sessionId(set['session_id']), tag }
}

function show(ask: Ask): Response {
  const id = ask.param('restore_id')
  const runs = runsOfRestore(ask, id)
  const results = runs.map(({ state }) => (state.is === 'finished' ? state.result : undefined))
  return ask.json({
    restore_id: id,
    runs: runs.map((run) => runView(run, ask.served.live)),
    result: results.includes(undefined) ? null : overall(results),
  })
}

const entriesMax = 1000

/** Asks the agent that made the backup what lies in it. */
async function tree(ask: Ask): Promise<Response> {
  const { backup, access } = openBackup(ask.served.context, ask.caller, backupId(ask.param('backup_id')))
  const path = ask.query('path') ?? '/'
  if (!path.startsWith('/') || path.length > 4096 || path.includes('\0'))
    throw refusal('path', 'must be an absolute path')
  const asked = ask.query('limit')
  const limit = asked === undefined || asked === '' ? entriesMax : Number(asked)
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > entriesMax)
    throw refusal('limit', `must be a whole number from 1 to ${entriesMax}`)
  const { entries, more } = await ask.served.live.browse(ask.caller.project, backup.client, {
    repository: access,
    engineRef: backup.engineRef,
    path,
    limit,
  })
  return ask.json({ entries: entries.map(treeEntryView), more })
}
