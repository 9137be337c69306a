// Databases and their backups for tests: each builder gives a plain, valid one, and takes what the test is about.
import {
  instanceIdOf,
  runIdOf,
  instanceJobOf,
  manualSlot,
  type ClientId,
  type InstanceBackupId,
} from '../../core/ids.ts'
import type { Instance, InstanceBackup, InstanceProbe } from '../../core/instance.ts'
import { noon, project, user } from './builders.ts'

const client = 'node1' as ClientId
const sqlite = { type: 'sqlite', version: '3.50' } as const

/** An id that tells tests apart: `backupNumber(7)`. */
export const backupNumber = (n: number): InstanceBackupId =>
  `00000000-0000-4000-8000-${String(n).padStart(12, '0')}` as InstanceBackupId

/** A database called orders, as its agent announces it. */
export const aProbe = (over: Partial<InstanceProbe> = {}): InstanceProbe => ({
  key: 'orders',
  name: 'orders',
  datastore: sqlite,
  up: true,
  bytes: 1_000_000,
  ...over,
})

/** The same database as it is stored. */
export const anInstance = (over: Partial<Instance> = {}): Instance => ({
  id: instanceIdOf(project, client, over.key ?? 'orders'),
  project,
  client,
  key: 'orders',
  name: 'orders',
  datastore: sqlite,
  state: { is: 'active' },
  createdAt: noon,
  updatedAt: noon,
  ...over,
})

/** An open, full backup of it. */
export function anInstanceBackup(over: Partial<InstanceBackup> = {}): InstanceBackup {
  const id = over.id ?? backupNumber(1)
  const instance = anInstance().id
  return {
    id,
    project,
    user,
    name: 'nightly',
    instance,
    client,
    datastore: sqlite,
    container: 'database_backups',
    run: runIdOf(project, instanceJobOf(instance), client, manualSlot(id)),
    state: { is: 'open' },
    createdAt: noon,
    updatedAt: noon,
    ...over,
  }
}
