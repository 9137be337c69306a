import { z } from 'zod'
import { overall } from '../../core/steps.ts'
import { backupId, clientId, sessionId } from '../../core/ids.ts'
import { restore, type RestoreRequest } from '../../controller/use-cases/restore.ts'
import { openBackup } from '../../controller/use-cases/repositories.ts'
import { refusal, some } from '../fields.ts'
import { operation } from '../operation.ts'
import { runForm, treeEntryForm } from './documents.ts'
import { clientText, count, idText } from './forms.ts'
import { keyOf, runsOfRestore } from './runs.ts'
import { runView, treeEntryView } from './views.ts'

const errors = 'problem'
const tag = 'Restores'

const restoreBody = z
  .strictObject({
    backup_id: idText('One backup, on its own node or on `client_id`').optional(),
    set: z
      .strictObject({ session_id: idText('The session'), tag: count('Which start of it') })
      .optional()
      .meta({ description: 'All backups of a set, each on its own node' }),
    client_id: clientText('Another node, which must reach the repository').optional(),
    target: z
      .string()
      .max(4096)
      .refine(
        (path) => !/[{}]/.test(path.replaceAll(/\{(client|job|backup)\}/g, '')),
        'may hold {client}, {job} and {backup}, and no other braces',
      )
      .meta({
        description:
          'An absolute path on the node. `{client}`, `{job}` and `{backup}` are filled in; of a set without them each backup goes into a folder of its own below it',
      }),
    include: z
      .array(z.string().min(1, 'must be a path').max(4096))
      .max(1000)
      .default([])
      .meta({ description: 'Only these paths of the backup; empty: all' }),
    overwrite: z.boolean().default(false).meta({ description: 'Also into a folder that holds something' }),
  })
  .meta({ description: 'Either `backup_id` or `set`' })

const startRoute = operation({
  ...{ method: 'POST', path: '/v1/restores', role: 'operator', errors, repeat: 'harmless' },
  ...{ tag, id: 'startRestore', summary: 'Restore one backup, or all of a set' },
  body: restoreBody,
  answers: { 202: z.object({ restore_id: z.string(), runs: z.array(runForm) }) },
  async answer(ask, { body }) {
    const { target, include, overwrite, client_id, ...source } = await body()
    const { restoreId, runs } = await restore(ask.served.context, ask.caller, {
      from: sourceOf(source),
      ...{ target, include, overwrite, key: keyOf(ask) },
      ...some('client', client_id === undefined ? undefined : clientId(client_id)),
    })
    const views = runs.map(({ value }) => runView(value, ask.served.live))
    return ask.json({ restore_id: restoreId, runs: views }, 202)
  },
})

function sourceOf({
  set,
  backup_id,
}: Pick<z.output<typeof restoreBody>, 'set' | 'backup_id'>): RestoreRequest['from'] {
  if (set && backup_id === undefined) return { is: 'set', session: sessionId(set.session_id), tag: set.tag }
  if (!set && backup_id !== undefined) return { is: 'backup', id: backupId(backup_id) }
  throw refusal('set', 'either set or backup_id must be there')
}

const showRoute = operation({
  ...{ method: 'GET', path: '/v1/restores/:restore_id', role: 'viewer', errors },
  ...{ tag, id: 'getRestore', summary: 'Show the runs of a restore' },
  answers: {
    200: z.object({
      restore_id: z.string(),
      runs: z.array(runForm),
      result: runForm.shape.result.meta({
        description: 'The worst one, once all runs have ended; else null',
      }),
    }),
  },
  answer(ask) {
    const id = ask.param('restore_id')
    const runs = runsOfRestore(ask, id)
    const results = runs.map(({ state }) => (state.is === 'finished' ? state.result : undefined))
    return ask.json({
      restore_id: id,
      runs: runs.map((run) => runView(run, ask.served.live)),
      result: results.includes(undefined) ? null : overall(results),
    })
  },
})

const treeQuery = z.object({
  path: z
    .string()
    .max(4096)
    .regex(/^\/[^\0]*$/, 'must be an absolute path')
    .default('/'),
  limit: z.coerce.number().int().min(1).max(1000).default(1000).meta({ description: 'At most so many' }),
})

const treeRoute = operation({
  ...{ method: 'GET', path: '/v1/backups/:backup_id/tree', role: 'viewer', errors },
  ...{ tag, id: 'getBackupTree', summary: 'List what lies under a path of a backup' },
  description:
    'The agent of the node that made it looks: 409 `agent_offline` when that has no line to this server.',
  query: treeQuery,
  answers: {
    200: z.object({
      entries: z.array(treeEntryForm),
      more: z.boolean().meta({ description: 'Whether there are more than `limit`' }),
    }),
  },
  async answer(ask, { query }) {
    const { path, limit } = query
    const { backup, access } = openBackup(ask.served.context, ask.caller, backupId(ask.param('backup_id')))
    const { entries, more } = await ask.served.live.browse(ask.caller.project, backup.client, {
      repository: access,
      engineRef: backup.engineRef,
      path,
      limit,
    })
    return ask.json({ entries: entries.map(treeEntryView), more })
  },
})

export const restoreRoutes = [startRoute, showRoute, treeRoute]
