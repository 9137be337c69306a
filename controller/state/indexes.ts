import { uuidOf } from '../../core/ids.ts'
import { setIdOf } from '../../core/set.ts'
import type { Kind } from '../ports/backend.ts'
import { Collection, type IndexKeys } from './collection.ts'
import type { Documents } from './documents.ts'

/** `<project>/<id>`: neither holds a slash. */
export const scoped = (project: string, id: string): string => `${project}/${id}`

/** The one key of an index that just gathers ("all runs that are not finished"). */
export const every = '*'

/** Every value of a key "client_id" in a job, at any depth. */
export function mentionsOf({ client, actions, firn }: Documents['job']): string[] {
  const found = new Set<string>(client ? [client] : [])
  const look = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    for (const [key, item] of Object.entries(value)) {
      if (key === 'client_id' && typeof item === 'string') found.add(item)
      look(item)
    }
  }
  for (const { freezer, extra } of actions) {
    look(freezer)
    look(extra)
  }
  look(firn)
  return [...found]
}

/** The UUID that an id is shown as, where the id cannot be read off it: 32 hex digits and UUIDs can. */
function foreignId(id: string): string[] {
  const uuid = uuidOf(id)
  return id === uuid || id === uuid.replaceAll('-', '') ? [] : [uuid]
}

const indexes = {
  job: {
    /** What a search for a client may find. */
    mentions: (job) => mentionsOf(job).map((client) => scoped(job.project, client)),
    client: (job) => (job.client ? [scoped(job.project, job.client)] : []),
    /** Jobs that call a saved action, not those that follow an alias to it. */
    function: (job) => (job.function?.action ? [scoped(job.project, job.function.action)] : []),
    /** Ids that are shown in another form: as a UUID. */
    uuid: (job) => foreignId(job.id),
    /** Jobs with a slot to come, or with runs to be made. */
    planned: ({ plan }) => (plan.next !== undefined || plan.making !== undefined ? [every] : []),
  },
  session: {
    planned: (session) => (session.plan.next !== undefined ? [every] : []),
  },
  set: {
    session: (set) => [scoped(set.project, set.session)],
    open: (set) => (set.phase.is === 'ended' ? [] : [every]),
  },
  run: {
    job: (run) => [scoped(run.project, run.job)],
    client: (run) => [scoped(run.project, run.client)],
    /** Not finished. */
    open: (run) => (run.state.is === 'finished' ? [] : [every]),
    openOfClient: (run) => (run.state.is === 'finished' ? [] : [scoped(run.project, run.client)]),
    openOfJob: (run) => (run.state.is === 'finished' ? [] : [scoped(run.project, run.job)]),
    restore: (run) => (run.restore ? [scoped(run.project, run.restore)] : []),
    set: (run) => (run.session ? [scoped(run.project, setIdOf(run.session.id, run.session.tag))] : []),
  },
  client: {
    /** Clients whose line ends at a server. */
    server: (client) => (client.line.is === 'up' ? [client.line.server] : []),
  },
  backup: {
    client: (backup) => [scoped(backup.project, backup.client)],
    set: (backup) =>
      backup.session ? [scoped(backup.project, setIdOf(backup.session.id, backup.session.tag))] : [],
    forgetting: (backup) => (backup.forgetting ? [every, scoped(backup.project, backup.forgetting)] : []),
  },
  foreign: {},
  action: {
    /** Ids that are shown in another form: as a UUID. */
    uuid: (action) => foreignId(action.actionId),
  },
  repository: {
    /** Those that lie, each on its own node, at a place. */
    place: ({ project, engine, location }) => [scoped(project, `${engine} ${location}`)],
  },
  token: { hash: (token) => [token.hash] },
  join: { hash: (join) => [join.hash] },
  server: {},
  instance: {
    /** Whatever project it belongs to. */
    id: (instance) => [instance.id],
    client: (instance) => [scoped(instance.project, instance.client)],
    key: (instance) => [scoped(instance.project, `${instance.client}/${instance.key}`)],
    /** Those with a restore or a backup under way. */
    open: (instance) => (instance.state.is === 'building' || instance.busy ? [every] : []),
    /** The run that creates it. */
    run: (instance) =>
      instance.state.is === 'building' ? [scoped(instance.project, instance.state.run)] : [],
  },
  instance_backup: {
    /** Whatever project it belongs to. */
    id: (backup) => [backup.id],
    instance: (backup) => (backup.instance ? [scoped(backup.project, backup.instance)] : []),
    parent: (backup) => (backup.parent ? [scoped(backup.project, backup.parent)] : []),
    run: (backup) =>
      [backup.run, backup.deleting].flatMap((run) => (run ? [scoped(backup.project, run)] : [])),
    /** Those whose run, or the removal of whose data, has not ended. */
    open: (backup) => (backup.state.is === 'open' || backup.deleting ? [every] : []),
  },
  strategy: {},
  quota: {},
  alias: {
    action: (alias) => [scoped(alias.project, alias.action)],
  },
  answer: {},
} as const satisfies { [K in Kind]: Record<string, IndexKeys<Documents[K]>> }

export type IndexName<K extends Kind> = keyof (typeof indexes)[K] & string

export type Collections = { readonly [K in Kind]: Collection<Documents[K]> }

export function emptyCollections(): Collections {
  const entries = Object.entries(indexes).map(
    ([kind, keys]) => [kind, new Collection(keys as Record<string, IndexKeys<never>>)] as const,
  )
  return Object.fromEntries(entries) as unknown as Collections
}
