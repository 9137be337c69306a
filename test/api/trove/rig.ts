// Trove's API over state in memory, with one database of account "p1" on node "db1" to make backups of.
import { randomUUID } from 'node:crypto'
import { later, type Instant } from '../../../core/clock.ts'
import {
  clientId,
  instanceBackupId,
  instanceIdOf,
  projectId,
  userId,
  type BackupId,
  type InstanceBackupId,
} from '../../../core/ids.ts'
import type { Instance, InstanceBackup, InstanceTemplate } from '../../../core/instance.ts'
import { put } from '../../../controller/state/documents.ts'
import { aBackup } from '../../support/builders.ts'
import { project, startApi, type Answer, type Api } from '../harness.ts'

export const gigabyte = 2 ** 30
export const node = clientId('db1')
export const sqlite = { type: 'sqlite', version: '3.50' } as const

export interface Trove {
  readonly api: Api
  /** The database. */
  readonly instance: Instance
  readonly operator: string
  readonly viewer: string
  readonly admin: string
  /** Of another account: an administrator there. */
  readonly stranger: string
  /** One request in account "p1", as its operator. `path` begins after the account. */
  readonly ask: (method: string, path: string, body?: unknown, as?: string) => Promise<Answer>
  readonly post: (backup: object, as?: string) => Promise<Answer>
  /** Stores an instance. */
  readonly instanceIs: (over?: Partial<Instance>) => Promise<Instance>
  /** Stores the record of a backup; completed, unless it says otherwise. */
  readonly backupIs: (over?: Partial<InstanceBackup>) => Promise<InstanceBackup>
  readonly stored: () => InstanceBackup[]
}

export async function startTrove({
  quota = 50,
  requests = { perSecond: 1000, burst: 1000 },
} = {}): Promise<Trove> {
  const api = await startApi({ requests })
  Object.assign(api.context.settings, { backupsPerProject: quota })
  const operator = await api.token('operator')
  const { state } = api.context
  await nodeIs(api, [
    { name: 'empty', datastore: sqlite },
    { name: 'large', datastore: { type: 'postgresql', version: '17' } },
  ])
  let minutes = 0
  const trove: Omit<Trove, 'instance'> = {
    ...{ api, operator },
    viewer: await api.token('viewer'),
    admin: await api.token('admin'),
    stranger: await api.token('admin', 'u-other', 'p2'),
    ask: (method, path, body, as = operator) => api.ask(method, `/v1.0/p1${path}`, body, as),
    post: (backup, as) => trove.ask('POST', '/backups', { backup }, as),
    async instanceIs(over = {}) {
      const { project: of = project, client = node, key = `k${++minutes}` } = over
      const at = api.now()
      const instance: Instance = {
        ...{ id: instanceIdOf(of, client, key), project: of, client, key, name: 'orders' },
        ...{ datastore: sqlite, state: { is: 'active' }, bytes: Math.floor(0.14 * gigabyte) },
        ...{ createdAt: at, updatedAt: at },
        ...over,
      }
      await state.commit({ requires: [], puts: [put('instance', of, instance.id, instance)] })
      return instance
    },
    async backupIs(over = {}) {
      const { project: of = project } = over
      const id = over.id ?? newBackupId()
      // Each changed a minute after the one before.
      const at = later(beginning, ++minutes * 60_000)
      const saved = aBackup({ id: id.replaceAll('-', '') as BackupId, project: of, client: node })
      const backup: InstanceBackup = {
        ...{ id, project: of, user: userId('u-admin'), name: `backup-${minutes}`, instance: instance.id },
        ...{ client: node, datastore: sqlite, container: 'database_backups', backup: saved.id },
        ...{ state: { is: 'completed' }, bytes: Math.floor(0.14 * gigabyte), location: locationOf(id) },
        ...{ createdAt: at, updatedAt: at },
        ...over,
      }
      await state.commit({
        requires: [],
        puts: [put('backup', of, saved.id, saved), put('instance_backup', of, id, backup)],
      })
      return backup
    },
    stored: () => [...state.of('instance_backup', project)].map(({ value }) => value),
  }
  const instance = await trove.instanceIs({ key: 'orders' })
  return { ...trove, instance }
}

export const beginning = Date.parse('2026-11-21T00:00:00Z') as Instant

export const newBackupId = (): InstanceBackupId => instanceBackupId(randomUUID())

const locationOf = (id: string): string => `file:///srv/backups/database_backups/${id}`

/** A node whose agent can back up sqlite, and can create databases from these. */
async function nodeIs(api: Api, templates: readonly InstanceTemplate[]): Promise<void> {
  const client = await api.enrolled(node)
  const agent = {
    ...{ version: '0', os: 'linux', hostname: 'db1', incarnation: 'i' },
    engines: [{ engine: 'sqlite', available: true, capabilities: [], problems: [] }],
    templates,
  }
  await api.context.state.commit({
    requires: [],
    puts: [put('client', project, node, { ...client, agent })],
  })
}

export const otherProject = projectId('p2')
