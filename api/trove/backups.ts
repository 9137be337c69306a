import { z } from 'zod'
import { Fault } from '../../core/fault.ts'
import { instanceBackupId, instanceId, isUuid } from '../../core/ids.ts'
import type { InstanceBackup } from '../../core/instance.ts'
import { progressOf } from '../../controller/use-cases/instance-backups.ts'
import { existingInstanceBackup } from '../../controller/use-cases/instance-records.ts'
import { removeInstanceBackup } from '../../controller/use-cases/instance-removal.ts'
import { existingInstance } from '../../controller/use-cases/instances.ts'
import { valuesOf } from '../native/paging.ts'
import type { Ask, Route } from '../route.ts'
import { accepted } from './accepted.ts'
import { backupBody, createFrom } from './backup-request.ts'
import { backupForm, backupView } from './backup-view.ts'
import { datastoresOf, datastoresOfAll, datastoreIn, isNamed } from './known-datastores.ts'
import { troveOperation } from './operation.ts'
import { linksForm, pageOf, pageQuery, type Place } from './paging.ts'
import { asksForAll, projectNamed } from './projects.ts'

const listQuery = z.object({
  ...pageQuery,
  datastore: z.string().optional().meta({ description: 'Only this kind of database, by name or id.' }),
  instance_id: z.string().optional().meta({ description: 'Only of this instance; it may be gone.' }),
  all_projects: z.string().optional().meta({ description: "`True`: every account's. For administrators." }),
  project_id: z.string().optional().meta({ description: "This account's. For administrators." }),
})

const listForm = z.object({ backups: z.array(backupForm), links: linksForm })
const oneForm = z.object({ backup: backupForm })
const params = { id: 'The id of a backup.' }

/** What is no UUID is the id of nothing: clients try a name as an id first, and go on only after a 404. */
function idOf(ask: Ask) {
  const id = ask.param('id')
  if (!isUuid(id)) throw new Fault('not_found', `no backup ${id.slice(0, 80)}`)
  return instanceBackupId(id)
}

/** Newest first by the last change; then the younger one, then by id. */
const placeOf =
  (ask: Ask) =>
  (backup: InstanceBackup): Place => [
    -Number(progressOf(ask.served.context, backup).updatedAt),
    -Number(backup.createdAt),
    backup.id,
  ]

export const backupRoutes: readonly Route[] = [
  troveOperation({
    ...{ method: 'GET', path: '/backups', role: 'viewer', query: listQuery },
    ...{ id: 'listDatabaseBackups', summary: 'List backups, those that changed last first' },
    answers: { 200: listForm },
    answer: (ask, { query }) => list(ask, query),
  }),
  troveOperation({
    ...{ method: 'GET', path: '/instances/:id/backups', role: 'viewer', query: z.object(pageQuery) },
    ...{ id: 'listInstanceBackups', summary: 'List the backups of an instance' },
    params: { id: 'The id of an instance.' },
    answers: { 200: listForm },
    async answer(ask, { query }) {
      const instance = existingInstanceOf(ask)
      const of = instance.project
      return answerPage(ask, query, stored(ask, of), (backup) => backup.instance === instance.id)
    },
  }),
  troveOperation({
    ...{ method: 'GET', path: '/backups/:id', role: 'viewer', params },
    ...{ id: 'showDatabaseBackup', summary: 'Show a backup' },
    answers: { 200: oneForm },
    answer(ask) {
      const { value } = existingInstanceBackup(ask.served.context, ask.caller, idOf(ask))
      return ask.json({ backup: backupView(ask.served.context, value) })
    },
  }),
  troveOperation({
    ...{ method: 'POST', path: '/backups', role: 'operator', body: backupBody },
    ...{
      id: 'createDatabaseBackup',
      summary: 'Start a backup of an instance, or register one made elsewhere',
    },
    answers: { 202: oneForm },
    async answer(ask, input) {
      const { backup } = await input.body()
      const made = await createFrom(ask, backup)
      return ask.json({ backup: backupView(ask.served.context, made) }, 202)
    },
  }),
  troveOperation({
    ...{ method: 'DELETE', path: '/backups/:id', role: 'operator', params },
    ...{ id: 'deleteDatabaseBackup', summary: 'Delete a backup and all that build on it' },
    description: 'All or nothing. Records go when their data is gone; until then they keep their status.',
    answers: { 202: 'nothing' },
    async answer(ask) {
      await removeInstanceBackup(ask.served.context, ask.caller, idOf(ask))
      return accepted(ask)
    },
  }),
]

const stored = (ask: Ask, project: string): Iterable<InstanceBackup> =>
  valuesOf(ask.served.context.state.of('instance_backup', project))

/** The instance of the path. Throws Fault('not_found'). */
export function existingInstanceOf(ask: Ask) {
  const id = ask.param('id')
  if (!isUuid(id)) throw new Fault('not_found', `no instance ${id.slice(0, 80)}`)
  return existingInstance(ask.served.context, ask.caller, instanceId(id)).value
}

async function list(ask: Ask, query: z.infer<typeof listQuery>): Promise<Response> {
  const { state } = ask.served.context
  const all = asksForAll(ask, query.all_projects)
  const project = query.project_id === undefined ? undefined : projectNamed(ask, query.project_id)
  const everywhere = all && project === undefined
  const documents = everywhere
    ? valuesOf(state.all('instance_backup'))
    : stored(ask, project ?? ask.caller.project)
  const instance = query.instance_id?.toLowerCase()
  const { datastore } = query
  let isKnown = false
  const keep = (backup: InstanceBackup): boolean => {
    if (datastore !== undefined && !isNamed(backup.datastore.type, datastore)) return false
    isKnown = true
    return instance === undefined || backup.instance === instance
  }
  const answer = await answerPage(ask, query, documents, keep)
  // Looked for last: the backups have told already, unless there are none of it.
  if (datastore !== undefined && !isKnown)
    datastoreIn(
      everywhere ? datastoresOfAll(state) : datastoresOf(state, project ?? ask.caller.project),
      datastore,
    )
  return answer
}

async function answerPage(
  ask: Ask,
  query: z.infer<z.ZodObject<typeof pageQuery>>,
  documents: Iterable<InstanceBackup>,
  keep: (backup: InstanceBackup) => boolean,
): Promise<Response> {
  const page = await pageOf(ask, query, { documents, keep, place: placeOf(ask) })
  const backups = page.documents.map((backup) => backupView(ask.served.context, backup))
  return ask.json({ backups, ...page.links })
}
